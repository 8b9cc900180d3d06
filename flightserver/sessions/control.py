"""Statements about the session itself: transactions, settings, and ending what runs."""

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.statements import Statements
from flightserver.execution.rows import Affected, Rows, client_schema
from flightserver.sessions.directory import Sessions
from flightserver.sessions.options import described_option, option_names, with_option
from flightserver.sessions.session import Session
from flightserver.sql.server_statements import KillJob, KillQuery, KillSession
from flightserver.sql.statements import (
    Begin,
    Commit,
    Release,
    ResetOption,
    Rollback,
    Savepoint,
    SetOption,
    SetTransaction,
    ShowOption,
    Statement,
    UseNamespace,
)
from flush.jobs.jobs import Jobs, no_such_job
from providers.commit.transaction import Transaction

_DONE = Affected(0)
_ALL = "all"
_SETTINGS = client_schema(pa.schema([(name, pa.string()) for name in ("name", "setting", "description")]))


class Control:
    """Runs statements about sessions. They need no place at the gate: a full server can still be told to stop."""

    def __init__(self, sessions: Sessions, statements: Statements, jobs: Jobs) -> None:
        self._sessions = sessions
        self._statements = statements
        self._jobs = jobs
        self._handlers: dict[type[Statement], Callable[..., Affected | Rows]] = {
            Begin: self._begin,
            Commit: self._commit,
            Rollback: self._rollback,
            Savepoint: self._savepoint,
            Release: self._release,
            SetOption: self._set,
            SetTransaction: self._set_transaction,
            ResetOption: self._reset,
            ShowOption: self._show,
            UseNamespace: self._use,
            KillQuery: self._kill_query,
            KillSession: self._kill_session,
            KillJob: self._kill_job,
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def run(self, statement: Statement, session: Session, named: Transaction | None) -> Affected | Rows:
        """Run a statement; `named` is the transaction that the client sent with it."""
        return self._handlers[type(statement)](statement, session, named)

    def schema(self, statement: Statement) -> pa.Schema | None:
        """The columns of a statement's result, None when it has none."""
        return _shown(statement) if isinstance(statement, ShowOption) else None

    def _begin(self, statement: Begin, session: Session, named: Transaction | None) -> Affected:
        if named is not None:
            raise DatabaseError(ErrorKind.INVALID, "a transaction is open already; commit or roll it back first")
        session.begin_own(read_only=statement.modes.read_only)
        return _DONE

    def _set_transaction(self, statement: SetTransaction, session: Session, named: Transaction | None) -> Affected:
        read_only = statement.modes.read_only
        if read_only is None:
            return _DONE
        if statement.lasts:
            session.options = replace(session.options, read_only=read_only)
            return _DONE
        transaction = _any(session, named)
        transaction.require_open()
        if transaction.read_only and not read_only and transaction.has_begun:
            raise DatabaseError(ErrorKind.INVALID, "a transaction may begin to write before its first statement only")
        transaction.read_only = read_only
        return _DONE

    def _commit(self, _: Commit, session: Session, named: Transaction | None) -> Affected:
        _refuse_named(named, "commit")
        session.end_own(commits=True)
        return _DONE

    def _rollback(self, statement: Rollback, session: Session, named: Transaction | None) -> Affected:
        if statement.savepoint is not None:
            _any(session, named).rollback_to(statement.savepoint)
        else:
            _refuse_named(named, "rollback")
            session.end_own(commits=False)
        return _DONE

    def _savepoint(self, statement: Savepoint, session: Session, named: Transaction | None) -> Affected:
        _any(session, named).savepoint(statement.name)
        return _DONE

    def _release(self, statement: Release, session: Session, named: Transaction | None) -> Affected:
        _any(session, named).release(statement.name)
        return _DONE

    def _set(self, statement: SetOption, session: Session, _: Transaction | None) -> Affected:
        session.options = with_option(session.options, statement.name, statement.value, session.limits)
        return _DONE

    def _reset(self, statement: ResetOption, session: Session, _: Transaction | None) -> Affected:
        for name in option_names(settable=True) if statement.name == _ALL else [statement.name]:
            session.options = with_option(session.options, name, None, session.limits)
        return _DONE

    def _show(self, statement: ShowOption, session: Session, named: Transaction | None) -> Rows:
        schema = _shown(statement)
        if statement.name != _ALL:
            return Rows.of_table(pa.table([[str(session.option(statement.name, named))]], schema=schema))
        names = option_names()
        values = [str(session.option(name, named)) for name in names]
        return Rows.of_table(pa.table([names, values, [described_option(name) for name in names]], schema=schema))

    def _use(self, statement: UseNamespace, session: Session, _: Transaction | None) -> Affected:
        session.options = with_option(session.options, "schema", statement.name, session.limits)
        return _DONE

    def _kill_query(self, statement: KillQuery, session: Session, _: Transaction | None) -> Affected:
        doomed = self._statements.get(statement.number)
        if not session.principal.may_see(doomed.user) and doomed.actor != session.user:
            raise DatabaseError(ErrorKind.NOT_FOUND, f"query {statement.number} does not exist; see system.queries")
        return Affected(int(doomed.cancel(f"query {statement.number} was killed by {session.user}")))

    def _kill_session(self, statement: KillSession, session: Session, _: Transaction | None) -> Affected:
        doomed = self._sessions.get(statement.session_id)
        if not session.principal.may_see(doomed.user):
            raise DatabaseError(
                ErrorKind.NOT_FOUND, f"session {statement.session_id} does not exist; see system.sessions"
            )
        self._statements.cancel_all(doomed.id, f"the session was killed by {session.user}")
        self._sessions.cut_off(doomed)
        return Affected(1)

    def _kill_job(self, statement: KillJob, session: Session, _: Transaction | None) -> Affected:
        doomed = self._jobs.find(statement.job_id)
        if not session.principal.may_see_job(doomed.asked_by):
            raise no_such_job(statement.job_id)
        return Affected(int(self._jobs.cancel(doomed, f"killed by {session.user}")))


def _refuse_named(named: Transaction | None, how: str) -> None:
    if named is not None:
        raise DatabaseError(
            ErrorKind.INVALID, f"the client library opened this transaction; end it with the connection's {how}()"
        )


def _shown(statement: ShowOption) -> pa.Schema:
    """The columns of what is shown: one setting is a column of its name."""
    return _SETTINGS if statement.name == _ALL else client_schema(pa.schema([(statement.name, pa.string())]))


def _any(session: Session, named: Transaction | None) -> Transaction:
    found = named or session.own()
    if found is None:
        raise DatabaseError(ErrorKind.INVALID, "no transaction is open; begin one with BEGIN")
    return found
