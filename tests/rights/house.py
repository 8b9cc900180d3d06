"""A server's inside without its wire: users of every role, and every way in which their statements come."""

import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from catalog.errors import DatabaseError
from catalog.roles import Identity, Role
from flightserver.access.login import Login
from flightserver.access.login_queue import LoginQueue
from flightserver.access.logins import Logins
from flightserver.access.passwords import Passwords
from flightserver.activity.gate import Gate, GateLimits
from flightserver.activity.ledger import Ledger
from flightserver.activity.limits import ledger_limits
from flightserver.activity.statements import Statements
from flightserver.database import Database
from flightserver.execution.executor import Executor
from flightserver.protocol import actions, commands
from flightserver.protocol.commands import IfExists, IfNotExist, StatementIngest, TableDefinitionOptions
from flightserver.protocol.generated import flight_sql_pb2 as pb
from flightserver.protocol.wire import unwrap
from flightserver.service.call import Call
from flightserver.service.service import Service
from flightserver.service.table_load import Stream
from flightserver.sessions.accounts import Accounts
from flightserver.sessions.directory import Sessions
from flightserver.sessions.session import Session
from flightserver.sessions.system_tables import Watched, system_tables
from flightserver.settings import Settings
from providers.stopping import never

NO_COLUMNS = pa.schema([])


@dataclass(frozen=True)
class Answer:
    """What came of a call: rows as a table, a count, or the kind and the line of an error."""

    rows: pa.Table | None = None
    affected: int | None = None
    error: str | None = None

    def in_any_order(self) -> "Answer":
        """The same with its rows in an order that says nothing of how they were read."""
        if self.rows is None:
            return self
        order = sorted(range(self.rows.num_rows), key=lambda row: repr(self.rows.slice(row, 1).to_pylist()))
        return replace(self, rows=self.rows.take(pa.array(order, pa.int64())))

    def __str__(self) -> str:
        shown = "" if self.rows is None else f"{self.rows.schema} {self.rows.to_pylist()}"
        return f"{shown} {self.affected} {self.error}"


@dataclass(eq=False)
class House:
    """An open data folder with a service over it. `people` are its users by name; `settings` are those it needs."""

    folder: Path
    people: Mapping[str, Role]
    disabled: set[str] = field(default_factory=set)
    settings: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = Settings(data_dir=self.folder, compaction=False, password_memory_kib=8, password_passes=1)
        settings = settings.model_copy(update=dict(self.settings))
        self.database = Database(settings)
        self.database.find_identity = self._find
        self.ledger = Ledger(ledger_limits(settings))
        passwords = Passwords(settings)
        logins = Logins(self.database.users, passwords, LoginQueue(settings.logins_at_once), self.database.audit_log)
        sessions, statements = Sessions(self.database, self.ledger, logins), Statements()
        gate = Gate(GateLimits(64, 64, 64, 10.0))
        watched = Watched(self.database, sessions, statements, self.ledger, gate)
        executor = Executor(self.database, system_tables(watched))
        self.service = Service(
            self.database,
            executor,
            sessions,
            statements,
            gate,
            Accounts(self.database, passwords, sessions, statements),
        )

    def _find(self, name: str) -> Identity | None:
        role = self.people.get(name)
        return None if role is None or name in self.disabled else Identity(name, role)

    def person(self, name: str) -> "Person":
        """A session of a user."""
        return Person(self, Session(self.database, self.ledger, Login(Identity(name, self.people[name])), name))

    def close(self) -> None:
        """Give the folder back."""
        gc.collect()
        self.database.close()


