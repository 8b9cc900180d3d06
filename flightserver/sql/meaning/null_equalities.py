"""Two values that are equal, or both NULL, as conditions that the engine joins by `=`.

Of joins beside each other, some by `=` and some by IS NOT DISTINCT FROM, DataFusion 55 makes joins by the latter alone,
which let NULL meet NULL where it must not.
"""

import pyarrow as pa

from flightserver.sql.meaning.types import is_whole


def null_equality(mine: str, other: str, types: tuple[pa.DataType | None, pa.DataType | None]) -> str:
    """The condition, for values as they are written and their types."""
    fallback = "0" if all(map(_is_exact, types)) else "''" if types[0] == types[1] == pa.string() else None
    if fallback is not None:
        same = f"coalesce({mine}, {fallback}) = coalesce({other}, {fallback})"
        return f"({same} AND ({mine} IS NULL) = ({other} IS NULL))"
    if types[0] is None or types[0] != types[1] or pa.types.is_nested(types[0]):
        return f"({mine} = {other} OR ({mine} IS NULL AND {other} IS NULL))"
    written = "coalesce('=' || CAST({0} AS TEXT), '-')"
    if pa.types.is_floating(types[0]):
        written = "coalesce('=' || CAST({0} + 0 AS TEXT), '-')"
    elif pa.types.is_binary(types[0]) or pa.types.is_large_binary(types[0]):
        written = "coalesce('=' || encode({0}, 'hex'), '-')"
    return f"({written.format(mine)} = {written.format(other)})"


def _is_exact(known: pa.DataType | None) -> bool:
    return known is not None and (is_whole(known) or bool(pa.types.is_decimal(known)))
