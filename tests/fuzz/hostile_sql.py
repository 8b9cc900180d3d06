"""A small grammar of hostile SQL: queries that mean little, changes that must fail, and texts that are broken."""

import random

ATOMS = (
    "1", "0", "-1", "NULL", "TRUE", "1e308", "-9223372036854775808", "18446744073709551616", "0.1", "''", "'a'", "'%'",
    "'2026-02-30'", "X'00ff'", "DATE '2026-01-01'", "INTERVAL '1' MONTH", "TIMESTAMP '9999-12-31 23:59:59'", "id", "v",
    "s", "day", "nope", "guarded.id", "*", "$1", "?", "[1, 2]", "{'a': 1}", "now()", "current_user", "_seq", "_deleted",
    "'\u00e9\u4e2d\U0001f600'", "CAST('NaN' AS DOUBLE)", "''''", "$$x$$", "@x", ":x",
)  # fmt: skip
OPERATORS = (
    "+", "-", "*", "/", "%", "||", "=", "<>", "<", ">=", "AND", "OR", "IS DISTINCT FROM", "LIKE", "~", "!~*", "&", "|",
    "#", "<<", ">>", "->", "@>", "COLLATE", "IN",
)  # fmt: skip
FUNCTIONS = (
    "abs", "sqrt", "ln", "power", "round", "factorial", "gcd", "lcm", "nullif", "coalesce", "length", "substr", "left",
    "right", "split_part", "translate", "to_hex", "chr", "ascii", "md5", "encode", "decode", "regexp_replace",
    "regexp_like", "regexp_count", "date_trunc", "date_part", "date_bin", "to_timestamp", "to_char", "make_date",
    "from_unixtime", "arrow_cast", "arrow_typeof", "make_array", "array_length", "array_position", "array_slice",
    "array_sort", "array_distinct", "flatten", "struct", "named_struct", "get_field", "unnest", "map", "map_extract",
    "sum", "count", "avg", "min", "max", "array_agg", "string_agg", "stddev", "corr", "median", "approx_distinct",
    "approx_percentile_cont", "first_value", "nth_value", "row_number", "lag", "ntile", "rank", "bit_xor", "nope",
    "grouping", "levenshtein", "overlay", "strpos", "find_in_set", "concat_ws", "iszero", "nanvl", "trunc", "digest",
    "repeat", "generate_series", "array_resize", "uuid", "random", "version",
)  # fmt: skip
TYPES = (
    "INT", "BIGINT UNSIGNED", "DECIMAL(38, 38)", "DECIMAL(99, 9)", "TEXT", "BYTEA", "DATE", "TIME", "TIMESTAMPTZ",
    "INTERVAL", "BOOLEAN", "INT[]", "STRUCT<a INT>", "UUID", "JSON", "nope", "VARCHAR(0)", "FLOAT", "TINYINT",
)  # fmt: skip
SOURCES = (
    "guarded",
    "diary",
    "prey",
    "public.guarded",
    '"guarded"',
    "nope",
    "main.public.guarded",
    "(SELECT 1 AS id) q",
)
REFUSED = (
    "INSERT INTO guarded SELECT id, v, s, day FROM guarded",
    "INSERT INTO guarded VALUES (1, 1, 'a', NULL)",
    "INSERT INTO guarded VALUES (-1, 1, 'a', NULL), (-1, 2, 'b', NULL)",
    "INSERT INTO guarded (id) VALUES (NULL)",
    "INSERT INTO guarded (nope) VALUES (1)",
    "INSERT INTO guarded VALUES (99999999999999999999, 1, 'a', NULL)",
    "UPDATE guarded SET v = v / (v - v)",
    "UPDATE guarded SET id = id + 1",
    "UPDATE guarded SET v = 'many'",
    "UPDATE guarded SET nope = 1",
    "DELETE FROM guarded WHERE id / 0 = 1",
    "DELETE FROM guarded WHERE nope = 1",
    "DELETE FROM guarded USING nope WHERE TRUE",
    "ALTER TABLE guarded ADD COLUMN v INT",
    "ALTER TABLE guarded DROP COLUMN id",
    "ALTER TABLE guarded DROP COLUMN nope",
    "CREATE TABLE guarded (id INT)",
    "CREATE OR REPLACE TABLE guarded (id INT, id INT)",
    "CREATE VIEW guarded AS SELECT 1",
    "DROP VIEW guarded",
    "DROP TABLE guarded, nope",
    "TRUNCATE TABLE guarded; DROP TABLE nowhere",
    "COPY guarded TO '/tmp/x'",
    "MERGE INTO guarded USING diary ON TRUE WHEN MATCHED THEN DELETE",
)
"""Changes of tables that must stay as they are: each has a fault."""

