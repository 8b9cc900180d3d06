"""A cast of a number with a fraction to whole numbers: DataFusion cuts the fraction off, PostgreSQL rounds.

It is rounded half away from zero, as it is where it is stored.
"""

import pyarrow as pa

from flightserver.sql.meaning.types import cast_type, is_pointed, is_whole
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Round what is cast."""
    for cast, found in writing.of_kind(tree.Cast):
        if is_whole(cast_type(cast.type_text)):
            known = writing.type_of(cast.operand, found)
            has_fraction = known is not None and (pa.types.is_floating(known) or pa.types.is_decimal(known))
            if has_fraction or is_pointed(cast.operand):
                writing.edits.wrap(cast.operand, "round(", ")")
                writing.keep_name(found, writing.written(cast.operand))
