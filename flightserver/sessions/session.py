"""One client between its calls: options, transactions, temporary tables.

A transaction is named by the client (protocol), or is the session's own (SQL BEGIN). A statement without a name runs
in the session's own one. Streams, which some drivers never name a transaction for, and statements that were prepared
in a transaction that has ended, run in the one that the client has begun.

A transaction is the client's until the client ends it. One that ended otherwise (it was idle for too long, or its
commit lost against another) stays, and refuses whatever its client believes to be in it.
"""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from flightserver.access.login import Login
from flightserver.access.principal import Principal
from flightserver.access.rights import STATEMENTS
from flightserver.activity.entries import STREAMS, Kind
from flightserver.activity.ledger import Account, Ending, Kept, Ledger
from flightserver.activity.statement import RunningStatement
from flightserver.context import Context
from flightserver.database import Database
from flightserver.sessions.options import Limits, SessionOptions, Shown, read_option
from flightserver.sql.access_statements import AsUser
from flightserver.sql.parser import Parsed
from flightserver.temporary import TemporaryTables
from providers.commit.transaction import Phase, Transaction
from providers.stopping import Stop, never

TRANSACTION_ID_BYTES = 16
TRANSACTIONS_MAX = 1_000

_WOULD_BE_MISSED = (Kind.RESULT, Kind.PREPARED_STATEMENT, Kind.TEMPORARY_TABLE, *STREAMS)