class Person:
    """A user at work."""

    def __init__(self, house: House, session: Session) -> None:
        self._service = house.service
        self.session = session
        self.call = Call(session, session.user)

    def query(self, sql: str) -> Answer:
        """A text on the query path."""
        return self._read(commands.StatementQuery(sql))

    def update(self, sql: str) -> Answer:
        """A text on the update path."""
        return _tried(lambda: self._put(commands.StatementUpdate(sql), None))

    def prepared(self, sql: str, bound: pa.Table | None = None) -> Answer:
        """A prepared statement, with one row of parameters or more."""

        def run() -> Answer:
            made = self._opened(actions.CreatePreparedStatement(sql), pb.ActionCreatePreparedStatementResult)
            handle = made.prepared_statement_handle
            if made.dataset_schema:
                if bound is not None:
                    self._service.put(
                        commands.PreparedStatementQuery(handle), self.call, _stream(bound, self.call.user)
                    )
                return self._fetched(commands.PreparedStatementQuery(handle))
            return self._put(commands.PreparedStatementUpdate(handle), bound)

        return _tried(run)

    def schema(self, sql: str) -> Answer:
        """GetSchema of a text: nothing runs."""
        return _tried(
            lambda: Answer(
                self._service.schema(commands.StatementQuery(sql), self.call).remove_metadata().empty_table()
            )
        )

    def substrait(self, plan: bytes) -> Answer:
        """A Substrait plan."""
        return self._read(commands.StatementSubstraitPlan(commands.SubstraitPlan(plan, "0.85.0")))

    def ingest(
        self,
        table: str,
        rows: pa.Table,
        if_exists: IfExists = IfExists.APPEND,
        if_missing: IfNotExist = IfNotExist.FAIL,
        schema: str | None = None,
        **options: str,
    ) -> Answer:
        """A stream of rows."""
        mode = TableDefinitionOptions(if_missing, if_exists)
        return _tried(lambda: self._put(StatementIngest(table, mode, schema=schema, options=options), rows))

    def read(self, command: commands.Command) -> Answer:
        """What a command's ticket has."""
        return self._read(command)

    def ask(self, command: commands.Command) -> Answer:
        """A metadata command."""
        return _tried(lambda: self._read_ticket(command))

    def ticket(self, sql: str) -> commands.Command:
        """What fetches the result of a statement that has run."""
        return self._service.describe(commands.StatementQuery(sql), self.call).ticket

    def described(self, command: commands.Command) -> Answer:
        """GetSchema of a command."""
        return _tried(lambda: Answer(self._service.schema(command, self.call).empty_table()))

    def prepare(self, sql: str) -> bytes:
        """The handle of a prepared statement."""
        return self._opened(
            actions.CreatePreparedStatement(sql), pb.ActionCreatePreparedStatementResult
        ).prepared_statement_handle

    def begin(self) -> bytes:
        """The id of a transaction."""
        return bytes(self._opened(actions.BeginTransaction(), pb.ActionBeginTransactionResult).transaction_id)

    def act(self, action: actions.Action) -> Answer:
        """An action."""

        def run() -> Answer:
            self._service.act(action, self.call)
            return Answer()

        return _tried(run)

    def put(self, command: commands.Command, rows: pa.Table | None = None) -> Answer:
        """DoPut."""
        return _tried(lambda: self._put(command, rows))

    def flights(self) -> list[tuple[str, str]]:
        """ListFlights."""
        return [name for name, _ in self._service.list_flights(self.call)]

    def ok(self, sql: str) -> list[dict[str, object]]:
        """Run what must not fail; return its rows."""
        answer = self.query(sql)
        assert answer.error is None, f"{sql}: {answer.error}"
        assert answer.rows is not None
        return answer.rows.to_pylist()

    def tuples(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of what must not fail, without the names of their columns."""
        return [tuple(row.values()) for row in self.ok(sql)]

    def refused(self, sql: str) -> str:
        """Run what must fail; return its error."""
        answer = self.query(sql)
        assert answer.error is not None, f"{sql} gave {answer}"
        return answer.error

    def _opened(self, action: actions.Action, kind: Any) -> Any:
        opened = unwrap(self._service.act(action, self.call) or b"")
        assert opened is not None
        return kind.FromString(opened[1])

    def _read(self, command: commands.Command) -> Answer:
        return _tried(lambda: self._fetched(command))

    def _fetched(self, command: commands.Command) -> Answer:
        return self._read_ticket(self._service.describe(command, self.call).ticket)

    def _read_ticket(self, command: commands.Command) -> Answer:
        rows = self._service.fetch(command, self.call)
        return Answer(pa.Table.from_batches(list(rows.start(never)), rows.schema))

    def _put(self, command: commands.Command, rows: pa.Table | None) -> Answer:
        answer = self._service.put(command, self.call, _stream(rows, self.call.user))
        return Answer(affected=pb.DoPutUpdateResult.FromString(answer).record_count)


def _stream(rows: pa.Table | None, user: str) -> Stream:
    batches: Iterator[pa.RecordBatch] = iter([] if rows is None else rows.to_batches())
    return Stream(lambda: NO_COLUMNS if rows is None else rows.schema, batches, user)


def _tried(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except DatabaseError as error:
        return Answer(error=f"{error.kind.name}: {error.message}")
