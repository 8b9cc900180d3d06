"""Several statements in one request, as `executescript` of drivers sends them: all of them happen, or none.

In a transaction that is open they are a part of it, behind a savepoint; otherwise they are a transaction of their own.
A script that speaks of transactions or savepoints itself is left to do so.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from catalog.errors import DatabaseError
from flightserver.sql.parser import Parsed, parse_numbered, split_script
from flightserver.sql.statements import Begin, Commit, Release, Rollback, Savepoint
from flightserver.sql.text.limits import check_text_size
from providers.commit.transaction import Transaction

_TRANSACTIONAL = (Begin, Commit, Rollback, Savepoint, Release)

Run = Callable[[Parsed, str, Transaction | None], int]
"""Runs a statement, which has a text, in a transaction; returns how many rows it affected."""


def run_script(text: str, opened: Callable[[], Transaction | None], begin: Callable[[], Transaction], run: Run) -> int:
    """Run the statements of a text one after another; return how many rows they affected in all."""
    check_text_size(text)
    texts = split_script(text)
    if len(texts) < 2:
        return run(parse_numbered(text), text, None)
    statements = []
    for number, one in enumerate(texts, start=1):
        with _numbered(number):
            statements.append((parse_numbered(one), one))
    if any(isinstance(parsed.statement, _TRANSACTIONAL) for parsed, _ in statements):
        return _run_all(statements, None, run)
    joined = opened()
    with _part_of(joined) if joined is not None else _whole(begin()) as transaction:
        return _run_all(statements, transaction, run)


@contextmanager
def _part_of(transaction: Transaction) -> Iterator[Transaction]:
    """A part of a transaction, undone when it fails."""
    savepoint = f"script {secrets.token_hex(8)}"
    transaction.savepoint(savepoint)
    try:
        yield transaction
    except BaseException:
        transaction.rollback_to(savepoint)
        raise
    finally:
        transaction.release(savepoint)


@contextmanager
def _whole(transaction: Transaction) -> Iterator[Transaction]:
    """A transaction that is committed at the end, and rolled back when anything fails."""
    try:
        yield transaction
        transaction.commit()
    except BaseException:
        transaction.rollback()
        raise


def _run_all(statements: list[tuple[Parsed, str]], transaction: Transaction | None, run: Run) -> int:
    affected = 0
    for number, (parsed, text) in enumerate(statements, start=1):
        with _numbered(number):
            affected += run(parsed, text, transaction)
    return affected


@contextmanager
def _numbered(number: int) -> Iterator[None]:
    """Say which statement failed."""
    try:
        yield
    except DatabaseError as error:
        raise DatabaseError(error.kind, f"statement {number}: {error.message}") from error
