"""Operators and functions of the language, as a table: how each is written, what it takes, and what it yields."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from tests.oracle.kinds import Kind

INT, DECIMAL, DOUBLE, TEXT, BOOL, DATE, MOMENT = Kind


class Level(IntEnum):
    """How tight an operator binds, as in PostgreSQL; its operands bind tighter, or stand in brackets."""

    OPEN = 0
    OR = 1
    AND = 2
    NOT = 3
    IS = 4
    COMPARISON = 5
    RANGE = 6
    CONCAT = 7
    SUM = 8
    PRODUCT = 9
    MINUS = 10
    CLOSED = 12


@dataclass(frozen=True)
class Form:
    """An operator or a function: `text` has a place `{0}`, `{1}`, … for each operand.

    `needs` are the levels of the operands; within brackets and between commas that is OPEN. `cost` is how much nesting
    it uses up: products cost more, so that numbers stay small. DuckDB's result is cast to `duck_type` where it is wider
    than ours, because a decimal beside a wide one loses digits there. `duck_text` says the same where it means another
    thing there.
    """

    text: str
    takes: tuple[Kind, ...]
    gives: Kind
    level: Level = Level.CLOSED
    needs: tuple[Level, ...] = ()
    duck_type: str = ""
    duck_text: str = ""
    weight: float = 1.0
    cost: int = 1

    @cached_property
    def operand_levels(self) -> tuple[Level, ...]:
        """The level that each operand needs to stand without brackets."""
        return self.needs or (Level.OPEN,) * len(self.takes)


def left_associative(symbol: str, kind: Kind, level: Level, *, weight: float = 1.0, cost: int = 1) -> Form:
    """`a symbol b` of one kind."""
    tighter = Level(level + 1) if level < Level.MINUS else Level.CLOSED
    needs = (level, level if symbol in {"AND", "OR"} else tighter)
    return Form(f"{{0}} {symbol} {{1}}", (kind, kind), kind, level, needs, weight=weight, cost=cost)


def conditions_on(kind: Kind) -> Iterator[Form]:
    """What can be asked of values of any kind."""
    pair, tight = (kind, kind), (Level.RANGE, Level.RANGE)
    for symbol, weight in (("=", 3), ("<>", 1), ("<", 1), ("<=", 1), (">", 1), (">=", 1)):
        yield Form(f"{{0}} {symbol} {{1}}", pair, BOOL, Level.COMPARISON, tight, weight=weight)
    for words in ("IS DISTINCT FROM", "IS NOT DISTINCT FROM"):
        yield Form(f"{{0}} {words} {{1}}", pair, BOOL, Level.IS, tight, weight=0.5)
    for words in ("IS NULL", "IS NOT NULL"):
        yield Form(f"{{0}} {words}", (kind,), BOOL, Level.IS, (Level.COMPARISON,), weight=0.7)
    for words in ("", "NOT "):
        between = (Level.CONCAT,) * 3
        yield Form(f"{{0}} {words}BETWEEN {{1}} AND {{2}}", (kind,) * 3, BOOL, Level.RANGE, between, weight=0.4)
        for places in (1, 2, 3):
            choices = ", ".join(f"{{{place}}}" for place in range(1, places + 1))
            needs = (Level.CONCAT, *[Level.OPEN] * places)
            yield Form(f"{{0}} {words}IN ({choices})", (kind,) * (places + 1), BOOL, Level.RANGE, needs, weight=0.3)


def rows_of(kind: Kind) -> Iterator[Form]:
    """Comparisons of rows of two values, in which NULL is unknown; DuckDB takes it for a value there."""
    places, four = ("({0}, {1})", "({2}, {3})"), (kind, INT, kind, INT)
    same = "(({0}) = ({2}) AND ({1}) = ({3}))"
    less = "(({0}) < ({2}) OR (({0}) = ({2}) AND ({1}) < ({3})))"
    for symbol, meant in (("=", same), ("<>", f"(NOT {same})"), ("<", less)):
        text = f"{places[0]} {symbol} {places[1]}"
        yield Form(text, four, BOOL, Level.COMPARISON, duck_text=meant, weight=0.2)
    listed = "({0}, {1}) IN (({2}, {3}), ({4}, {5}))"
    either = f"({same} OR {same.replace('2', '4').replace('3', '5')})"
    yield Form(listed, (*four, kind, INT), BOOL, Level.RANGE, duck_text=either, weight=0.2)


def choices_of(kind: Kind) -> Iterator[Form]:
    """Conditional values of any kind."""
    yield Form("coalesce({0}, {1})", (kind, kind), kind)
    yield Form("coalesce({0}, {1}, {2})", (kind, kind, kind), kind, weight=0.3)
    yield Form("nullif({0}, {1})", (kind, kind), kind)
    yield Form("CASE WHEN {0} THEN {1} ELSE {2} END", (BOOL, kind, kind), kind, weight=1.5)
    yield Form("CASE WHEN {0} THEN {1} END", (BOOL, kind), kind)
    yield Form(
        "CASE WHEN {0} THEN {1} WHEN {2} THEN {3} ELSE {4} END", (BOOL, kind, BOOL, kind, kind), kind, weight=0.5
    )
    yield Form("CASE {0} WHEN {1} THEN {2} ELSE {3} END", (INT, INT, kind, kind), kind, weight=0.5)
    yield Form("CASE {0} WHEN {1} THEN {2} WHEN {3} THEN {4} END", (TEXT, TEXT, kind, TEXT, kind), kind, weight=0.3)
    if kind is not BOOL:
        yield Form("greatest({0}, {1})", (kind, kind), kind, weight=0.5)
        yield Form("least({0}, {1})", (kind, kind), kind, weight=0.5)


def arithmetic(kind: Kind) -> Iterator[Form]:
    """Sums, products and signs of numbers of one kind."""
    yield left_associative("+", kind, Level.SUM, weight=2)
    yield left_associative("-", kind, Level.SUM, weight=2)
    yield left_associative("*", kind, Level.PRODUCT, cost=2)
    yield Form("-{0}", (kind,), kind, Level.MINUS, (Level.CLOSED,), weight=0.7)
    yield Form("abs({0})", (kind,), kind, weight=0.7)


LOGIC = (
    left_associative("AND", BOOL, Level.AND, weight=8),
    left_associative("OR", BOOL, Level.OR, weight=8),
    Form("NOT {0}", (BOOL,), BOOL, Level.NOT, (Level.NOT,), weight=5),
    *(
        Form(f"{{0}} IS {words}", (BOOL,), BOOL, Level.IS, (Level.COMPARISON,))
        for words in ("TRUE", "FALSE", "NOT TRUE", "NOT FALSE", "NULL")
    ),
)

NUMBERS = (
    *arithmetic(INT),
    *arithmetic(DECIMAL),
    *arithmetic(DOUBLE),
    Form("{0} % nullif({1}, 0)", (INT, INT), INT, Level.PRODUCT, (Level.PRODUCT, Level.OPEN)),
    Form("{0} / nullif({1}, 0)", (INT, INT), INT, Level.PRODUCT, (Level.PRODUCT, Level.OPEN)),
    Form("{0} / nullif({1}, 0)", (DOUBLE, DOUBLE), DOUBLE, Level.PRODUCT, (Level.PRODUCT, Level.OPEN), weight=0.5),
    Form("CASE WHEN {0} <> 0 THEN {1} / {0} END", (INT, INT), INT, needs=(Level.MINUS, Level.PRODUCT), weight=0.5),
    Form("CAST(sign({0}) AS BIGINT)", (INT,), INT, weight=0.3),
    Form("CAST({0} AS BIGINT)", (BOOL,), INT),
    Form("CAST({0} AS INT)", (INT,), INT, weight=0.3),
    Form("CAST({0} AS DECIMAL(12,2))", (INT,), DECIMAL),
    Form("CAST({0} AS DECIMAL(12,1))", (DECIMAL,), DECIMAL, weight=0.3),
    Form("CAST({0} AS DOUBLE)", (INT,), DOUBLE),
    Form("CAST({0} AS DOUBLE)", (DECIMAL,), DOUBLE),
    Form("floor({0})", (DOUBLE,), DOUBLE, weight=0.5),
    Form("ceil({0})", (DOUBLE,), DOUBLE, weight=0.5),
)

MIXED_NUMBERS = tuple(
    Form(f"{{0}} {symbol} {{1}}", (left, right), BOOL, Level.COMPARISON, (Level.RANGE, Level.RANGE), weight=0.4)
    for symbol in ("=", "<", ">=")
    for left in (INT, DECIMAL, DOUBLE)
    for right in (INT, DECIMAL, DOUBLE)
    if left is not right
)
"""Comparisons of numbers of two kinds."""

TEXTS = (
    left_associative("||", TEXT, Level.CONCAT, weight=3),
    Form("upper({0})", (TEXT,), TEXT),
    Form("lower({0})", (TEXT,), TEXT),
    Form("trim({0})", (TEXT,), TEXT),
    Form("reverse({0})", (TEXT,), TEXT, weight=0.5),
    Form("concat({0}, {1})", (TEXT, TEXT), TEXT),
    Form("substr({0}, 2)", (TEXT,), TEXT),
    Form("substr({0}, 1, 2)", (TEXT,), TEXT),
    Form("substring({0} FROM 2 FOR 2)", (TEXT,), TEXT),
    Form("left({0}, 2)", (TEXT,), TEXT),
    Form("right({0}, 2)", (TEXT,), TEXT),
    Form("replace({0}, 'a', 'xy')", (TEXT,), TEXT),
    Form("split_part({0}, 'b', 1)", (TEXT,), TEXT, weight=0.5),
    Form("CAST({0} AS VARCHAR)", (INT,), TEXT),
    Form("CAST({0} AS VARCHAR)", (BOOL,), TEXT, weight=0.5),
    Form("CAST({0} AS VARCHAR)", (DATE,), TEXT, weight=0.5),
    Form("{0} || {1}", (TEXT, INT), TEXT, Level.CONCAT, (Level.CONCAT, Level.SUM), weight=0.5),
    Form("length({0})", (TEXT,), INT, weight=2),
    Form("strpos({0}, {1})", (TEXT, TEXT), INT),
    Form("position('b' IN {0})", (TEXT,), INT, needs=(Level.CONCAT,)),
    *(
        Form(f"{{0}} {words} {pattern}", (TEXT,), BOOL, Level.RANGE, (Level.CONCAT,), weight=0.5)
        for words in ("LIKE", "NOT LIKE", "ILIKE")
        for pattern in ("'a%'", "'%b%'", "'_'", "'%'", "''")
    ),
    Form("{0} LIKE {1}", (TEXT, TEXT), BOOL, Level.RANGE, (Level.CONCAT, Level.CONCAT), weight=0.5),
    Form("starts_with({0}, {1})", (TEXT, TEXT), BOOL, weight=0.5),
)

MOMENTS = (
    Form("CAST({0} + INTERVAL '1 day' AS DATE)", (DATE,), DATE, needs=(Level.SUM,)),
    Form("CAST({0} - INTERVAL '1 month' AS DATE)", (DATE,), DATE, needs=(Level.SUM,)),
    Form("CAST({0} AS DATE)", (MOMENT,), DATE, weight=2),
    Form("CAST(date_trunc('month', {0}) AS DATE)", (DATE,), DATE),
    Form("CAST(date_trunc('year', {0}) AS DATE)", (MOMENT,), DATE),
    Form("CAST({0} AS TIMESTAMP)", (DATE,), MOMENT),
    Form("{0} + INTERVAL '90 minutes'", (MOMENT,), MOMENT, Level.SUM, (Level.SUM,)),
    Form("{0} - INTERVAL '1 day'", (MOMENT,), MOMENT, Level.SUM, (Level.SUM,)),
    Form("date_trunc('hour', {0})", (MOMENT,), MOMENT),
    Form("date_trunc('day', {0})", (MOMENT,), MOMENT),
    Form("{0} - {1}", (DATE, DATE), INT, Level.SUM, (Level.SUM, Level.PRODUCT)),
    *(
        Form(f"CAST(extract({part} FROM {{0}}) AS BIGINT)", (kind,), INT, weight=0.4)
        for part in ("year", "month", "day", "dow", "quarter")
        for kind in (DATE, MOMENT)
    ),
    Form("CAST(extract(hour FROM {0}) AS BIGINT)", (MOMENT,), INT, weight=0.5),
    *(
        Form(f"{{0}} {symbol} {{1}}", (left, right), BOOL, Level.COMPARISON, (Level.RANGE, Level.RANGE), weight=0.5)
        for symbol in ("=", "<", ">=")
        for left, right in ((DATE, MOMENT), (MOMENT, DATE))
    ),
)

WORDED = (
    *(
        Form(f"{{0}} {words} {pattern} ESCAPE '!'", (TEXT,), BOOL, Level.RANGE, (Level.CONCAT,), weight=0.4)
        for words in ("LIKE", "NOT LIKE", "ILIKE")
        for pattern in ("'a!_%'", "'a!!%'", "'_!_b'")
    ),
    *(
        Form(f"trim({side} FROM {{0}})", (TEXT,), TEXT, needs=(Level.CONCAT,), weight=0.4)
        for side in ("BOTH", "LEADING", "TRAILING 'b'", "BOTH 'a'")
    ),
    Form("('{{\"a\":' || CAST({0} AS VARCHAR) || '}}') ->> 'a'", (INT,), TEXT, Level.CONCAT, weight=0.3),
    Form(
        "{0} AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'UTC'",
        (MOMENT,),
        MOMENT,
        Level.MINUS,
        (Level.CLOSED,),
        weight=0.5,
    ),
    Form(
        "({0} AT TIME ZONE 'UTC') AT TIME ZONE 'America/New_York'",
        (MOMENT,),
        MOMENT,
        Level.MINUS,
        (Level.CLOSED,),
        weight=0.5,
    ),
    Form("{0} + ({1} % 100) * INTERVAL '1 day'", (MOMENT, INT), MOMENT, Level.SUM, (Level.SUM, Level.PRODUCT)),
    *(
        Form(f"CAST(extract({part} FROM {{0}}) AS BIGINT)", (kind,), INT, weight=0.2)
        for part in ("century", "decade", "millennium")
        for kind in (DATE, MOMENT)
    ),
)
"""What SQL has words for, and the engine others."""

SCALARS: tuple[Form, ...] = (
    *LOGIC,
    *(form for kind in Kind for form in conditions_on(kind)),
    *(form for kind in Kind for form in rows_of(kind)),
    *(form for kind in Kind for form in choices_of(kind)),
    *NUMBERS,
    *MIXED_NUMBERS,
    *TEXTS,
    *MOMENTS,
    *WORDED,
)


def known(text: str, *takes: Kind) -> Form:
    """The form that is written so."""
    return next(form for form in SCALARS if form.text == text and form.takes == takes)


AND = known("{0} AND {1}", BOOL, BOOL)
OR = known("{0} OR {1}", BOOL, BOOL)
NOT = known("NOT {0}", BOOL)
UNKNOWN = known("{0} IS NULL", BOOL)
PLUS = known("{0} + {1}", INT, INT)
EQUAL = {kind: known("{0} = {1}", kind, kind) for kind in Kind}
LESS = {kind: known("{0} < {1}", kind, kind) for kind in Kind}

ORDERED = (INT, DECIMAL, DOUBLE, TEXT, DATE, MOMENT)
"""Kinds with a least and a greatest value."""

COUNT = Form("count(*)", (), INT, weight=3)
SUM_OF_ONES = Form("coalesce(sum(CASE WHEN {0} THEN 1 ELSE 0 END), 0)", (BOOL,), INT)

AGGREGATES: tuple[Form, ...] = (
    COUNT,
    *(Form("count({0})", (kind,), INT, weight=0.3) for kind in Kind),
    *(Form("count(DISTINCT {0})", (kind,), INT, weight=0.2) for kind in Kind),
    *(Form(f"{name}({{0}})", (kind,), kind, weight=2) for name in ("min", "max") for kind in ORDERED),
    Form("sum({0})", (INT,), INT, weight=2, duck_type="BIGINT"),
    Form("sum({0})", (DECIMAL,), DECIMAL, weight=2, duck_type="DECIMAL(20,6)"),
    Form("sum({0})", (DOUBLE,), DOUBLE, weight=2),
    Form("sum(DISTINCT {0})", (INT,), INT, weight=0.5, duck_type="BIGINT"),
    Form("avg({0})", (INT,), DOUBLE),
    Form("avg({0})", (DOUBLE,), DOUBLE),
    Form("bool_and({0})", (BOOL,), BOOL),
    Form("bool_or({0})", (BOOL,), BOOL),
    Form("string_agg({0}, ',' ORDER BY {0})", (TEXT,), TEXT),
    Form("percentile_cont(0.5) WITHIN GROUP (ORDER BY {0})", (INT,), DOUBLE, weight=0.3),
)

RANKS: tuple[Form, ...] = (
    Form("row_number()", (), INT),
    Form("rank()", (), INT),
    Form("dense_rank()", (), INT),
    Form("ntile(3)", (), INT, weight=0.3),
)
"""Window functions of the order alone."""

NEIGHBOURS: tuple[Form, ...] = tuple(
    Form(text, (kind,), kind)
    for kind in Kind
    for text in ("lag({0})", "lead({0})", "lag({0}, 2)", "first_value({0})", "last_value({0})", "nth_value({0}, 2)")
)
"""Window functions that take the value of another row."""

SUMMARIES: tuple[Form, ...] = tuple(
    form for form in AGGREGATES if "DISTINCT" not in form.text and "ORDER" not in form.text
)
"""Aggregates over a frame."""
