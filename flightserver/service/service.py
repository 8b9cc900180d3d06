"""Commands and actions of Flight SQL, carried out. Knows sessions, handles and statements; knows nothing of Flight.

A query is planned when its FlightInfo is asked for and runs when its ticket is redeemed. A change that arrives on the
query path runs in GetFlightInfo, once; its ticket yields the count of rows that it affected.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from flightserver.access.auditing import COMMITTED, deed_of, ingest_deed
from flightserver.access.principal import Principal
from flightserver.access.read_only import refuse_change, refuse_ingest
from flightserver.access.rights import Use
from flightserver.activity.entries import Kind
from flightserver.activity.gate import Access, Gate, no_access
from flightserver.activity.statement import StatementState
from flightserver.activity.statements import Statements
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.executor import Executor, Prepared
from flightserver.execution.rows import Affected, Rows, until
from flightserver.protocol import actions, commands, results
from flightserver.protocol.commands import Command
from flightserver.protocol.substrait import readable_plan
from flightserver.service.bounds import Bounds
from flightserver.service.call import Call
from flightserver.service.catalog_info import describe_catalog, server_facts
from flightserver.service.delivery import Delivery
from flightserver.service.handles import Handles, Held
from flightserver.service.outcomes import AFFECTED_SCHEMA, Pending, Result
from flightserver.service.recording import Hidden, Recorder, deed_on_table, is_audited
from flightserver.service.script import run_script
from flightserver.service.session_actions import SessionActions
from flightserver.service.streams import ClientStream
from flightserver.service.table_load import AS_USER_OPTION, Stream, TableLoad, is_for_another
from flightserver.sessions.accounts import Accounts
from flightserver.sessions.control import Control
from flightserver.sessions.directory import Sessions
from flightserver.sessions.session import Session
from flightserver.settings import Settings
from flightserver.sql.access_statements import AsUser
from flightserver.sql.meaning.bounded_work import BOUNDING, QUADRATIC
from flightserver.sql.parser import Parsed, parse_numbered
from flightserver.sql.statements import Insert, Merge, SubstraitQuery, TableRead, TableRef, Update
from providers.commit.idempotency import Idempotency
from providers.commit.request import Request
from providers.commit.transaction import Transaction
from providers.stopping import first_of

SUBSTRAIT_TEXT = "a Substrait plan"

PREPARED_BYTES = 4
"""A prepared statement takes about so many bytes for each character of its text."""


@dataclass
class PreparedHandle:
    """A prepared statement, the transaction it was prepared in, and the parameters that were bound last."""

    text: str
    prepared: Prepared
    transaction_id: bytes | None
    bound: pa.Table | None = None


class Service:
    """The protocol's meaning."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        sessions: Sessions,
        statements: Statements,
        gate: Gate,
        accounts: Accounts,
    ) -> None:
        self._accounts = accounts
        self._executor = executor
        self._sessions = sessions
        self._statements = statements
        self._gate = gate
        self._recorder = Recorder(database.audit_log)
        self._control = Control(sessions, statements, database.jobs)
        self._session_actions = SessionActions(sessions, statements)
        self._load = TableLoad(database, executor.ddl, executor.dml.guard)
        self._database = database
        self._bounds = Bounds(database)
        self._delivery = Delivery(database, gate, self._bounds)
        self._prepared: Handles[PreparedHandle] = Handles(Kind.PREPARED_STATEMENT)

    @property
    def _settings(self) -> Settings:
        return self._database.settings

    def describe(self, command: Command, call: Call) -> Pending:
        """GetFlightInfo: the schema of a command's result, and what its ticket says."""
        match command:
            case commands.PlainSql(text):
                return self._delivery.pending(self._run_text(text, None, call), call)
            case commands.StatementQuery(text, transaction_id):
                return self._delivery.pending(self._run_text(text, transaction_id, call), call)
            case commands.StatementSubstraitPlan(plan, transaction_id):
                return self._delivery.pending(self._run_substrait(plan, transaction_id, call), call)
            case commands.PreparedStatementQuery(handle):
                return self._delivery.pending(self._run_prepared(handle, None, call), call)
            case _:
                return Pending(self._described(command, call).schema, command)

    def schema(self, command: Command, call: Call) -> pa.Schema:
        """GetSchema: the schema alone; nothing runs."""
        match command:
            case commands.PlainSql(text):
                return self._prepare(parse_numbered(text), text, None, call).schema or AFFECTED_SCHEMA
            case commands.StatementQuery(text, transaction_id):
                return self._prepare(parse_numbered(text), text, transaction_id, call).schema or AFFECTED_SCHEMA
            case commands.StatementSubstraitPlan(plan, transaction_id):
                return self._prepare(_substrait(plan), SUBSTRAIT_TEXT, transaction_id, call).schema or AFFECTED_SCHEMA
            case commands.PreparedStatementQuery(handle):
                return self._prepared.get(call.user, handle).item.prepared.schema or AFFECTED_SCHEMA
            case _:
                return self._described(command, call).schema

    def fetch(self, command: Command, call: Call) -> Rows:
        """DoGet: the result of a ticket."""
        match command:
            case commands.TicketStatementQuery(handle):
                return self._delivery.fetched(handle, call)
            case commands.PlainSql(text):
                return self._delivery.watched(self._run_text(text, None, call), call)
            case commands.StatementQuery(text, transaction_id):
                return self._delivery.watched(self._run_text(text, transaction_id, call), call)
            case commands.PreparedStatementQuery(handle):
                return self._delivery.watched(self._run_prepared(handle, None, call), call)
            case _:
                return self._delivery.watched(Result(Rows.of_table(self._described(command, call))), call)

    def put(self, command: Command, call: Call, stream: Stream) -> bytes:
        """DoPut: carry out a change or bind parameters; return the answer's metadata."""
        with ClientStream(call, Kind.INCOMING_STREAM) as incoming:
            watched = replace(
                stream,
                opened=partial(incoming.awaited, stream.opened),
                batches=self._bounds.paced(call.user, incoming, stream.batches),
                note_buffered=incoming.note_buffered,
            )
            return self._put(command, call, watched, incoming)

    def _put(self, command: Command, call: Call, stream: Stream, incoming: ClientStream) -> bytes:
        match command:
            case commands.PlainSql(text):
                return results.encode_update_result(self._run_bound(text, stream, call).affected_rows())
            case commands.StatementUpdate(text, transaction_id):
                return results.encode_update_result(self._run_script(text, transaction_id, call))
            case commands.PreparedStatementUpdate(handle):
                return results.encode_update_result(self._run_prepared(handle, stream, call).affected_rows())
            case commands.PreparedStatementQuery(handle):
                self._bind(self._prepared.get(call.user, handle), stream)
                return results.encode_bind_result(handle)
            case commands.StatementIngest():
                return results.encode_update_result(self._ingest(command, call, stream, incoming))
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"{type(command).__name__} cannot be put")

    def act(self, action: actions.Action, call: Call) -> bytes | None:
        """DoAction: return the one result's body, or None when there is none."""
        if self._session_actions.handles(action):
            return self._session_actions.run(action, call)
        match action:
            case actions.CreatePreparedStatement(query, transaction_id):
                return self._create_prepared(parse_numbered(query), query, transaction_id, call)
            case actions.CreatePreparedSubstraitPlan(plan, transaction_id):
                return self._create_prepared(_substrait(plan), SUBSTRAIT_TEXT, transaction_id, call)
            case actions.ClosePreparedStatement(handle):
                self._prepared.remove(call.user, handle)
                return None
            case actions.CancelFlightInfo(info):
                return results.encode_cancel_flight_info_result(self._delivery.cancel(info, call))
            case actions.CancelQuery(info):
                return results.encode_cancel_query_result(self._delivery.cancel(info, call))
            case actions.RenewFlightEndpoint(endpoint):
                return results.encode_renew_result(self._delivery.renew(endpoint, call))
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"action {type(action).__name__} is not served")

    def list_flights(self, call: Call) -> Iterator[tuple[tuple[str, str], Pending]]:
        """Every table that the user may read: its name, and the command that reads it, which is its own ticket."""
        context = call.session.context(_seen(call))
        for table in context.door.tables(Use.DESCRIBE):
            name = table.name
            yield (name.namespace, name.table), Pending(table.schema, commands.rows_of(name))

    def _described(self, command: Command, call: Call) -> pa.Table:
        context = call.session.context(_seen(call))
        return describe_catalog(command, self._executor.reader, context, server_facts(self._settings), call.user_agent)

    def _run_text(self, text: str, transaction_id: bytes | None, call: Call) -> Result:
        parsed = parse_numbered(text)
        return self._run(parsed, text, _named(transaction_id, call), None, call)

    def _run_bound(self, text: str, stream: Stream, call: Call) -> Result:
        """Run a statement with the parameters that came with its text."""
        parsed = parse_numbered(text)
        bound = stream.parameters()
        return self._run(parsed, text, None, bound, call, stream.request(text, bound))

    def _run_script(self, text: str, transaction_id: bytes | None, call: Call) -> int:
        named = _named(transaction_id, call)

        def run(parsed: Parsed, one: str, transaction: Transaction | None) -> int:
            return self._run(parsed, one, transaction or named, None, call).affected_rows()

        return run_script(text, lambda: named or call.session.own(), call.session.new_transaction, run)

    def _run_substrait(self, plan: commands.SubstraitPlan, transaction_id: bytes | None, call: Call) -> Result:
        return self._run(_substrait(plan), SUBSTRAIT_TEXT, _named(transaction_id, call), None, call)

    def _create_prepared(self, parsed: Parsed, text: str, transaction_id: bytes | None, call: Call) -> bytes:
        try:
            prepared = self._prepare(parsed, text, transaction_id, call)
        except DatabaseError as error:
            # Drivers take UNIMPLEMENTED for "no prepared statements here" and lose the parameters.
            if error.kind is ErrorKind.UNSUPPORTED and parsed.parameter_count:
                raise DatabaseError(ErrorKind.INVALID, error.message) from error
            raise
        item = PreparedHandle(text, prepared, transaction_id)
        handle, _ = self._prepared.put(call.session.account, item, PREPARED_BYTES * len(text))
        is_update = prepared.schema is None
        return results.encode_prepared_result(handle, prepared.schema, prepared.parameters, is_update, call.user_agent)

    @staticmethod
    def _bind(held: Held[PreparedHandle], stream: Stream) -> None:
        """Bind a stream's parameters to a prepared statement; one that brings none leaves what was bound."""
        brought = stream.parameters()
        if brought is not None:
            stream.note_buffered(0)
            held.kept.resize(PREPARED_BYTES * len(held.item.text) + int(brought.nbytes))
            held.item.bound = brought

    def _run_prepared(self, handle: bytes, stream: Stream | None, call: Call) -> Result:
        """Run a prepared statement with the parameters of a stream, or else with those that were bound before."""
        held = self._prepared.get(call.user, handle).item
        brought = None if stream is None else stream.parameters()
        bound = held.bound if brought is None else brought
        request = None if stream is None else stream.request(held.text, bound)
        named = call.session.of_prepared(held.transaction_id, call.peer) if held.transaction_id else None
        return self._run(held.prepared.parsed, held.text, named, bound, call, request)

    def _run(
        self,
        parsed: Parsed,
        text: str,
        named: Transaction | None,
        bound: pa.Table | None,
        call: Call,
        request: Idempotency | None = None,
    ) -> Result:
        """Run a statement in the transaction that the client named, or in the session's own one, or in none.

        Changes have happened when this returns, rows are yet to be read.
        """
        session = call.session
        deed = deed_of(parsed.statement, text, session.principal, call.peer, session.id)
        hidden = Hidden()
        with self._recorder.failures(deed, hidden):
            principal, own = session.principal_of(parsed)
            refuse_change(principal, own.statement, in_read_only=session.is_read_only(named))
            if self._control.handles(parsed.statement):
                with session.statement_in(named):
                    outcome = self._control.run(parsed.statement, session, named)
                self._recorder.note(deed, outcome)
                return Result.of(outcome)

            def run(context: Context) -> Rows | Affected:
                if isinstance(own.statement, Insert | Update | Merge):
                    self._bounds.check_hot_rows(principal.user)
                written = deed or deed_on_table(own.statement, text, context, call)
                with self._recorder.failures(None if deed is not None else written, hidden):
                    brought = Request(request, None if written is None else written.note)
                    on_read = self._recorder.reads_of(text, context, call)
                    returned = partial(self._bounds.check_returned, principal.user)
                    watched = replace(
                        context, request=brought, on_read=on_read, on_hidden=hidden.note, on_returned=returned
                    )
                    outcome = self._statement(own, watched, bound)
                    if type(own.statement) not in COMMITTED:
                        self._recorder.note(deed, outcome)
                    return outcome

            access = self._access(own, session, principal)
            return self._carry_out(parsed.shown(text), named, call, run, access, principal=principal)

    def _statement(self, parsed: Parsed, context: Context, bound: pa.Table | None) -> Rows | Affected:
        if self._accounts.handles(parsed.statement):
            return self._accounts.run(parsed.statement, context)
        return self._executor.run(parsed, context, bound)

    def _ingest(self, command: commands.StatementIngest, call: Call, stream: Stream, incoming: ClientStream) -> int:
        named = _named(command.transaction_id, call) or call.session.joined(call.peer)

        refuse_ingest(call.session.principal, in_read_only=call.session.is_read_only(named))

        def load(context: Context) -> Affected:
            self._bounds.check_hot_rows(context.user)
            batches = until(context.stop, stream.batches)
            noted = replace(context, request=Request(note=deed.note), on_hidden=hidden.note)
            return Affected(self._load.run(command, noted, replace(stream, batches=batches)))

        text = f"ingest into {command.table}"
        user, hidden = command.options.get(AS_USER_OPTION), Hidden()
        deed = ingest_deed(command.table, user, call.session.principal, call.peer, call.session.id)
        context = call.session.context(named)
        name = TableName(command.schema or context.namespace, command.table)
        with self._recorder.failures(deed if is_for_another(command) or is_audited(name, context) else None, hidden):
            principal = call.session.principal if user is None else call.session.acting_for(user)
            return self._carry_out(text, named, call, load, incoming=incoming, principal=principal).affected_rows()

    def _carry_out(
        self,
        text: str,
        named: Transaction | None,
        call: Call,
        work: Callable[[Context], Rows | Affected],
        access: Callable[[], Access] = no_access,
        incoming: ClientStream | None = None,
        *,
        principal: Principal,
    ) -> Result:
        """Do some work as a statement: with a place at the gate, listed, in its transaction, until it must stop."""
        session = call.session
        with self._gate.statement(principal.user, access, call.stop) as place:
            transaction = session.entered(named)
            timeout = session.timeout_s
            running = self._statements.start(session.id, principal.user, session.user, text, timeout)
            if incoming is not None:
                incoming.attend(running, place)
            stop = first_of(running.interruption, call.stop)
            context = session.context(transaction, running, stop, principal=principal)
            with running.outcome(), session.statement_in(transaction):
                outcome = work(context)
            if isinstance(outcome, Affected):
                running.rows = outcome.rows
            running.enter(StatementState.FINISHED if isinstance(outcome, Affected) else StatementState.READY)
            return Result.of(outcome, running, access)

    def _prepare(self, parsed: Parsed, text: str, transaction_id: bytes | None, call: Call) -> Prepared:
        if self._control.handles(parsed.statement):
            return Prepared(parsed, pa.schema([]), self._control.schema(parsed.statement))
        if self._accounts.handles(parsed.statement):
            return Prepared(parsed, pa.schema([]), self._accounts.schema(parsed.statement))
        session = call.session
        for_another = isinstance(parsed.statement, AsUser)
        deed = deed_of(parsed.statement, text, session.principal, call.peer, session.id) if for_another else None
        with self._recorder.failures(deed):
            principal, own = session.principal_of(parsed)
        context = session.context(session.entered(_named(transaction_id, call)), stop=call.stop, principal=principal)
        return replace(self._executor.prepare(own, context), parsed=parsed)

    def _access(self, parsed: Parsed, session: Session, principal: Principal) -> Callable[[], Access]:
        """What a statement may use of the places that are kept."""

        def access() -> Access:
            if principal.is_admin:
                return Access.ADMIN
            context = session.context(None, principal=principal)
            return Access.ASKS_ABOUT_SERVER if self._executor.asks_about_server(parsed, context) else Access.NONE

        return access


def _substrait(plan: commands.SubstraitPlan) -> Parsed:
    readable = readable_plan(plan.plan, BOUNDING, QUADRATIC)
    reads = [
        TableRead(read.name, TableRef(read.table[-2] if len(read.table) > 1 else None, read.table[-1]), read.columns)
        for read in readable.reads
        if read.table
    ]
    return Parsed(SubstraitQuery(readable.plan, tuple(reads)), 0)


def _named(transaction_id: bytes | None, call: Call) -> Transaction | None:
    return call.session.named(transaction_id) if transaction_id else None


def _seen(call: Call) -> Transaction | None:
    """The transaction whose definitions metadata shows; drivers name none. Of several it is none."""
    own = call.session.own()
    try:
        return own or call.session.joined(call.peer)
    except DatabaseError:
        return None
