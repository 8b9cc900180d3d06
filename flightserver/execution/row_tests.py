"""Plain conditions on rows that are there, answered by Arrow where it says the same as the engine does.

A condition is neither true nor false where it is not known, as in SQL. What Arrow compares in another way, converts or
refuses is None, and the engine is to be asked: values of other types, and doubles that are NaN or a negative zero.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import Column, TableDef
from flightserver.execution.key_values import Native, native_of
from flightserver.execution.searches import has_one_order
from flightserver.sql.meaning.lookups import Condition, Value
from flightserver.sql.meaning.row_tests import Compared, IsTrue, Joined, Negated, RowTest, row_test
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.remembered import TEXT_LENGTH_MAX, TEXTS_MAX


def is_broken(condition: str, table: TableDef, rows: pa.Table) -> bool | None:
    """Whether a condition is false for one of some rows of a table, by their columns' names; None for the engine."""
    if len(condition) > TEXT_LENGTH_MAX:
        return None
    text, test = _read(condition, table.name.table)
    if test is None:
        return None
    try:
        found = _Rows(text, table, rows).truth(test)
    except (_NotPlainError, pa.ArrowException):
        return None
    return bool(pc.any(pc.invert(found)).as_py())


@lru_cache(TEXTS_MAX)
def _read(condition: str, called: str) -> tuple[QueryText, RowTest | None]:
    text = QueryText(condition)
    return text, row_test(text, called)


class _NotPlainError(Exception):
    """Arrow may have another opinion."""


class _Rows:
    """Rows of a table, which conditions of one text are asked of."""

    def __init__(self, text: QueryText, table: TableDef, rows: pa.Table) -> None:
        self._text = text
        self._columns = {column.name: column for column in table.visible_columns}
        self._rows = rows

    def truth(self, test: RowTest) -> pa.ChunkedArray:
        """For each row true, false, or null for what is not known."""
        match test:
            case Negated(inner):
                return pc.invert(self.truth(inner))
            case Joined("AND", tests):
                return reduce(pc.and_kleene, map(self.truth, tests))
            case Joined(_, tests):
                return reduce(pc.or_kleene, map(self.truth, tests))
            case IsTrue(name):
                column, values = self._column(name)
                if not pa.types.is_boolean(column.storage):
                    raise _NotPlainError
                return values
            case Compared(left, sign, right):
                (one, values), (other, others) = self._comparable(left), self._comparable(right)
                if one.type != other.type:
                    raise _NotPlainError
                return _SIGNS[sign](values, others)
            case Condition(name, "IS NULL", _):
                return pc.is_null(self._column(name)[1])
            case Condition(name, "IS NOT NULL", _):
                return pc.is_valid(self._column(name)[1])
            case Condition():
                return self._compared(test)

    def _compared(self, test: Condition) -> pa.ChunkedArray:
        column, values = self._comparable(test.column)
        natives = [self._native(column, value) for value in test.values]
        if test.operator != "IN":
            return _SIGNS[test.operator](values, pa.scalar(natives[0], column.storage))
        is_in = pc.is_in(values, pa.array(natives, column.storage))
        return pc.if_else(pc.is_valid(values), is_in, pa.scalar(None, pa.bool_()))

    def _native(self, column: Column, value: Value) -> Native:
        native = native_of(column, value, self._text, {})
        if native is None:
            raise _NotPlainError
        return native

    def _column(self, name: str) -> tuple[Column, pa.ChunkedArray]:
        column = self._columns.get(name)
        values = None if column is None else self._rows.column(name)
        if column is None or values is None or values.type != column.storage:
            raise _NotPlainError
        return column, values

    def _comparable(self, name: str) -> tuple[Column, pa.ChunkedArray]:
        """A column whose values Arrow compares as the engine does."""
        column, values = self._column(name)
        is_plain = _is_plain(values) if pa.types.is_float64(column.storage) else has_one_order(column.storage)
        if not is_plain:
            raise _NotPlainError
        return column, values


def _is_plain(doubles: pa.ChunkedArray) -> bool:
    """Tell whether no double is NaN or a negative zero."""
    if pc.any(pc.is_nan(doubles)).as_py():
        return False
    zeros = doubles.filter(pc.equal(doubles, 0.0))
    return not (len(zeros) and np.signbit(zeros.to_numpy()).any())


_SIGNS: Mapping[str, Callable[[pa.ChunkedArray, pa.ChunkedArray | pa.Scalar], pa.ChunkedArray]] = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
