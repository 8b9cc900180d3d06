"""Substrait plans made readable for the engine: the columns that a read selects become a projection above it.

DataFusion's consumer applies the `projection` of a read to bare table scans only, and our tables are more than that: a
union of scans. A read with a mask is therefore replaced by `project(read without a mask)`, which means the same. What
the schema in `substrait.proto` does not name passes through untouched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from catalog.errors import DatabaseError, ErrorKind
from flightserver.protocol.generated import substrait_pb2 as pb
from flightserver.protocol.wire import LIST_MESSAGE_SIZE_MAX, check_size, parse, serialize

VERSION = "0.85.0"
"""The Substrait release that the engine speaks; plans of others are read as far as they agree with it."""


@dataclass(frozen=True)
class ReadablePlan:
    """A serialized plan without masked reads, and for each read the name of its table, part by part."""

    plan: bytes
    tables: tuple[tuple[str, ...], ...]


def readable_plan(plan: bytes) -> ReadablePlan:
    """The plan with every mask of a read as a projection; INVALID for bytes that are no plan."""
    check_size("a Substrait plan", plan, LIST_MESSAGE_SIZE_MAX)
    message = parse(pb.Plan, plan)
    tables: list[tuple[str, ...]] = []
    for rel in _reads(message):
        tables.append(tuple(rel.read.named_table.names))
        if rel.read.HasField("projection"):
            _unmask(rel)
    return ReadablePlan(serialize(message), tuple(tables))


def _reads(message: Any) -> Iterator[Any]:
    """Every relation that reads a table, in a message and everything in it, from the inside out."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for child in list(value) if field.is_repeated else [value]:
            yield from _reads(child)
    if isinstance(message, pb.Rel) and message.HasField("read"):
        yield message


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
