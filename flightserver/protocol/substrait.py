"""Substrait plans made readable for the engine.

DataFusion's consumer applies the `projection` of a read to bare table scans only, and our tables are more than that: a
union of scans. A read with a mask is therefore replaced by `project(read without a mask)`, which means the same. So is
it with the columns that a plan knows of a table, which may have gained others since: each read is given a name of its
own, for which the engine is shown the columns that the read expects.

Arguments of functions whose work grows with the square of them are checked first, as they are in texts. What the schema
in `substrait.proto` does not name passes through untouched.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol.generated import substrait_pb2 as pb
from flightserver.protocol.wire import LIST_MESSAGE_SIZE_MAX, check_size, parse, serialize

VERSION = "0.85.0"
"""The Substrait release that the engine speaks; plans of others are read as far as they agree with it."""


@dataclass(frozen=True)
class PlanRead:
    """A read of a plan: the name that the plan has for it now, its table's name, part by part, and its columns."""

    name: str
    table: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ReadablePlan:
    """A serialized plan without masked reads, and its reads of tables."""

    plan: bytes
    reads: tuple[PlanRead, ...]


def readable_plan(plan: bytes, bounding: str, bounded: Collection[str]) -> ReadablePlan:
    """The plan with every mask of a read as a projection; INVALID for bytes that are no plan.

    Functions that are `bounded` have their arguments in the function called `bounding`.
    """
    check_size("a Substrait plan", plan, LIST_MESSAGE_SIZE_MAX)
    message = parse(pb.Plan, plan)
    _bound(message, bounding, bounded)
    reads: list[PlanRead] = []
    for rel in _messages(message, pb.Rel):
        if not rel.HasField("read"):
            continue
        if rel.read.HasField("named_table"):
            reads.append(_named(rel.read, len(reads)))
        if rel.read.HasField("projection"):
            _unmask(rel)
    return ReadablePlan(serialize(message), tuple(reads))


def _messages(message: Any, kind: type) -> Iterator[Any]:
    """Every message of a kind, in a message and everything in it, from the inside out."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for child in list(value) if field.is_repeated else [value]:
            yield from _messages(child, kind)
    if isinstance(message, kind):
        yield message


def _named(read: Any, number: int) -> PlanRead:
    """Give a read a name of its own."""
    table = tuple(read.named_table.names)
    name = f"{table[-1] if table else ''} ({number})"
    read.named_table.names[:] = [name]
    return PlanRead(name, table, _column_names(read.base_schema))


def _column_names(schema: Any) -> tuple[str, ...]:
    """The names of a table's columns: `names` also holds those of fields inside structs, right behind theirs."""
    found, place = [], 0
    for column in schema.struct.types:
        found += schema.names[place : place + 1]
        place += 1 + _fields_within(column)
    return tuple(found)


def _fields_within(column: Any) -> int:
    """How many names the fields of structs within a type have."""
    match column.WhichOneof("kind"):
        case "struct":
            return sum(1 + _fields_within(field) for field in column.struct.types)
        case "list":
            return _fields_within(column.list.type)
        case "map":
            return _fields_within(column.map.key) + _fields_within(column.map.value)
    return 0


def _bound(plan: Any, bounding: str, bounded: Collection[str]) -> None:
    """Put the arguments of functions into another function."""
    declared = [item.extension_function for item in plan.extensions if item.HasField("extension_function")]
    wanted = {item.function_anchor for item in declared if _plain(item.name) in bounded}
    if not wanted:
        return
    anchor = max(item.function_anchor for item in declared) + 1
    plan.extensions.add().extension_function.MergeFrom(
        pb.SimpleExtensionDeclaration.ExtensionFunction(function_anchor=anchor, name=bounding)
    )
    for call in list(_messages(plan, pb.Expression.ScalarFunction)):
        for argument in call.arguments if call.function_reference in wanted else ():
            inner = pb.FunctionArgument()
            inner.CopyFrom(argument)
            argument.Clear()
            argument.value.scalar_function.function_reference = anchor
            argument.value.scalar_function.arguments.append(inner)


def _plain(name: str) -> str:
    """A function's name without the types of its arguments."""
    return name.rpartition(":")[0].lower() or name.lower()


def _unmask(rel: Any) -> None:
    """Turn `read(mask)` into `project(read)`, with the read's own order of output columns on top."""
    read = pb.ReadRel()
    read.CopyFrom(rel.read)
    items = read.projection.select.struct_items
    if any(item.HasField("child") for item in items):
        raise DatabaseError(ErrorKind.UNSUPPORTED, "a Substrait read may select columns, not parts of them")
    selected = [item.field for item in items]
    order = list(read.common.emit.output_mapping) if read.common.HasField("emit") else range(len(selected))
    read.ClearField("projection")
    read.common.direct.SetInParent()
    width = _columns(read.base_schema)
    project = pb.ProjectRel()
    project.input.read.CopyFrom(read)
    project.common.emit.output_mapping.extend(width + position for position in order)
    for number in selected:
        reference = project.expressions.add().selection
        reference.direct_reference.struct_field.field = number
        reference.root_reference.SetInParent()
    rel.project.CopyFrom(project)


def _columns(schema: Any) -> int:
    """How many columns a table has: `names` also holds the names of fields inside structs."""
    return len(schema.struct.types)
