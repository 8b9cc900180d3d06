"""Copies between a frozen dataclass and the protobuf message whose fields have the same names.

A `Record` is built once per message type from the dataclass's annotations and the message's descriptor, and refuses to
be built when the two disagree, so a field can be neither forgotten nor misspelt. The annotations decide the rest:
`X | None` keeps "not given" apart; a dataclass without `| None` must be present; an enum accepts its members only
(a number that the enum leaves out, such as UNSPECIFIED, is INVALID); lists become tuples and maps read-only mappings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from types import MappingProxyType, NoneType
from typing import Any, Generic, Protocol, TypeVar, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol.wire import LIST_MESSAGE_SIZE_MAX, MESSAGE_SIZE_MAX, check_size, parse

LIST_LENGTH_MAX = 10_000
"""Longest list or map in a message. No client needs more, and each item costs an object."""

V = TypeVar("V")


class MessageForm(Protocol):
    """How a value stands in for a whole protobuf message."""

    def load(self, message: Any) -> Any:
        """Return the value of a parsed message."""

    def fill(self, message: Any, value: Any) -> None:
        """Copy a value into an empty message."""


SPECIAL_FORMS: dict[str, MessageForm] = {}
"""Message types, by full name, whose value is not a dataclass."""


@dataclass(frozen=True)
class _Field:
    """One field's way from message to value and back."""

    name: str
    load: Callable[[Any], Any]
    fill: Callable[[Any, Any], None]


class Record(Generic[V]):
    """The two directions between `value_type` and `message_type`."""

    def __init__(self, value_type: type[V], message_type: Any) -> None:
        descriptor = message_type.DESCRIPTOR
        hints = get_type_hints(value_type)
        names = [field.name for field in fields(value_type)]  # type: ignore[arg-type]
        if sorted(names) != sorted(descriptor.fields_by_name):
            raise TypeError(f"{value_type.__name__} and {descriptor.full_name} have different fields")
        self.value_type = value_type
        self.message_type = message_type
        self.type_name: str = descriptor.full_name
        self.size_max = LIST_MESSAGE_SIZE_MAX if _holds_lists(descriptor) else MESSAGE_SIZE_MAX
        self._fields = [_field(descriptor.fields_by_name[name], hints[name]) for name in names]

    def decode(self, data: bytes) -> V:
        """Return the value of encoded bytes; raise INVALID when they are damaged or too large."""
        check_size(f"a {self.message_type.DESCRIPTOR.name} message", data, self.size_max)
        return self.load(parse(self.message_type, data))

    def load(self, message: Any) -> V:
        """Return the value of a parsed message."""
        return self.value_type(**{field.name: field.load(message) for field in self._fields})

    def fill(self, message: Any, value: V) -> None:
        """Copy `value` into an empty message."""
        for field in self._fields:
            field.fill(message, getattr(value, field.name))

    def message(self, value: V) -> Any:
        """Return a new message that holds `value`; raise INVALID when a field cannot hold its value."""
        message = self.message_type()
        try:
            self.fill(message, value)
        except (TypeError, ValueError, AttributeError) as error:
            name = self.message_type.DESCRIPTOR.name
            raise DatabaseError(ErrorKind.INVALID, f"a {name} message cannot hold {error}") from None
        return message


def _holds_lists(descriptor: Any) -> bool:
    return any(
        field.is_repeated or (field.message_type is not None and _holds_lists(field.message_type))
        for field in descriptor.fields
    )


def _field(descriptor: FieldDescriptor, hint: Any) -> _Field:
    options = [option for option in get_args(hint) if option is not NoneType]
    optional = len(options) < len(get_args(hint))
    if get_origin(hint) is tuple:
        return _list_field(descriptor, options[0])
    if get_origin(hint) is Mapping:
        return _map_field(descriptor, options[1])
    plain = options[0] if optional else hint
    if descriptor.message_type is not None:
        return _message_field(descriptor, plain, optional)
    return _optional_field(descriptor) if optional else _scalar_field(descriptor, plain)


def _scalar_field(descriptor: FieldDescriptor, hint: Any) -> _Field:
    name = descriptor.name
    if not issubclass(hint, Enum):
        return _Field(
            name, lambda message: getattr(message, name), lambda message, value: setattr(message, name, value)
        )
    members = {member.value: member for member in hint}

    def load(message: Any) -> Any:
        number = getattr(message, name)
        if number not in members:
            known = ", ".join(member.name for member in hint)
            raise DatabaseError(ErrorKind.INVALID, f"{name} may not be {number}; give one of {known}")
        return members[number]

    return _Field(name, load, lambda message, value: setattr(message, name, value.value))


def _optional_field(descriptor: FieldDescriptor) -> _Field:
    name = descriptor.name

    def fill(message: Any, value: Any) -> None:
        if value is not None:
            setattr(message, name, value)

    return _Field(name, lambda message: getattr(message, name) if message.HasField(name) else None, fill)


def _message_form(descriptor: Any, hint: Any) -> MessageForm:
    special = SPECIAL_FORMS.get(descriptor.full_name)
    return special or Record(hint, GetMessageClass(descriptor))


def _message_field(descriptor: FieldDescriptor, hint: Any, optional: bool) -> _Field:
    name, form = descriptor.name, _message_form(descriptor.message_type, hint)

    def load(message: Any) -> Any:
        if message.HasField(name):
            return form.load(getattr(message, name))
        if optional:
            return None
        raise DatabaseError(ErrorKind.INVALID, f"{message.DESCRIPTOR.name} must have the field {name}")

    def fill(message: Any, value: Any) -> None:
        if value is not None:
            getattr(message, name).SetInParent()
            form.fill(getattr(message, name), value)

    return _Field(name, load, fill)


def _list_field(descriptor: FieldDescriptor, hint: Any) -> _Field:
    name = descriptor.name
    if not is_dataclass(hint):
        return _Field(
            name,
            lambda message: tuple(_bounded(name, getattr(message, name))),
            lambda message, value: getattr(message, name).extend(value),
        )
    form = _message_form(descriptor.message_type, hint)

    def fill(message: Any, value: Any) -> None:
        for item in value:
            form.fill(getattr(message, name).add(), item)

    return _Field(name, lambda message: tuple(form.load(item) for item in _bounded(name, getattr(message, name))), fill)


def _map_field(descriptor: FieldDescriptor, hint: Any) -> _Field:
    name = descriptor.name
    value_type = descriptor.message_type.fields_by_name["value"].message_type
    if value_type is None:
        return _Field(
            name,
            lambda message: MappingProxyType(dict(_bounded(name, getattr(message, name)))),
            lambda message, value: getattr(message, name).update(value),
        )
    form = _message_form(value_type, hint)

    def load(message: Any) -> Any:
        entries = _bounded(name, getattr(message, name))
        return MappingProxyType({key: form.load(entry) for key, entry in entries.items()})

    def fill(message: Any, value: Any) -> None:
        for key, item in value.items():
            getattr(message, name)[key].SetInParent()
            form.fill(getattr(message, name)[key], item)

    return _Field(name, load, fill)


def _bounded(name: str, container: Any) -> Any:
    if len(container) > LIST_LENGTH_MAX:
        raise DatabaseError(ErrorKind.INVALID, f"{name} has {len(container)} items; at most {LIST_LENGTH_MAX} are read")
    return container
