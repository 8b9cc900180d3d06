"""Words that end a part of a query, for what looks at tokens."""

SET_OPERATORS = frozenset({"UNION", "INTERSECT", "EXCEPT", "MINUS"})

AFTER_CONDITIONS = SET_OPERATORS | {"GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH"}
"""What may follow the conditions of WHERE."""

AFTER_TABLES = AFTER_CONDITIONS | {"WHERE"}
"""What may follow the tables of FROM."""
