"""What is told of a setting: its key, what it may be, and its value as text. Pure.

A setting in a table has a key with a dot, as `jwt.issuer`. A secret, by its type, is never told, and neither is what
somebody gave for it in vain.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from flightserver.settings import LIVE, Settings

UNTOLD = "…"
NOT_SET = "none"


@cache
def fields_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """All settings by their keys, in the order of their declaration."""
    return dict(_fields(model, ""))


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner = _table(field)
        if inner is None:
            yield prefix + name, field
        else:
            yield from _fields(inner, f"{prefix}{name}.")


def is_live(key: str) -> bool:
    """Tell whether a setting can change while the server runs."""
    return key in LIVE


def is_secret(field: FieldInfo) -> bool:
    """Tell whether nobody is told a setting."""
    return SecretStr in _types(field)


def is_path(field: FieldInfo) -> bool:
    """Tell whether a setting names a place on the server's machine, which clients are not told."""
    return Path in _types(field)


def is_optional(field: FieldInfo) -> bool:
    """Tell whether a setting may be nothing."""
    return NoneType in _types(field)


def is_list(field: FieldInfo) -> bool:
    """Tell whether a setting has several values."""
    return any(get_origin(one) is tuple for one in _types(field))


def is_switch(field: FieldInfo) -> bool:
    """Tell whether a setting is true or false."""
    return bool in _types(field)


def value_of(settings: BaseModel, key: str) -> object:
    """The value of a setting; None where its table is not there."""
    found: object = settings
    for name in key.split("."):
        found = None if found is None else getattr(found, name)
    return found


def told(field: FieldInfo, value: object) -> str:
    """A value as text."""
    if value is None:
        return NOT_SET
    if is_secret(field) or isinstance(value, SecretStr):
        return UNTOLD
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | list):
        return ",".join(map(_text, value))
    return str(value)


def allowed(field: FieldInfo) -> str:
    """What a setting may be, in words: `a whole number from 0 to 65535`."""
    types = _types(field)
    kinds = [_kind(one, field) for one in types if one is not NoneType]
    return " or ".join([*kinds, *(["nothing"] if NoneType in types else [])])


def _kind(found: object, field: FieldInfo) -> str:
    if found is bool:
        return "true or false"
    if found in (int, float):
        return ("a whole number" if found is int else "a number") + _bounds(field)
    if found is Path:
        return "a path"
    if isinstance(found, type) and issubclass(found, Enum):
        return "one of " + ", ".join(str(one.value) for one in found)
    if get_origin(found) is Literal:
        return "one of " + ", ".join(get_args(found))
    if get_origin(found) is tuple:
        return "several, with commas between them, each " + _kind(get_args(found)[0], field)
    return "a text"


def _bounds(field: FieldInfo) -> str:
    """` from 0 to 65535`, ` above 0`, or nothing."""
    least = next((f" from {one.ge}" for one in field.metadata if isinstance(one, Ge)), "")
    above = next((f" above {one.gt}" for one in field.metadata if isinstance(one, Gt)), "")
    most = next((f" to {one.le}" for one in field.metadata if isinstance(one, Le)), "")
    below = next((f" below {one.lt}" for one in field.metadata if isinstance(one, Lt)), "")
    return (least or above) + (most or below or (" on" if least else ""))


def _types(field: FieldInfo) -> tuple[object, ...]:
    """The types of a setting's values."""
    found = field.annotation
    return get_args(found) if get_origin(found) in (Union, UnionType) else (found,)


def _table(field: FieldInfo) -> type[BaseModel] | None:
    """The settings in a table; None for a setting that is none."""
    return next((one for one in _types(field) if isinstance(one, type) and issubclass(one, BaseModel)), None)


def all_fields() -> Mapping[str, FieldInfo]:
    """The fields of `Settings`."""
    return fields_of(Settings)
