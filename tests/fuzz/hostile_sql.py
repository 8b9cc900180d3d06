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
    "MERGE INTO guarded USING diary ON nope WHEN MATCHED THEN DELETE",
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


def chain(first: str, step: str, steps: int, last: str = "SELECT count(*) FROM s{last}") -> str:
    """A chain of common tables with a column x, each made of the one before it."""
    tables = [f"s0 AS ({first})"]
    tables += [f"s{number} AS ({step.format(before=f's{number - 1}')})" for number in range(1, steps + 1)]
    return f"WITH {', '.join(tables)} {last.format(last=steps)}"


def within(function: str, inner: str, others: str, depth: int) -> str:
    """A function within itself."""
    return f"{function}(" * depth + inner + f", {others})" * depth


def _many(form: str, first: int, last: int) -> str:
    return ", ".join(form.format(number) for number in range(first, last))


_NUMBER, _ROWS = "SELECT 1 AS x", "SELECT n AS x FROM numbers"
_LETTERS = "a" * 1_000

DOUBLED_PLANS = {
    "common tables, crossed": chain(_NUMBER, "SELECT a.x FROM {before} a, {before} b", 25),
    "common tables, joined": chain(_NUMBER, "SELECT a.x FROM {before} a JOIN {before} b ON a.x = b.x", 25),
    "common tables, united": chain(_NUMBER, "SELECT x FROM {before} UNION ALL SELECT x FROM {before}", 25),
    "common tables, distinct": chain(_NUMBER, "SELECT x FROM {before} UNION SELECT x + 1 FROM {before}", 25),
    "common tables as conditions": chain(_ROWS, "SELECT x FROM {before} WHERE x IN (SELECT x FROM {before})", 20),
    "common tables as values": chain(_NUMBER, "SELECT x + (SELECT max(x) FROM {before}) AS x FROM {before}", 22),
    "common tables, stars": chain(_ROWS, "SELECT p.*, q.* FROM {before} p JOIN {before} q ON true", 12),
    "columns": chain(_ROWS, "SELECT *, * FROM {before}", 14, "SELECT * FROM s{last}"),
    "conditions over sums": chain(_ROWS, "SELECT x + x AS x FROM {before} WHERE x > 7", 25),
    "conditions over cases": chain(
        _ROWS, "SELECT CASE WHEN x > 0 THEN x ELSE -x END AS x FROM {before} WHERE x < 9", 22
    ),
    "views": "SELECT count(*) FROM doubled a, doubled b, doubled c, doubled d",
    "views as conditions": chain("SELECT n AS x FROM doubled", "SELECT x FROM {before} WHERE x IN (TABLE doubled)", 9),
    "a cube": f"SELECT count(*) FROM numbers GROUP BY CUBE ({_many('n % {}', 2, 32)})",
    "rollups": "SELECT 1 FROM numbers GROUP BY " + _many("ROLLUP (n % {0}, n % 1{0}, n % 2{0}, n % 3{0})", 2, 8),
    "grouping sets": "SELECT 1 FROM numbers GROUP BY " + _many("GROUPING SETS ((n % {}), (g), ())", 2, 13),
    "wide stars": f"SELECT {', '.join(['w.*'] * 60)} FROM wide w",
    "wide joins": f"SELECT 1 FROM {_many('wide w{}', 0, 150)}",
    "long values": f"WITH q(x) AS (VALUES {_many('({})', 0, 20_000)}) SELECT 1 FROM {_many('q q{}', 0, 9)}",
}
"""Short texts with plans beyond all memory."""

_TO_MANY = f"'a', '{_LETTERS}'"

VAST_VALUES = {
    "replace": f"SELECT length({within('replace', 's', _TO_MANY, 4)}) FROM numbers",
    "replace of constants": f"SELECT length({within('replace', _TO_MANY[:3], _TO_MANY, 4)})",
    "regexp_replace": f"SELECT length({within('regexp_replace', 's', _TO_MANY, 4)}) FROM numbers",
    "regexp_replace of groups": "SELECT "
    + within("regexp_replace", "s", r"'(.+)', '\1\1\1\1\1\1\1\1'", 9)
    + " FROM numbers",
    "encode": "SELECT length(" + within("encode", "s", "'hex'", 30) + ") FROM numbers",
    "translate": "SELECT length(" + within("translate", "s", "'abc', '😀😁😂'", 30) + ") FROM numbers",
    "concat": chain("SELECT s AS x FROM numbers", "SELECT concat(x, x) AS x FROM {before}", 30, "TABLE s{last}"),
    "operators": chain("SELECT s AS x FROM numbers", "SELECT x || x AS x FROM {before}", 30, "TABLE s{last}"),
    "lists": chain(_ROWS, "SELECT [x, x] AS x FROM {before}", 28, "TABLE s{last}"),
    "lists behind lists": chain("SELECT [n] AS x FROM numbers", "SELECT array_concat(x, x) AS x FROM {before}", 28),
    "structs": chain(_ROWS, "SELECT struct(x, x) AS x FROM {before}", 28, "TABLE s{last}"),
    "a recursive text": (
        "WITH RECURSIVE r AS (SELECT 'a' AS x UNION ALL SELECT x || x FROM r) SELECT max(length(x)) FROM r"
    ),
    "an aggregate": f"SELECT length(replace(string_agg(s, ''), {_TO_MANY})) FROM numbers",
    "a separator": f"SELECT length(array_to_string(array_agg(s), '{_LETTERS}')) FROM numbers",
    "repeat": "SELECT repeat('a', 1500000000)",
    "rpad": "SELECT length(rpad('a', 2000000000, 'b'))",
}
"""Values beyond all memory."""

