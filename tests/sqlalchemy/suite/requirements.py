"""What the server does not have, so that SQLAlchemy's suite skips the tests of it; everything else is run.

`test_suite.py` fails when a test is skipped for a reason that is not listed here, and when the suite never asks for
what is listed.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

_FOREIGN_KEY = "there are no foreign keys, because they would not be enforced"
_CONSTRAINT = "UNIQUE has no index, and CHECK is shown by SHOW CREATE TABLE alone"
_INDEX = "there are no indexes: every column prunes, and blooms are an option of the table"
_FETCH = "the query engine knows LIMIT and OFFSET only"
_COMMENT = "nothing has a comment"
_DIVISION = "decimal division needs 4 digits beyond the dividend's"

UNSUPPORTED = {
    "check_constraint_reflection": _CONSTRAINT,
    "column_collation_reflection": "text compares by its bytes",
    "comment_reflection": _COMMENT,
    "comment_reflection_full_unicode": _COMMENT,
    "computed_columns": "GENERATED is refused",
    "cross_schema_fk_reflection": _FOREIGN_KEY,
    "denormalized_names": "names fold to lower case",
    "duplicate_names_in_cursor_description": "the query engine refuses two result columns of one name",
    "expression_server_defaults": "a DEFAULT is a literal or one of four functions",
    "fetch_expression": _FETCH,
    "fetch_first": _FETCH,
    "fetch_no_order_by": _FETCH,
    "fetch_offset_with_options": _FETCH,
    "fetch_percent": _FETCH,
    "fetch_ties": _FETCH,
    "fk_constraint_option_reflection_ondelete_noaction": _FOREIGN_KEY,
    "fk_constraint_option_reflection_ondelete_restrict": _FOREIGN_KEY,
    "fk_constraint_option_reflection_onupdate_restrict": _FOREIGN_KEY,
    "foreign_key_constraint_option_reflection_ondelete": _FOREIGN_KEY,
    "foreign_key_constraint_option_reflection_onupdate": _FOREIGN_KEY,
    "foreign_key_constraint_reflection": _FOREIGN_KEY,
    "identity_columns": "GENERATED is refused; keys that number themselves have DEFAULT SNOWFLAKE_ID()",
    "implements_get_lastrowid": "keys are known before the row is sent",
    "index_ddl_if_exists": _INDEX,
    "index_reflection": _INDEX,
    "index_reflects_included_columns": _INDEX,
    "indexes_check_column_order": _INDEX,
    "indexes_with_ascdesc": _INDEX,
    "indexes_with_expressions": _INDEX,
    "inline_check_constraint_reflection": _CONSTRAINT,
    "json_type": "JSON is text, and there are no functions for it",
    "like_escapes": "the query engine escapes in LIKE with a backslash only",
    "materialized_views": "a view is a query, and keeps no rows",
    "order_by_collation": "text compares by its bytes",
    "reflect_indexes_with_ascdesc": _INDEX,
    "reflect_tables_no_columns": "a table has columns",
    "reflects_pk_names": "a key has no name",
    "self_referential_foreign_keys": _FOREIGN_KEY,
    "sequences": "there are no sequences",
    "server_side_cursors": "every result is streamed as it is",
    "skip_autocommit_rollback": "rolling back in autocommit sends nothing anyway",
    "temp_table_comment_reflection": _COMMENT,
    "temp_table_reflect_indexes": _INDEX,
    "temporary_views": "views are not temporary",
    "time_timezone": "a time of day has no zone",
}
"""Requirements of tests and of whole classes of tests; classes are left out without a word."""

UNSUPPORTED_TESTS = {
    "ComponentReflectionTestExtra.test_string_length_reflection": "the length of VARCHAR(n) is read and not kept",
    "ComponentReflectionTest.test_reflect_table_temp_table": "the length of VARCHAR(n) is read and not kept",
    "IdentityAutoincrementTest": "keys that number themselves do not begin at 1",
    "IsolationLevelTest.test_non_default_isolation_level": "there is one isolation level besides AUTOCOMMIT",
    "IsolationLevelTest.test_dialect_user_setting_is_restored": "there is one isolation level besides AUTOCOMMIT",
    "LongNameBlowoutTest.test_long_convention_name[ix": "there are no indexes",
    "ReturningTest.test_autoincrement_on_insert_implicit_returning": "keys that number themselves do not begin at 1",
    "ReturningTest.test_imv_returning_datatypes": "keys that number themselves do not begin at 1",
    "ReturningTest.test_insert_w_floats": "keys that number themselves do not begin at 1",
    "TrueDivTest.test_truediv_divisor[numeric_38_digit_divisor": _DIVISION,
    "TrueDivTest.test_truediv_divisor[numeric_many_decimals": _DIVISION,
    "WindowFunctionTest.test_window_range": "rows without ORDER BY come in any order",
}
"""Tests that no requirement covers."""

SUPPORTED = (
    "default_schema_name_switch",
    "reflect_table_options",
    "view_reflection",
    "window_range_non_numeric",
    "array_type",
    "autocommit",
    "isolation_level",
    "timestamp_microseconds",
    "timestamp_microseconds_implicit_bound",
    "boolean_col_expressions",
    "cast_precision_numerics_many_significant_digits",
    "create_or_replace_view",
    "create_table_as",
    "create_temp_table_as",
    "ctes",
    "ctes_with_update_delete",
    "ctes_with_values",
    "date_historic",
    "datetime_historic",
    "datetime_interval",
    "datetime_literals",
    "datetime_timezone",
    "datetime_timezone_historic",
    "delete_from",
    "empty_inserts",
    "empty_inserts_executemany",
    "except_",
    "float_or_double_precision_behaves_generically",
    "get_isolation_level_values",
    "has_temp_table",
    "implicit_default_schema",
    "infinity_floats",
    "intersect",
    "mod_operator_as_percent_sign",
    "nullsordering",
    "order_by_label_with_expression",
    "percent_schema_names",
    "precision_numerics_enotation_small",
    "precision_numerics_many_significant_digits",
    "precision_numerics_retains_significant_digits",
    "regexp_match",
    "regexp_replace",
    "schema_create_delete",
    "savepoints",
    "schemas",
    "server_defaults",
    "supports_bitwise_and",
    "supports_bitwise_not",
    "supports_bitwise_or",
    "supports_bitwise_shift",
    "supports_bitwise_xor",
    "table_ddl_if_exists",
    "table_value_constructor",
    "temp_table_names",
    "temp_table_reflection",
    "tuple_in",
    "tuple_in_w_empty",
    "unicode_ddl",
    "unique_constraint_reflection",
    "foreign_key_ddl",
    "update_from",
    "uuid_data_type",
    "view_column_reflection",
    "views",
    "window_functions",
    "window_range",
    "window_range_numeric",
)


class Requirements(SuiteRequirements):
    """SQLAlchemy's requirements as this server meets them."""


ASKED: set[str] = set()
"""Requirements that the suite has asked for."""


def _requirement(name: str, rule: Callable[[], Any]) -> property:
    def answer(_: Requirements) -> Any:
        ASKED.add(name)
        return rule()

    return property(answer)


def _is_closed(name: str) -> bool:
    """Tell whether SQLAlchemy itself takes a requirement for something that few databases have."""
    rule = getattr(SuiteRequirements(), name)
    return isinstance(rule, exclusions.compound) and any(
        getattr(skip, "description", "") == "marked as skip" for skip in rule.skips
    )


def _closed(name: str, reason: str) -> property:
    return _requirement(name, lambda: exclusions.closed(f"{name}: {reason}"))


for _name in SUPPORTED:
    setattr(Requirements, _name, _requirement(_name, exclusions.open))
for _name in dir(SuiteRequirements):
    if _name in UNSUPPORTED:
        setattr(Requirements, _name, _closed(_name, UNSUPPORTED[_name]))
    elif isinstance(getattr(SuiteRequirements, _name), property) and _name not in SUPPORTED and _is_closed(_name):
        setattr(Requirements, _name, _closed(_name, "not listed"))
