"""Statements about users and tokens. Each takes effect at once, durably, and ends sessions that rest on what changed.

Who may do what is asked of `access/users.py`, before it is said whether there is such a user.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.roles import Identity
from catalog.users import TokenDef, UserDef
from flightserver.access.belongings import refuse_owner, user_tables, without_grants_to
from flightserver.access.logins import TOKEN_PREFIX, token_hash
from flightserver.access.passwords import Passwords
from flightserver.access.user_limits import check_limit_name
from flightserver.access.users import UserAction, allows, manages_anybody, refusal
from flightserver.activity.statements import Statements
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.rows import Affected, Rows, client_schema
from flightserver.sessions.directory import Sessions
from flightserver.sql.access_statements import (
    AlterUser,
    CreateToken,
    CreateUser,
    DropToken,
    DropUser,
    SetLimit,
    SetPassword,
    SetRole,
    Switch,
)
from flightserver.sql.statements import Statement
from flush.truncate import truncate
from providers.commit.transaction import Transaction
from providers.stopping import POLL_SECONDS, check

_DONE = Affected(0)
_SECRET_BYTES = 32
_TOKEN = client_schema(pa.schema([("name", pa.string()), ("user", pa.string()), ("token", pa.string())]))
_ACTIONS = {
    SetPassword: UserAction.SET_PASSWORD,
    SetRole: UserAction.SET_ROLE,
    Switch: UserAction.SWITCH,
    SetLimit: UserAction.SET_LIMIT,
}


class Accounts:
    """Runs statements about users and tokens."""

    def __init__(self, database: Database, passwords: Passwords, sessions: Sessions, statements: Statements) -> None:
        self._database = database
        self._users = database.users
        self._passwords = passwords
        self._sessions = sessions
        self._statements = statements
        self._handlers: dict[type[Statement], Callable[..., Affected | Rows]] = {
            CreateUser: self._create,
            AlterUser: self._alter,
            DropUser: self._drop,
            CreateToken: self._create_token,
            DropToken: self._drop_token,
        }

    def handles(self, statement: Statement) -> bool:
        """Tell whether `run` takes the statement."""
        return type(statement) in self._handlers

    def run(self, statement: Statement, context: Context) -> Affected | Rows:
        """Run a statement."""
        if isinstance(context.work, Transaction) and context.work.has_begun:
            raise DatabaseError(
                ErrorKind.INVALID, "users and tokens are changed at once, so not in a transaction that has begun"
            )
        return self._handlers[type(statement)](statement, context)

    def schema(self, statement: Statement) -> pa.Schema | None:
        """The columns of a statement's result, None when it has none."""
        return _TOKEN if isinstance(statement, CreateToken) else None

    def _create(self, statement: CreateUser, context: Context) -> Affected:
        actor = context.principal.actor
        if not allows(actor.role, UserAction.CREATE, statement.role, own=False):
            raise refusal(actor, UserAction.CREATE, f"a {statement.role.value}")
        if statement.if_not_exists and self._users.find(statement.name) is not None:
            return _DONE
        secret = statement.password
        stored = None if secret is None else self._passwords.hash(secret.text)
        self._users.create(UserDef(statement.name, statement.role, stored), context.request.complete)
        return _DONE

    def _alter(self, statement: AlterUser, context: Context) -> Affected:
        actor, change = context.principal.actor, statement.change
        action = _ACTIONS[type(change)]
        self._managed(actor, action, statement.name)
        match change:
            case SetPassword(secret):
                stored = self._passwords.hash(secret.text)
                changed = self._users.change(
                    statement.name, lambda user: user.with_password(stored), context.request.complete
                )
                self._go_on(context, changed)
            case SetRole(role):
                if not allows(actor.role, action, role, own=False):
                    raise refusal(actor, UserAction.CREATE, f"a {role.value}")
                self._users.change(statement.name, lambda user: user.with_role(role), context.request.complete)
            case Switch(on):
                self._users.change(statement.name, lambda user: user.switched(on=on), context.request.complete)
            case SetLimit(name, value):
                check_limit_name(name)
                self._users.change(statement.name, lambda user: user.with_limit(name, value), context.request.complete)
        self._end_outdated(statement.name, context)
        return _DONE

    def _drop(self, statement: DropUser, context: Context) -> Affected:
        actor, name = context.principal.actor, statement.name
        if statement.if_exists and manages_anybody(actor.role) and self._users.find(name) is None:
            return _DONE
        user = self._managed(actor, UserAction.DROP, name)
        if name == actor.name:
            raise DatabaseError(ErrorKind.INVALID, "nobody drops themselves; let somebody else do it")
        self._users.refuse_last_system_user(name)
        refuse_owner(self._database.catalog.registry, name)
        if not statement.cascade:
            self._refuse_with_rows(name)
        self._users.change(name, lambda now: now.switched(on=False))
        self._end_outdated(name, context, waits=True)
        try:
            if statement.cascade:
                for table in self._owned(name):
                    truncate(self._database.store, self._database.store.state(table, name))
            else:
                self._refuse_with_rows(name)
        except DatabaseError:
            self._users.change(name, lambda now: now.switched(on=user.enabled))
            raise
        self._database.catalog.change(lambda registry: without_grants_to(registry, name))
        self._users.drop(name, context.request.complete)
        return _DONE

    def _create_token(self, statement: CreateToken, context: Context) -> Rows:
        user = self._managed(context.principal.actor, UserAction.CREATE_TOKEN, statement.user or context.user)
        secret = TOKEN_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        now = datetime.now(UTC)
        expires = None if statement.lifetime is None else now + statement.lifetime
        hashed = token_hash(secret)
        token = TokenDef(user.name, statement.name, hashed, statement.read_only, now, expires)
        self._users.create_token(token, context.request.complete)
        return Rows.of_table(pa.table([[statement.name], [user.name], [secret]], schema=_TOKEN))

    def _drop_token(self, statement: DropToken, context: Context) -> Affected:
        user = self._managed(context.principal.actor, UserAction.DROP_TOKEN, statement.user or context.user)
        self._users.drop_token(user.name, statement.name, context.request.complete)
        self._end_outdated(user.name, context)
        return _DONE

    def _managed(self, actor: Identity, action: UserAction, name: str) -> UserDef:
        """The user with whom somebody may do this; who manages nobody is not told whether there is one."""
        own = name == actor.name
        if not own and not manages_anybody(actor.role):
            raise refusal(actor, action, name)
        user = self._users.get(name)
        if not allows(actor.role, action, user.role, own=own):
            raise refusal(actor, action, name)
        return user

    def _go_on(self, context: Context, changed: UserDef) -> None:
        """Who has set their own password need not log in again where they did: they know it."""
        if context.statement is not None and changed.name == context.user:
            session = self._sessions.get(context.statement.session_id)
            if session.login.version is not None and session.login.token is None:
                session.login = replace(session.login, version=changed.version)

    def _end_outdated(self, name: str, context: Context, *, waits: bool = False) -> None:
        """End the sessions of a user that rest on what is not so any more, and with `waits` what still runs in them.

        The session that makes the change goes on until it has its answer.
        """
        ended = [session for session in self._sessions.listed(name) if not self._sessions.holds(session)]
        own = None if context.statement is None else context.statement.session_id
        for session in ended:
            if session.id != own:
                self._statements.cancel_all(session.id, f"the user {name} was changed or dropped")
                self._sessions.cut_off(session)
        while waits and any(session.is_running for session in ended):
            check(context.stop)
            time.sleep(POLL_SECONDS)

    def _owned(self, name: str) -> Iterator[TableDef]:
        """The tables in which somebody has rows of their own."""
        store = self._database.store
        tables = user_tables(self._database.catalog.registry)
        return (table for table in tables if store.snapshot(table, name).live_count > 0)

    def _refuse_with_rows(self, name: str) -> None:
        table = next(self._owned(name), None)
        if table is not None:
            raise DatabaseError(
                ErrorKind.INVALID,
                f"{name} has rows in USER tables, {table.name} among them; with CASCADE they are deleted along",
            )