class Session:
    """A session. Safe for use by many threads: drivers fetch on several connections.

    It `ends_with_connection` when its client shows that it keeps neither token nor cookie.
    """

    def __init__(self, database: Database, ledger: Ledger, login: Login, peer: str) -> None:
        self._database = database
        self.id = secrets.token_hex(8)
        self.login = login
        self.principal = login.principal
        self.account = ledger.account(self.user, self.id)
        self.peer = peer
        self.keys: tuple[str, ...] = ()
        self.ends_with_connection = False
        self.created_at = datetime.now(UTC)
        self.options = SessionOptions()
        self.temporary = TemporaryTables(self.account)
        self._lock = threading.Lock()
        self._named: dict[bytes, _Begun] = {}
        self._own: _Begun | None = None
        self._began_at = self._used_at = time.monotonic()
        self._running = 0
        self._closed = False

    @property
    def user(self) -> str:
        """The name of who is logged in."""
        return self.principal.actor.name

    @property
    def open_transactions(self) -> int:
        """How many transactions are open."""
        return len(self._begun())

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing would be lost with it."""
        untouched = self.options == SessionOptions() and not self.account.count(*_WOULD_BE_MISSED)
        return untouched and not self._named and self._own is None and not self._running

    @property
    def is_running(self) -> bool:
        """Tell whether a call runs."""
        return self._running > 0

    @property
    def idle_seconds(self) -> float:
        """How long no call has come, 0 while one runs."""
        return 0.0 if self._running else time.monotonic() - self._used_at

    @property
    def age_seconds(self) -> float:
        """How long ago it began."""
        return time.monotonic() - self._began_at

    @property
    def limits(self) -> Limits:
        """What its options are checked against."""
        own = self._own
        context = self.context(own.transaction if own is not None and own.is_open else None)
        settings = self._database.settings
        return Limits(context.door, settings.query_timeout_s, settings.cluster is not None)

    @property
    def timeout_s(self) -> float:
        """How long a statement may run; 0 where there is no limit."""
        return self.options.timeout_s(self._database.settings.query_timeout_s)

    def option(self, name: str, named: Transaction | None = None) -> str | float:
        """The value of an option, in a transaction that is named; NOT_FOUND when there is none of that name."""
        limit_s = self._database.settings.query_timeout_s
        return read_option(Shown(self.options, limit_s, self.is_read_only(named)), name)

    def enter(self) -> None:
        """A call begins."""
        with self._lock:
            self._running += 1
        self.account.begin_call()

    def leave(self) -> None:
        """A call has ended."""
        self.account.end_call()
        with self._lock:
            self._running -= 1
            self._used_at = time.monotonic()

    def acting_for(self, user: str) -> Principal:
        """Who is logged in, for a user; DENIED when they may not act for such a one."""
        return self.principal.acting_for(user, self._database.find_identity)

    def principal_of(self, parsed: Parsed) -> tuple[Principal, Parsed]:
        """Who a statement is of, and the statement without the words that say for whom it is."""
        statement = parsed.statement
        if not isinstance(statement, AsUser):
            return self.principal, parsed
        principal, inner = self.acting_for(statement.user), statement.statement
        if not STATEMENTS[type(inner)].for_another:
            raise DatabaseError(ErrorKind.INVALID, "AS USER is for statements about data and tables")
        return principal, replace(parsed, statement=inner)

    def context(
        self,
        transaction: Transaction | None,
        statement: RunningStatement | None = None,
        stop: Stop = never,
        *,
        principal: Principal | None = None,
    ) -> Context:
        """A statement's view, in a transaction or in none. One for another user has none of the session's tables."""
        is_own = principal is None or not principal.is_named
        return Context(
            principal or self.principal,
            transaction or self._database.autocommit,
            self.options.namespace,
            in_transaction=transaction is not None,
            temporary=self.temporary if is_own else TemporaryTables(),
            statement=statement,
            stop=stop,
            find_identity=self._database.find_identity,
            engine=self.options.engine,
        )

    def begin(self, peer: str) -> bytes:
        """Begin a transaction that the client names; return the name."""
        name = secrets.token_bytes(TRANSACTION_ID_BYTES)
        with self._lock:
            self._require_open()
            self._named = {key: begun for key, begun in self._named.items() if begun.is_open or not self._is_full}
            if self._is_full:
                raise DatabaseError(ErrorKind.RESOURCES, f"a session may have {TRANSACTIONS_MAX} open transactions")
            self._named[name] = _Begun(self.new_transaction(), peer)
        return name

    def new_transaction(self, *, read_only: bool | None = None) -> Transaction:
        """A transaction that is read only, or may write, as it is said, or else as the session's are."""
        return self._database.begin(read_only=self.options.read_only if read_only is None else read_only)

    def is_read_only(self, named: Transaction | None) -> bool:
        """Tell whether a statement may change nothing in its transaction, or because it is in none."""
        transaction = named or self.own()
        return self.options.read_only if transaction is None else transaction.read_only

    def begin_own(self, *, read_only: bool | None = None) -> None:
        """Begin the session's own transaction."""
        with self._lock:
            self._require_open()
            if self._own is not None:
                self._own.transaction.require_open()
                raise DatabaseError(ErrorKind.INVALID, "a transaction is open already; COMMIT or ROLLBACK it first")
            self._own = _Begun(self.new_transaction(read_only=read_only), "")

    def named(self, name: bytes) -> Transaction:
        """The transaction of that name, which may have ended; NOT_FOUND when there never was one."""
        with self._lock:
            begun = self._named.get(name)
        if begun is None:
            raise DatabaseError(ErrorKind.NOT_FOUND, "the transaction does not exist or has ended; begin another")
        begun.touch()
        return begun.transaction

    def of_prepared(self, name: bytes, peer: str) -> Transaction | None:
        """The transaction for a statement that was prepared in one: that one, or when it has ended the open one."""
        with self._lock:
            known = name in self._named
        return self.named(name) if known else self.joined(peer)

    def own(self) -> Transaction | None:
        """The session's own transaction, from BEGIN until COMMIT or ROLLBACK; it may have ended otherwise."""
        begun = self._own
        if begun is None:
            return None
        begun.touch()
        return begun.transaction

    def joined(self, peer: str) -> Transaction | None:
        """The client's transaction that a stream without a name joins; None when the session's own one has begun."""
        with self._lock:
            if self._own is not None:
                return None
            begun = list(self._named.values())
        here = [candidate for candidate in begun if candidate.peer == peer]
        candidates = here if len(begun) > 1 else begun
        if len(candidates) > 1 or (begun and not candidates):
            raise DatabaseError(
                ErrorKind.INVALID, f"the session has {len(begun)} open transactions; name the one that is meant"
            )
        if not candidates:
            return None
        candidates[0].touch()
        return candidates[0].transaction

    @contextmanager
    def statement_in(self, transaction: Transaction | None) -> Iterator[None]:
        """Run a statement in a transaction, or in the session's own one: it is on the ledger from its first one on."""
        with self._lock:
            known = [*self._named.values(), *([self._own] if self._own else [])]
        found = next(
            (b for b in known if b.transaction is transaction or (transaction is None and b is self._own)), None
        )
        try:
            if found is None or not found.is_open:
                yield
            else:
                with found.in_use(self.account):
                    yield
        finally:
            if self.temporary.tables:
                self.temporary.note_sizes(self._size_of)

    def entered(self, named: Transaction | None) -> Transaction | None:
        """The transaction that a statement runs in, which may be named; NOT_FOUND when it has ended."""
        transaction = named or self.own()
        if transaction is not None:
            transaction.require_open()
        return transaction

    def end_own(self, *, commits: bool) -> None:
        """End the session's own transaction; whatever comes of it, the next statement is in none."""
        with self._lock:
            begun, self._own = self._own, None
        if begun is None:
            raise DatabaseError(ErrorKind.INVALID, "no transaction is open; begin one with BEGIN")
        if commits:
            begun.transaction.commit()
        else:
            begun.transaction.rollback()

    def end(self, name: bytes, *, commits: bool) -> None:
        """End a transaction. One whose commit failed stays known until the client rolls it back, as drivers do."""
        transaction = self.named(name)
        with self.statement_in(transaction):
            if commits:
                transaction.commit()
            else:
                transaction.rollback()
        with self._lock:
            del self._named[name]

    def begin_savepoint(self, transaction_id: bytes, name: str) -> bytes:
        """Mark a point in a transaction; return its id, which holds the transaction's and is unique in it."""
        unique = f"{name}.{secrets.token_hex(TRANSACTION_ID_BYTES)}"
        transaction = self.named(transaction_id)
        with self.statement_in(transaction):
            transaction.savepoint(unique)
        return transaction_id + unique.encode()

    def end_savepoint(self, savepoint_id: bytes, *, releases: bool) -> None:
        """Forget a savepoint, or return to it."""
        transaction = self.named(savepoint_id[:TRANSACTION_ID_BYTES])
        name = savepoint_id[TRANSACTION_ID_BYTES:].decode(errors="replace")
        with self.statement_in(transaction):
            if releases:
                transaction.release(name)
            else:
                transaction.rollback_to(name)

    def close(self) -> None:
        """End everything that belongs to the session; nothing new begins in it."""
        with self._lock:
            self._closed = True
        self.account.close()
        for begun in self._begun():
            begun.transaction.rollback()
        with self._lock:
            self._named.clear()
            self._own = None
        for table in self.temporary.close():
            self._database.store.drop_table(table)

    def _size_of(self, table: TableDef) -> int:
        """Memory that a temporary table's rows take."""
        return sum(self._database.store.snapshot(table, None).hot.parts().values())

    def _require_open(self) -> None:
        """A call that was on its way while the session ended must not begin what nobody would end."""
        if self._closed:
            raise DatabaseError(ErrorKind.UNAVAILABLE, "the session was closed; connect again")

    @property
    def _is_full(self) -> bool:
        return len(self._named) >= TRANSACTIONS_MAX

    def _begun(self) -> "list[_Begun]":
        with self._lock:
            begun = [*self._named.values(), *([self._own] if self._own else [])]
        return [one for one in begun if one.is_open]


