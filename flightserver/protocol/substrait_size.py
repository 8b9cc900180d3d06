"""What a Substrait plan becomes: how much there is of it, and how large its values may be.

A plan is given as it is, so nothing in it stands for more than is written; but the engine writes conditions over
computed columns out when it moves them down. Columns are told apart by position. What a function makes of its arguments
others know; here is what reaches it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from flightserver.protocol.generated import substrait_pb2 as pb
from flightserver.protocol.wire import parse

NUMBER_BYTES = 8

Made: TypeAlias = Callable[[str, tuple[int, ...], tuple[int, ...]], int]
"""The bytes of what a function makes: by its name, and by those of its arguments at most and at least."""

_OPERATORS = frozenset(
    {
        *("equal", "not_equal", "lt", "lte", "gt", "gte", "between", "is_distinct_from", "is_not_distinct_from"),
        *("and", "or", "not", "xor", "is_null", "is_not_null", "is_true", "is_false", "is_unknown", "is_not_true"),
        *("is_not_false", "is_not_unknown", "like", "ilike", "add", "subtract", "multiply", "divide", "mod"),
        *("modulus", "negate"),
    }
)
"""Functions of plans that are operators elsewhere: they make a number or a truth value."""

_CHOOSING = frozenset({"if_then", "switch_expression", "cast", "subquery", "selection"})
"""Expressions whose value is one of those in them."""


@dataclass(frozen=True)
class Value:
    """A column or a value: its bytes, and how many terms it is made of with all that its columns are made of."""

    bytes: int = NUMBER_BYTES
    terms: int = 1


@dataclass
class SubstraitSize:
    """What a plan has.

    `columns` are those of all its relations, `terms` the parts of its expressions, and `moved` those that conditions
    gain where computed columns are written out in them. `grouping_sets` are the most that an aggregate has, and
    `largest` is the largest value of all in bytes.
    """

    relations: int = 0
    columns: int = 0
    terms: int = 0
    moved: int = 0
    grouping_sets: int = 0
    largest: int = NUMBER_BYTES


def substrait_size(plan: bytes, of_read: Callable[[str], Value], made: Made) -> SubstraitSize:
    """Count a plan. `of_read` tells of what any column of a read is made, by the name that the plan has for it."""
    message = parse(pb.Plan, plan)
    counted = _Counted(message, of_read, made)
    for relation in message.relations:
        counted.relation(relation.root.input if relation.HasField("root") else relation.rel)
    return counted.size


class _Counted:
    """A plan while it is walked, from the inside out."""

    def __init__(self, plan: Any, of_read: Callable[[str], Value], made: Made) -> None:
        declared = [item.extension_function for item in plan.extensions if item.HasField("extension_function")]
        self._names = {item.function_anchor: item.name.rpartition(":")[0] or item.name for item in declared}
        self._of_read = of_read
        self._made = made
        self.size = SubstraitSize()

    def relation(self, relation: Any) -> list[Value]:
        """The columns that a relation yields."""
        kind = relation.WhichOneof("rel_type")
        if kind is None:
            return []
        node = getattr(relation, kind)
        columns = self._columns(kind, node)
        if node.common.HasField("emit"):
            columns = [_at(columns, place) for place in node.common.emit.output_mapping]
        self.size.relations += 1
        self.size.columns += len(columns)
        return columns

    def _columns(self, kind: str, node: Any) -> list[Value]:
        inputs = [self.relation(part) for part in _parts(node, pb.Rel)]
        below = [column for columns in inputs for column in columns]
        match kind:
            case "read":
                below = self._read(node)
            case "project":
                return below + [self._value(item, below) for item in node.expressions]
            case "window":
                for item in (*node.partition_expressions, *(sort.expr for sort in node.sorts)):
                    self._value(item, below)
                return below + [self._called(item, below, terms=1) for item in node.window_functions]
            case "aggregate":
                return self._aggregated(node, below)
            case "set":
                return [_widest([_at(columns, place) for columns in inputs]) for place in range(max(map(len, inputs)))]
            case "join" | "hash_join" | "nested_loop_join" | "merge_join" | "lateral_join":
                right = inputs[-1]  # some kinds of joins yield its columns alone
                below = [_widest([column, *right[place : place + 1]]) for place, column in enumerate(below)]
        for condition in _parts(node, pb.Expression):
            self._condition(condition, below)
        return [Value(column.bytes) for column in below] if kind == "fetch" else below

    def _read(self, read: Any) -> list[Value]:
        literals = [row.ByteSize() for row in (*read.virtual_table.values, *read.virtual_table.expressions)]
        column = Value(max(literals)) if literals else self._of_read(".".join(read.named_table.names))
        self.size.largest = max(self.size.largest, column.bytes)
        return [column] * len(read.base_schema.struct.types)

    def _aggregated(self, node: Any, below: Sequence[Value]) -> list[Value]:
        sets = [self._value(item, below) for grouping in node.groupings for item in grouping.grouping_expressions]
        groups = [self._value(item, below) for item in node.grouping_expressions] or sets
        self.size.grouping_sets = max(self.size.grouping_sets, len(node.groupings))
        for measure in node.measures:
            if measure.HasField("filter"):
                self._condition(measure.filter, below)
        return [*groups, *(self._called(item.measure, below, terms=1) for item in node.measures), Value()]

    def _condition(self, condition: Any, columns: Sequence[Value]) -> None:
        """An expression that the engine moves towards the sources that it is about."""
        before = self.size.terms
        value = self._value(condition, columns)
        self.size.moved += max(value.terms - (self.size.terms - before), 0)

    def _value(self, expression: Any, columns: Sequence[Value]) -> Value:
        kind = expression.WhichOneof("rex_type")
        node = getattr(expression, kind) if kind is not None else expression
        self.size.terms += 1
        value = self._of_kind(kind, node, columns)
        self.size.largest = max(self.size.largest, value.bytes)
        return value

    def _of_kind(self, kind: str | None, node: Any, columns: Sequence[Value]) -> Value:
        match kind:
            case "literal":
                return Value(max(node.ByteSize(), NUMBER_BYTES))
            case "selection" if node.HasField("root_reference"):
                return _at(columns, node.direct_reference.struct_field.field)
            case "scalar_function":
                return self._called(node, columns)
            case "window_function":
                return self._called(node, columns, terms=1)
        inner = [_widest(self.relation(part)) for part in _parts(node, pb.Rel)]
        parts = [*inner, *(self._value(part, columns) for part in _parts(node, pb.Expression))]
        terms = 1 + sum(part.terms for part in parts)
        if kind in _CHOOSING:
            return Value(_widest(parts).bytes, terms)
        return Value(max(sum(part.bytes for part in parts), NUMBER_BYTES) if kind == "nested" else NUMBER_BYTES, terms)

    def _called(self, call: Any, columns: Sequence[Value], terms: int | None = None) -> Value:
        """What a function makes; what it is made of counts unless it stays where it is."""
        arguments = [argument.value for argument in call.arguments if argument.HasField("value")]
        values = [self._value(argument, columns) for argument in arguments]
        for item in (*getattr(call, "partitions", ()), *(sort.expr for sort in getattr(call, "sorts", ()))):
            self._value(item, columns)
        name = self._names.get(call.function_reference, "").lower()
        if terms is None:
            terms = 1 + sum(value.terms for value in values)
        if name in _OPERATORS:
            return Value(NUMBER_BYTES, terms)
        size = self._made(name, tuple(value.bytes for value in values), tuple(map(_at_least, arguments)))
        self.size.largest = max(self.size.largest, size)
        return Value(size, terms)


def _at(columns: Sequence[Value], place: int) -> Value:
    """A column; any one where there is none at the place."""
    return columns[place] if 0 <= place < len(columns) else _widest(columns)


def _widest(values: Sequence[Value]) -> Value:
    """What each of them is at most."""
    return Value(
        max((value.bytes for value in values), default=NUMBER_BYTES), max((value.terms for value in values), default=1)
    )


def _at_least(expression: Any) -> int:
    """How many bytes a value surely has."""
    return len(expression.literal.string.encode()) if expression.HasField("literal") else 0


def _parts(message: Any, kind: type) -> Iterator[Any]:
    """The messages of a kind right within another one; those within relations and expressions are theirs."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for child in list(value) if descriptor.is_repeated else [value]:
            if isinstance(child, kind):
                yield child
            elif not isinstance(child, pb.Rel | pb.Expression):
                yield from _parts(child, kind)
