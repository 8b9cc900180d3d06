"""Actions about the session itself: transactions, savepoints, options, its end."""

from collections.abc import Callable, Mapping

from flightserver.activity.statements import Statements
from flightserver.protocol import actions, results
from flightserver.protocol.flight import CloseStatus, SessionOptionError, SessionValue
from flightserver.service.call import Call
from flightserver.sessions.directory import Sessions
from flightserver.sessions.options import is_option, option_names, with_option
from flightserver.sessions.session import Session


class SessionActions:
    """Carries out actions. They need no place at the gate: a full server can still end what it holds."""

    def __init__(self, sessions: Sessions, statements: Statements) -> None:
        self._sessions = sessions
        self._statements = statements
        self._handlers: dict[type, Callable[..., bytes | None]] = {
            actions.BeginTransaction: self._begin_transaction,
            actions.EndTransaction: self._end_transaction,
            actions.BeginSavepoint: self._begin_savepoint,
            actions.EndSavepoint: self._end_savepoint,
            actions.SetSessionOptions: self._set_options,
            actions.GetSessionOptions: self._get_options,
            actions.CloseSession: self._close,
        }

    def handles(self, action: actions.Action) -> bool:
        """Tell whether `run` takes the action."""
        return type(action) in self._handlers

    def run(self, action: actions.Action, call: Call) -> bytes | None:
        """Carry out an action; return its result's body, or None when there is none."""
        return self._handlers[type(action)](action, call)

    def _begin_transaction(self, _: actions.BeginTransaction, call: Call) -> bytes:
        return results.encode_begin_transaction_result(call.session.begin(call.peer))

    def _end_transaction(self, action: actions.EndTransaction, call: Call) -> None:
        call.session.end(action.transaction_id, commits=action.action is actions.TransactionEnd.COMMIT)

    def _begin_savepoint(self, action: actions.BeginSavepoint, call: Call) -> bytes:
        return results.encode_begin_savepoint_result(call.session.begin_savepoint(action.transaction_id, action.name))

    def _end_savepoint(self, action: actions.EndSavepoint, call: Call) -> None:
        call.session.end_savepoint(action.savepoint_id, releases=action.action is actions.SavepointEnd.RELEASE)

    def _set_options(self, action: actions.SetSessionOptions, call: Call) -> bytes:
        return results.encode_set_session_result(_set_options(call.session, action.session_options))

    def _get_options(self, _: actions.GetSessionOptions, call: Call) -> bytes:
        return results.encode_get_session_result({name: call.session.option(name) for name in option_names()})

    def _close(self, _: actions.CloseSession, call: Call) -> bytes:
        self._statements.cancel_all(call.session.id, "the session was closed")
        self._sessions.close(call.session)
        return results.encode_close_session_result(CloseStatus.CLOSED)


def _set_options(session: Session, options: Mapping[str, SessionValue]) -> dict[str, SessionOptionError]:
    """Set options; return the names that there are not. A value that cannot be is an error of the whole call."""
    after = session.options
    errors = {}
    for name, value in options.items():
        if is_option(name):
            after = with_option(after, name, value, session.limits)
        else:
            errors[name] = SessionOptionError.INVALID_NAME
    session.options = after
    return errors
