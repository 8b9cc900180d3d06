"""Words of SQL by what they may stand for: where a name is possible, and where an operand is."""

SET_OPERATORS = frozenset({"UNION", "INTERSECT", "EXCEPT", "MINUS"})

NO_COLUMN_ALIAS = frozenset(
    {
        *("WITH", "EXPLAIN", "ANALYZE", "SELECT", "WHERE", "GROUP", "SORT", "HAVING", "ORDER", "TOP", "LATERAL"),
        *("VIEW", "LIMIT", "OFFSET", "FETCH", "EXCLUDE", "UNION", "EXCEPT", "INTERSECT", "MINUS", "CLUSTER"),
        *("DISTRIBUTE", "RETURNING", "VALUES", "FROM", "INTO", "END", "QUALIFY"),
    }
)
"""What DataFusion's parser takes for no alias without AS behind an item of SELECT."""

NO_TABLE_ALIAS = frozenset(
    {
        *("WITH", "EXPLAIN", "ANALYZE", "SELECT", "WHERE", "GROUP", "SORT", "HAVING", "ORDER", "PIVOT", "UNPIVOT"),
        *("TOP", "LATERAL", "VIEW", "LIMIT", "OFFSET", "FETCH", "UNION", "EXCEPT", "INTERSECT", "MINUS", "ON"),
        *("JOIN", "INNER", "CROSS", "FULL", "LEFT", "RIGHT", "NATURAL", "USING", "CLUSTER", "DISTRIBUTE", "GLOBAL"),
        *("ANTI", "SEMI", "RETURNING", "ASOF", "MATCH_CONDITION", "FINAL", "QUALIFY", "SET", "FROM", "FORMAT"),
        *("PREWHERE", "SETTINGS", "WINDOW", "START", "CONNECT", "SAMPLE", "OPEN", "STRAIGHT_JOIN", "FOR", "VALUES"),
        *("TABLESAMPLE", "PARTITION", "UNNEST"),
    }
)
"""What it takes for no alias without AS behind an item of FROM."""

NO_OPERAND = frozenset(
    {
        *("SELECT", "WITH", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "UNION", "INTERSECT", "EXCEPT", "MINUS"),
        *(
            "ON",
            "JOIN",
            "USING",
            "AS",
            "WHEN",
            "THEN",
            "ELSE",
            "END",
            "AND",
            "OR",
            "IN",
            "BETWEEN",
            "LIKE",
            "IS",
            "INTO",
        ),
        *("LIMIT",),
    }
)
"""What begins no operand, so that an expression is missing before it."""

QUERY_STARTS = frozenset({"SELECT", "WITH", "VALUES", "FROM", "TABLE"})
"""What a query begins with, behind any brackets."""

FRAME_UNITS = frozenset({"ROWS", "RANGE", "GROUPS"})

CONTEXT_VALUES = frozenset({"CURRENT_USER", "SESSION_USER", "CURRENT_SCHEMA", "CURRENT_CATALOG"})
"""Words without brackets that say something of the session."""
