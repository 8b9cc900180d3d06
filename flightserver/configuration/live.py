"""The settings as they are now: those that the server was started with, and above them what ALTER SYSTEM has set.

What is set is durable before it holds, and holds before the statement returns. Readers take `settings` once and keep
it: it is an immutable value. Whoever has to be told of changes is, in the order of the changes.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from catalog.errors import DatabaseError, ErrorKind
from catalog.setting_store import SettingStore
from catalog.store import Completion
from flightserver.configuration import described
from flightserver.configuration.sources import Configured, Given, configured, from_text, known
from flightserver.settings import Settings

ALTERED = "ALTER SYSTEM"
_WAY_OUT = "what ALTER SYSTEM has set is taken back by `flightserver config --reset KEY`"

Listener = Callable[[Settings], None]


@dataclass(frozen=True)
class Told:
    """A setting as clients see it: what it is, where from, what it may be, and whether it can change."""

    key: str
    value: str
    default: str
    origin: str
    allowed: str
    is_live: bool
    description: str


class LiveSettings:
    """The settings of a server that runs. Safe for use by many threads."""

    def __init__(self, started: Configured, store: SettingStore) -> None:
        self._started = started
        self._store = store
        self._changing = threading.Lock()
        self._listeners: list[Listener] = []
        self._altered = dict(store.all())
        try:
            self._now = self._with(self._altered)
        except DatabaseError as error:
            raise DatabaseError(error.kind, f"{error.message}; {_WAY_OUT}") from error

    @property
    def settings(self) -> Settings:
        """As of now."""
        return self._now.settings

    def tell(self, listener: Listener) -> None:
        """Call `listener` with the settings, now and after each change."""
        with self._changing:
            self._listeners.append(listener)
            listener(self._now.settings)

    def set(self, key: str, text: str, complete: Completion) -> None:
        """Change a setting, durably. INVALID names what it may be, or says that it needs a restart."""
        _refuse_fixed(key)
        with self._changing:
            altered = {**self._altered, key: text}
            after = self._with(altered)
            self._store.put(key, text, complete)
            self._publish(altered, after)

    def reset(self, key: str, complete: Completion) -> None:
        """Let a setting be again what the server was started with."""
        _refuse_fixed(key)
        with self._changing:
            altered = {other: text for other, text in self._altered.items() if other != key}
            after = self._with(altered)
            self._store.delete(key, complete)
            self._publish(altered, after)

    def listed(self) -> list[Told]:
        """All settings, without secrets and places on this machine."""
        now, defaults = self._now, configured({}).settings
        return [
            Told(
                key,
                _public(field, described.value_of(now.settings, key)),
                _public(field, described.value_of(defaults, key)),
                _public_origin(now.origin(key)),
                described.allowed(field),
                described.is_live(key),
                field.description or "",
            )
            for key, field in described.all_fields().items()
        ]

    def _with(self, altered: Mapping[str, str]) -> Configured:
        return self._started.with_given(altered_by(altered))

    def _publish(self, altered: dict[str, str], after: Configured) -> None:
        self._altered, self._now = altered, after
        for listener in self._listeners:
            listener(after.settings)


def altered_by(stored: Mapping[str, str]) -> dict[str, Given]:
    """What ALTER SYSTEM has set, by what the data folder has of it."""
    return {key: Given(from_text(known(key, ALTERED), text), ALTERED) for key, text in stored.items()}


def _refuse_fixed(key: str) -> None:
    known(key, ALTERED)
    if not described.is_live(key):
        raise DatabaseError(
            ErrorKind.INVALID,
            f"{key} needs a restart: set it in the settings file, the environment or a flag, and start the server anew",
        )


def _public_origin(origin: str) -> str:
    return "file" if origin.startswith("file ") else origin


def _public(field: FieldInfo, value: object) -> str:
    return described.UNTOLD if value is not None and described.is_path(field) else described.told(field, value)
