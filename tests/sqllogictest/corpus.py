"""The files of the corpus, and the records of a file as they are replayed here."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from tests.faults.records import Query, Record, Statement, records

FOLDER = Path(__file__).parents[2].parent / "shared" / "corpora" / "sqllogictest"
"""Beside the project, if anywhere: the files are data of others."""

US = "flightserver"
OF_INDEXES = ("CREATE INDEX", "CREATE UNIQUE INDEX", "DROP INDEX", "REINDEX")
"""Statements that change no answer, and that the server does not have."""

ROWS_MAX = 50
"""Rows that are inserted by one statement."""


def files() -> list[Path]:
    """The files that are there and not empty."""
    return sorted(file for file in FOLDER.glob("*.test") if file.stat().st_size)


def read(file: Path) -> list[Record]:
    """The records of a file that are meant for us, with rows that follow each other in one INSERT."""
    meant = (
        replace(record, sql=record.sql.replace(" UNIQUE", "")) if record.sql.startswith("CREATE TABLE") else record
        for record in records(file.read_text())
        if US not in record.skipped_by and (not record.only_for or US in record.only_for)
    )
    return list(_gathered([record for record in meant if not record.sql.upper().startswith(OF_INDEXES)]))


def _gathered(found: Sequence[Record]) -> Iterator[Record]:
    for head, run in groupby(found, _insert_head):
        members = list(run)
        if not head:
            yield from members
            continue
        for start in range(0, len(members), ROWS_MAX):
            some = members[start : start + ROWS_MAX]
            yield replace(some[0], sql=head + ", ".join(record.sql.removeprefix(head) for record in some))


def _insert_head(record: Record) -> str:
    """What stands in front of the row of an INSERT that must succeed; nothing for anything else."""
    if isinstance(record, Query) or record.fails or not record.sql.startswith("INSERT"):
        return ""
    head, values, _ = record.sql.partition("VALUES")
    return head + values if values else ""


def sampled(found: Sequence[Record], statements_max: int, queries_max: int, start: int) -> list[Record]:
    """The first statements, and of the queries between them so many, at regular distances from `start`."""
    kept: list[Record] = []
    statements = 0
    for record in found:
        statements += isinstance(record, Statement)
        if statements > statements_max:
            break
        kept.append(record)
    queries = [record for record in kept if isinstance(record, Query)]
    chosen = {query.line for query in queries[start :: max(1, len(queries) // queries_max)][:queries_max]}
    return [record for record in kept if isinstance(record, Statement) or record.line in chosen]


def runs(found: Sequence[Record]) -> Iterator[tuple[bool, list[Record]]]:
    """Statements that follow each other, and queries that do; each with whether they are statements."""
    for are_statements, run in groupby(found, lambda record: isinstance(record, Statement)):
        yield are_statements, list(run)
