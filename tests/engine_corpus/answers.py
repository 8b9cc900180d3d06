"""What was answered, and whether two answers are the same rows, whatever types carry them."""

from dataclasses import dataclass

import pyarrow as pa

from tests.oracle.answers import ResultRow, plain, same_rows


@dataclass(frozen=True)
class Answer:
    """The rows of a result, or the words of an error."""

    rows: tuple[ResultRow, ...] = ()
    error: str = ""

    def says_the_same(self, other: "Answer", *, ordered: bool) -> bool:
        """Tell whether two answers are errors, or the same rows."""
        if self.error or other.error:
            return bool(self.error) == bool(other.error)
        return same_rows(self.rows, other.rows, ordered=ordered)


def of_table(table: pa.Table) -> Answer:
    """The answer that a result is; columns of the same name are apart."""
    columns = [_values(column) for column in table.columns]
    return Answer(plain(zip(*columns, strict=True)))


def _values(column: pa.ChunkedArray) -> list[object]:
    try:
        return column.cast(_plain_type(column.type), safe=False).to_pylist()
    except (pa.ArrowException, ValueError, KeyError, OverflowError):
        return _texts(column)


def _texts(column: pa.ChunkedArray) -> list[object]:
    """Values that Python has no values for: dates beyond its calendar, unions."""
    try:
        return column.cast(pa.string()).to_pylist()
    except pa.ArrowException:
        return [str(value) for value in column]


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that carries the values of another in the plainest way, times in microseconds."""
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_duration(kind):
        return pa.duration("us")
    if pa.types.is_time(kind):
        return pa.time64("us")
    if kind in (pa.string_view(), pa.large_string()):
        return pa.string()
    if kind in (pa.binary_view(), pa.large_binary()) or pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _plain_type(field.type)) for field in kind])
    return kind
