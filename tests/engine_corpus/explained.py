"""Why a record comes out otherwise than from the bare engine, and is no fault."""

import re

from tests.engine_corpus.replay import Outcome, Verdict
from tests.engine_corpus.tiers import NOT_LOADED

WORSE = {Verdict.REFUSED, Verdict.OTHERWISE}

REFUSALS = {
    "OR REPLACE is for views only": "a table is not replaced",
    "a table needs columns or AS and a query": "a table without columns",
    "SELECT INTO is not supported": "CREATE TABLE AS is the way",
    "UNIQUE constraints": "keys are the only constraint",
    "UNIQUE on column": "keys are the only constraint",
    "a table has one key": "keys are the only constraint",
    "cannot be stored": "intervals, durations, maps and unions are no types of columns",
    "has more than 38 digits": "decimals have up to 38 digits",
    "precision is 1 to 38": "decimals have up to 38 digits",
    "cannot read the type": "types are those of docs/sql.md",
    "DEFAULT of column": "a DEFAULT is a literal or one of four functions",
    "namespace foo_schema does not exist": "CREATE SCHEMA is CREATE NAMESPACE here, and was not asked",
    "namespace test_schema does not exist": "CREATE SCHEMA is CREATE NAMESPACE here, and was not asked",
    "table 'foo_schema.bar' not found": "CREATE SCHEMA is CREATE NAMESPACE here, and was not asked",
    "does not represent a whole number of days": "a date with a time of day is refused when it is sent",
    "a number is no moment": "casts of numbers to TIMESTAMP mean different units to different databases",
    NOT_LOADED: "unbounded tables and files that the engine itself cannot read",
    "AT TIME ZONE is of a TIMESTAMP": "of what has a zone the clock there is made, of what has none the moment",
    "is west of Greenwich": "offsets mean the opposite to PostgreSQL and to ISO",
    "int64 is not converted": "a number is no moment",
    "information_schema.df_settings": "settings are those of the server",
    "Valid fields are generate_series": "a series' column is called as the series is",
    "cannot be counted beforehand": "functions that make rows out of nothing have literals as bounds",
    "as a value it is not supported": "functions that make lists out of nothing are switched off",
    "Invalid function": "functions that make large values out of small ones are switched off",
    "is source dependent": "files have no names here",
    "a sub-query at this place": "sub-queries that the engine answers wrong in some states of storage are refused",
    "Correlated scalar subquery must be aggregated": "the engine is told of a key that the loaded table lacks",
    "must appear in the GROUP BY clause": "the engine is told of a key that the loaded table lacks",
    "over a frame that does not begin with its partition": "the engine answers wrong where a NaN leaves a frame",
    "intervals of equal length are told apart": "the engine compares intervals by their parts",
    "expected a field name": "fields are named by names and not by texts",
    "expected an expression, found 'from'": "a comma in front of FROM",
    "expected an expression, found 'FROM'": "a comma in front of FROM",
    "expected PRECEDING or FOLLOWING": "an interval says INTERVAL",
    "the statement should end before": "operators of the engine's own dialect",
    "DictionaryArray converter": "Python has no values for dictionaries of dictionaries",
    "No field named": "columns without a name are called as they were written, not as the engine prints them",
    "Unsupported CAST from BinaryView": "binary columns are read as views, which the engine cannot cast to fixed sizes",
    "a moment has more digits": "moments have microseconds",
    "overflow on abs": "a value beyond its type is an error",
    "call to 'array_slice'": "6 ^ 6 is a power, as in PostgreSQL, and no place in a list",
    "exceeds the representable": "what is beyond nanoseconds is an error, not NULL",
}
"""Words of refusals, and why the server refuses."""

ANSWERS = {
    r"arrow_typeof": "the types of columns and moments are those of docs/sql.md",
    r"test_column_defaults": "the table was made without its defaults, which were refused",
    r"::date\s*[-+]|\+\s*'[-\d]+'::date": "a date and an interval make a moment, as in PostgreSQL",
    r"(?:date_part|extract)\s*\(\s*'?(?:milli)?second": "seconds have a fraction, as in PostgreSQL",
    r"Duration\(Nanosecond\)": "moments have microseconds",
    r"\bAT TIME ZONE\b|t_europe": "clocks of zones, and the moments that they mean, are those of PostgreSQL",
    r"test_timestamps|current_time\(\)": "moments have microseconds, which casts to BIGINT count",
    r"test_float\b": "NaN is equal to itself, as in PostgreSQL",
    r"small_floats": "functions of FLOAT are worked out in DOUBLE",
    r"signed_integers": "a ^ b is a power, as in PostgreSQL",
    r"date_unwrap": "a DATE has no time of day",
    r"date '[-\d]+' [-+] interval": "a date and an interval make a moment, as in PostgreSQL",
    r"min_max_\w*all_null": "lists of nothing but NULLs, of which the bare engine shows one as a text",
    r"NOT IN \(SELECT.*OR.*NOT IN": "the engine's own files say that its answer is wrong",
    r"\btime\b.*\bFROM foo\b": "the engine made the table in another zone, the server in UTC",
    r"listing_table": "which files are a table's is for the engine's settings to say",
    r'ORDER BY "time", "tag_id"': "rows that ORDER BY leaves in any order",
    r"fixed_arrays_values|fixed_size_arrays": "lists of a fixed size are stored as lists: a NULL is no list of NULLs",
}
"""What stands in queries that are answered otherwise, and why that is right. None of them is a wrong answer."""


def is_explained(outcome: Outcome) -> bool:
    """Tell whether a record comes out as from the engine, or otherwise for a known reason."""
    return outcome.verdict not in WORSE or bool(reason(outcome))


def reason(outcome: Outcome) -> str:
    """The reason why a record is refused or answered otherwise; nothing if there is none."""
    if outcome.ours.error:
        return next((why for words, why in REFUSALS.items() if words in outcome.ours.error), "")
    return next((why for words, why in ANSWERS.items() if re.search(words, outcome.record.sql, re.IGNORECASE)), "")
