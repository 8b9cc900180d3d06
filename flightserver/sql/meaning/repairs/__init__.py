"""What DataFusion gets wrong, one file a fault: what it is, how it is recognised, and what is written instead.

`REPAIRS` is the list. A test asks the bare engine for the specimen of each, and fails when it is no longer needed.
Faults that only a plan shows are repaired in `providers/engine/repairs`.
"""

from collections.abc import Callable, Mapping

from flightserver.sql.meaning.repairs import (
    cast_names,
    dates,
    distinct_from,
    existence,
    extremes,
    function_names,
    global_aggregates,
    guarded_cases,
    intervals,
    keys,
    list_questions,
    memberships,
    merged_columns,
    missing_rows,
    mixed_numbers,
    moments,
    offsets,
    outer_columns,
    rounding,
    rowless_queries,
    set_operations,
    signed_numbers,
    sliding_frames,
    sub_query_names,
    text_constants,
    texts,
    truth_values,
    value_lists,
    whole_numbers,
    zeros,
)
from flightserver.sql.meaning.writing import Writing

REPAIRS: Mapping[str, Callable[[Writing], None]] = {
    "cast_names": cast_names.repair,
    "dates": dates.repair,
    "distinct_from": distinct_from.repair,
    "existence": existence.repair,
    "extremes": extremes.repair,
    "function_names": function_names.repair,
    "global_aggregates": global_aggregates.repair,
    "guarded_cases": guarded_cases.repair,
    "intervals": intervals.repair,
    "keys": keys.repair,
    "list_questions": list_questions.repair,
    "memberships": memberships.repair,
    "merged_columns": merged_columns.repair,
    "missing_rows": missing_rows.repair,
    "mixed_numbers": mixed_numbers.repair,
    "moments": moments.repair,
    "offsets": offsets.repair,
    "outer_columns": outer_columns.repair,
    "rounding": rounding.repair,
    "rowless_queries": rowless_queries.repair,
    "set_operations": set_operations.repair,
    "signed_numbers": signed_numbers.repair,
    "sliding_frames": sliding_frames.repair,
    "sub_query_names": sub_query_names.repair,
    "text_constants": text_constants.repair,
    "texts": texts.repair,
    "truth_values": truth_values.repair,
    "value_lists": value_lists.repair,
    "whole_numbers": whole_numbers.repair,
    "zeros": zeros.repair,
}