_PHASES = {Ending.UNUSED: Phase.EXPIRED, Ending.NO_ROOM: Phase.DISPLACED}


class _Begun:
    """A transaction, and the connection that began it. It is on the ledger while it holds something."""

    def __init__(self, transaction: Transaction, peer: str) -> None:
        self.transaction = transaction
        self.peer = peer
        self._lock = threading.Lock()
        self._kept: Kept | None = None

    @property
    def is_open(self) -> bool:
        return self.transaction.phase is Phase.OPEN

    def touch(self) -> None:
        if self._kept is not None:
            self._kept.touch()

    @contextmanager
    def in_use(self, account: Account) -> Iterator[None]:
        """Run a statement in it."""
        with self._lock:
            if self._kept is None:
                self._kept = account.keep(Kind.TRANSACTION, self._end, measure=self.transaction.outlived)
            kept = self._kept
        try:
            with kept.in_use():
                yield
            self._note_size(kept)
        finally:
            if not self.is_open or not self.transaction.has_begun:  # it holds nothing any more, or nothing yet
                kept.let_go()
                self._kept = None

    def _note_size(self, kept: Kept) -> None:
        """Enter what it holds by now; one that holds more than it may is rolled back."""
        if self.is_open:
            try:
                kept.resize(self.transaction.nbytes)
            except DatabaseError as error:
                self.transaction.rollback(Phase.TOO_LARGE)
                raise DatabaseError(
                    ErrorKind.RESOURCES, f"the transaction {Phase.TOO_LARGE.value}; change less at a time"
                ) from error

    def _end(self, ending: Ending) -> None:
        self.transaction.rollback(_PHASES.get(ending, Phase.ROLLED_BACK))