GREEDY = {
    "a replacement of every row": f"SELECT sum(length(replace(t, 'a', '{'x' * 40}'))) FROM texts",
    "many columns in one": f"SELECT sum(length(concat({', '.join(['t'] * 16)}))) FROM texts",
    "a list of columns": f"SELECT sum(cardinality([{', '.join(['t'] * 50)}])) FROM texts",
    "a long literal with each row": f"SELECT sum(length(s || '{_LETTERS * 200}')) FROM numbers",
    "a long literal in each row": f"SELECT '{_LETTERS * 60}' AS x FROM numbers",
    "a long format": f"SELECT sum(length(to_char(DATE '2026-01-01', '{'%A' * 20_000}'))) FROM numbers",
    "letters of other alphabets": "SELECT sum(length(translate(t, 'abcdefghij', '😀😁😂😃😄😅😆😇😈😉'))) FROM texts",
    "letters in lists": "SELECT sum(cardinality(string_to_array(t, 'a'))) FROM texts",
    "a distance of texts": "SELECT levenshtein(a.t, b.t) FROM texts a, texts b WHERE a.k = 1 AND b.k = 2",
    "texts of all pairs": "SELECT length(string_agg(a.t, '')) FROM texts a, texts b",
    "lists of all pairs": "SELECT cardinality(array_agg(a.n)) FROM numbers a, few b",
    "texts joined with texts": "SELECT a.t, b.t FROM texts a JOIN texts b ON a.g = b.g",
    "texts joined and sorted": "SELECT a.t, b.t FROM texts a JOIN texts b ON a.g = b.g ORDER BY a.t, b.t",
    "texts joined and grouped": "SELECT a.t, b.t, count(*) FROM texts a, texts b GROUP BY 1, 2",
    "texts united": (
        "SELECT count(*) FROM (SELECT t FROM texts UNION SELECT t || 'x' FROM texts UNION SELECT t || 'y' FROM texts)"
    ),
    "texts in windows": "SELECT first_value(t) OVER (ORDER BY k ROWS 99 PRECEDING) || t FROM texts",
    "lists in windows": "SELECT array_agg(n) OVER (ORDER BY n) FROM numbers",
    "all pairs": "SELECT count(*) FROM numbers a, few b WHERE a.v + b.v = 0.5",
    "all pairs sorted": "SELECT a.n, b.s FROM numbers a, few b ORDER BY a.v * b.v LIMIT 10",
    "pairs of one key": "SELECT count(*) FROM numbers a JOIN few b ON a.g = b.g WHERE a.v > b.v",
    "pairs without a key": "SELECT count(*) FROM numbers a LEFT JOIN few b ON a.v < b.v AND a.s > b.s",
    "an endless recursion": "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "a recursion that doubles": (
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, (VALUES (1), (2)) q(x))"
        " SELECT count(*) FROM r"
    ),
    "groups of everything": "SELECT s, v, n, count(*) FROM numbers GROUP BY 1, 2, 3 ORDER BY 2",
    "a change of every row": "UPDATE numbers SET v = v + 1",
    "a change of every text": "UPDATE texts SET t = t || t || t",
    "a change by pairs": "UPDATE numbers SET v = b.v FROM few b WHERE numbers.g = b.g",
    "rows of pairs": "INSERT INTO copied SELECT a.n * 1000000 + b.n, a.s, a.v, a.g FROM numbers a, few b",
    "rows of pairs that exist": "INSERT INTO numbers SELECT a.* FROM numbers a, few b ON CONFLICT DO NOTHING",
    "rows of pairs that update": (
        "INSERT INTO numbers SELECT a.* FROM numbers a, few b ON CONFLICT (n) DO UPDATE SET v = excluded.v + numbers.v"
    ),
    "a deletion by pairs": "DELETE FROM numbers USING few b WHERE numbers.g = b.g AND numbers.v + b.v < 0",
}
"""Statements that take what they get: each ends at a limit, or in an answer."""