ALLOWED = (
    "INSERT INTO prey VALUES (1, 'a') ON CONFLICT DO NOTHING",
    "UPDATE prey SET s = s || 'x' WHERE id = 1",
    "DELETE FROM prey WHERE id > 10",
    "EXPLAIN SELECT * FROM prey",
    "DESCRIBE prey",
    "SHOW TABLES",
    "SHOW MANIFEST FOR prey",
    "FLUSH TABLE prey",
    "CREATE TABLE IF NOT EXISTS prey (id BIGINT PRIMARY KEY, s TEXT)",
    "CREATE VIEW IF NOT EXISTS prey_view AS SELECT * FROM prey",
    "SELECT s, count(*) FROM prey GROUP BY s",
)
"""Statements that are right until they are broken; what is left of one cannot reach any table but prey."""

SPICE = (
    "(", ")", "'", '"', ";", "--", "/*", "*/", "\0", "\u202e", ",", "$1", "?", "\\", "NOT", "SELECT", "\ud7ff", "`",
    "[", "{", "=", "$$",
)  # fmt: skip


def statement(rng: random.Random) -> str:
    """One text."""
    match rng.randrange(10):
        case 0 | 1:
            return rng.choice(REFUSED)
        case 2 | 3:
            return broken(rng, rng.choice(ALLOWED))
        case 4 | 5:
            return broken(rng, query(rng))
        case 6:
            return nested(rng)
        case _:
            return query(rng)


def query(rng: random.Random) -> str:
    """A query over at most two tables; most are errors."""
    columns = ", ".join(expression(rng, 3) for _ in range(rng.randint(1, 3)))
    text = f"SELECT {rng.choice(('', '', 'DISTINCT '))}{columns} FROM {rng.choice(SOURCES)}"
    if rng.random() < 0.2:
        text += f" {rng.choice(('JOIN', 'LEFT JOIN', 'FULL JOIN'))} diary d ON {expression(rng, 1)}"
    if rng.random() < 0.5:
        text += f" WHERE {expression(rng, 3)}"
    if rng.random() < 0.2:
        text += f" GROUP BY {expression(rng, 1)} HAVING {expression(rng, 1)}"
    if rng.random() < 0.2:
        text += f" ORDER BY {expression(rng, 1)}"
    if rng.random() < 0.2:
        text += f" LIMIT {rng.choice(ATOMS)}"
    return rng.choice(("", "", "", "EXPLAIN ", "EXPLAIN ANALYZE ")) + text


def expression(rng: random.Random, depth: int) -> str:
    """An expression of any sense."""
    if depth == 0:
        return rng.choice(ATOMS)
    inner = [expression(rng, depth - 1) for _ in range(3)]
    match rng.randrange(9):
        case 0 | 1:
            return f"{inner[0]} {rng.choice(OPERATORS)} {inner[1]}"
        case 2 | 3:
            return f"{rng.choice(FUNCTIONS)}({', '.join(inner[: rng.randrange(4)])})"
        case 4:
            return f"CAST({inner[0]} AS {rng.choice(TYPES)})"
        case 5:
            return f"CASE WHEN {inner[0]} THEN {inner[1]} ELSE {inner[2]} END"
        case 6:
            return f"(SELECT {inner[0]} FROM {rng.choice(SOURCES)} LIMIT 1)"
        case 7:
            return f"{inner[0]} {rng.choice(('IN', 'NOT IN'))} ({inner[1]}, {inner[2]})"
        case _:
            return f"{rng.choice(FUNCTIONS)}({inner[0]}) OVER (PARTITION BY {inner[1]} ORDER BY {inner[2]})"


def broken(rng: random.Random, text: str) -> str:
    """A text with words lost, repeated, exchanged or put in."""
    words = text.split(" ")
    for _ in range(rng.randint(1, 3)):
        at, other = rng.randrange(len(words)), rng.randrange(len(words))
        match rng.randrange(5):
            case 0 if len(words) > 1:
                del words[at]
            case 1:
                words.insert(at, words[other])
            case 2:
                words[at], words[other] = words[other], words[at]
            case 3:
                words[at] = words[at][: len(words[at]) // 2]
            case _:
                words.insert(at, rng.choice(SPICE))
    return " ".join(words)


def nested(rng: random.Random) -> str:
    """Something inside itself."""
    depth = rng.randint(2, 300)
    before, after = rng.choice(
        (
            ("(", ")"),
            ("(SELECT ", ")"),
            ("CASE WHEN ", " THEN 1 END"),
            ("NOT ", ""),
            ("[", "]"),
            ("- ", ""),
            ("abs(", ")"),
        )
    )
    return f"SELECT {before * depth}1{after * rng.choice((depth, depth, depth - 1))}"
