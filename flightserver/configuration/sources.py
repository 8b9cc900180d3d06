"""Where settings come from: defaults, the settings file, the environment, flags; what comes later wins.

Every value has its origin, which messages name. What is no setting is refused, wherever it stands. The only module that
reads the file; the environment and the flags are given by the command line, which alone looks at them.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from catalog.errors import DatabaseError, ErrorKind
from flightserver.configuration import described
from flightserver.settings import Settings

PREFIX = "FLIGHTSERVER_"
DOT = "__"
"""Stands for the dot of a key in the name of a variable."""

OF_CLIENTS = frozenset({f"{PREFIX}{name}" for name in ("URI", "USER", "PASSWORD", "TLS_CA", "TLS_CERT", "TLS_KEY")})
"""Variables of `flightserver sql` and `load`, which are no settings of a server."""

DEFAULT = "default"


@dataclass(frozen=True)
class Given:
    """A value that somebody gave for a setting, and where."""

    value: object
    origin: str


@dataclass(frozen=True)
class Configured:
    """The settings of a server, and by key where those come from that are no defaults."""

    settings: Settings
    given: Mapping[str, Given]

    @classmethod
    def by_program(cls, settings: Settings) -> "Configured":
        """Settings that a program has made by itself."""
        keys = [key for key in described.fields_of(Settings) if key.partition(".")[0] in settings.model_fields_set]
        return cls(settings, {key: Given(described.value_of(settings, key), "program") for key in keys})

    def origin(self, key: str) -> str:
        """Where a setting comes from."""
        found = self.given.get(key)
        return DEFAULT if found is None else found.origin

    def with_given(self, more: Mapping[str, Given]) -> "Configured":
        """The same with values that win over all others; INVALID when any is refused."""
        return configured({**self.given, **more})


def configure(
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
    assignments: Sequence[str] = (),
) -> Configured:
    """The settings from a file, variables, flags (by key; None is not given) and flags of the form `key=value`."""
    layers = (
        {} if path is None else _of_file(path),
        _of_environment(environment or {}),
        {key: Given(value, f"flag --{_dashed(key)}") for key, value in (flags or {}).items() if value is not None},
        dict(map(_assigned, assignments)),
    )
    return configured({key: given for layer in layers for key, given in layer.items()})


def configured(given: Mapping[str, Given]) -> Configured:
    """Settings with some values; INVALID names each that is refused, with its origin and what it may be."""
    return Configured(_checked(Settings, given), given)


def from_text(field: FieldInfo, text: str) -> object:
    """A value that stands in a text, as it is checked: several with commas between them, and nothing for none."""
    if not text and described.is_optional(field):
        return None
    return tuple(part.strip() for part in text.split(",")) if described.is_list(field) else text


def known(key: str, origin: str, model: type[BaseModel] = Settings) -> FieldInfo:
    """The field of a key; INVALID, with what is like it, when there is none."""
    fields = described.fields_of(model)
    if key not in fields:
        alike = get_close_matches(key, fields, 1)
        hint = f"; did you mean {alike[0]}?" if alike else ""
        raise _refused([f"there is no {key} ({origin}){hint}"])
    return fields[key]


def _checked(model: type[Settings], given: Mapping[str, Given]) -> Settings:
    fields = {key: known(key, one.origin, model) for key, one in given.items()}
    wrong = [_wrong(key, fields[key], one) for key, one in given.items() if _is_misplaced(fields[key], one.value)]
    if wrong:
        raise _refused(wrong)
    try:
        return model.model_validate(_nested({key: one.value for key, one in given.items()}))
    except ValidationError as error:
        raise _refused([_fault(fault, model, given) for fault in error.errors()]) from None


def _is_misplaced(field: FieldInfo, value: object) -> bool:
    """Tell whether a file has true or false where it counts as a number."""
    return isinstance(value, bool) and not described.is_switch(field)


def _fault(fault: ErrorDetails, model: type[Settings], given: Mapping[str, Given]) -> str:
    fields = described.fields_of(model)
    key = ".".join(str(part) for part in fault["loc"] if not isinstance(part, int))
    if key not in fields:
        return f"{key}: {fault['msg'].removeprefix('Value error, ')}"
    if key not in given:
        return f"{key} is missing; it must be {described.allowed(fields[key])}"
    return _wrong(key, fields[key], given[key])


def _wrong(key: str, field: FieldInfo, one: Given) -> str:
    shown = described.UNTOLD if described.is_secret(field) else repr(one.value)
    return f"{key} = {shown} ({one.origin}) must be {described.allowed(field)}"


def _refused(faults: Sequence[str]) -> DatabaseError:
    return DatabaseError(ErrorKind.INVALID, "settings: " + "; ".join(faults))


def _of_file(path: Path) -> dict[str, Given]:
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise DatabaseError(ErrorKind.INVALID, f"settings file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DatabaseError(ErrorKind.INVALID, f"settings file {path} is not TOML: {error}") from error
    return {key: Given(value, f"file {path}") for key, value in _flat(values, "")}


def _flat(values: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _nested(values: Mapping[str, object]) -> dict[str, object]:
    nested: dict[str, object] = {}
    for key, value in values.items():
        table, _, name = key.rpartition(".")
        place = nested.setdefault(table, {}) if table else nested
        assert isinstance(place, dict)  # noqa: S101 - tables have settings and no tables in them
        place[name] = value
    return nested


def _of_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """What variables give. Which one is no setting may be a secret put wrong, so its value is not told."""
    found = {}
    for name, text in environment.items():
        if name.startswith(PREFIX) and name not in OF_CLIENTS:
            key, origin = name.removeprefix(PREFIX).lower().replace(DOT, "."), f"environment {name}"
            found[key] = Given(from_text(known(key, origin), text), origin)
    return found


def _assigned(text: str) -> tuple[str, Given]:
    key, equals, value = text.partition("=")
    if not equals:
        raise _refused([f"--set takes key=value, not {key}"])
    origin = f"flag --set {key}"
    return key, Given(from_text(known(key, origin), value), origin)


def _dashed(key: str) -> str:
    return key.replace("_", "-")
