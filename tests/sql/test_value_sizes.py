"""How large values may become: every function of the engine is in a class, and makes no more than its class says."""

import math

import pytest
from datafusion import SessionContext

from catalog.errors import DatabaseError, ErrorKind
from catalog.plain import plain_bytes
from flightserver.sql.meaning import value_sizes
from flightserver.sql.meaning.plan_counts import plan_size
from flightserver.sql.text.queries import query_of
from flightserver.sql.text.query_text import QueryText
from providers.engine.session import WITHHELD_FUNCTIONS

CLASSES = (
    value_sizes.SMALL,
    value_sizes.PARTS,
    value_sizes.GATHERED,
    value_sizes.MULTIPLIED.keys(),
    value_sizes.MULTIPLYING.keys(),
)
LETTERS = 200
ARGUMENTS = {
    "text": f"'{'a' * LETTERS}'",
    "binary": f"CAST('{'a' * LETTERS}' AS BYTEA)",
    "texts": f"['{'a' * LETTERS}', '{'b' * LETTERS}']",
    "numbers": f"[{', '.join(map(str, range(LETTERS)))}]",
    "moment": "TIMESTAMP '2026-01-01 00:00:00'",
    "number": "7",
}
CONSTANT = 200
"""What a value may take beside what it is made of."""


def largest(text: str) -> int:
    """The largest value of a query, in bytes."""
    read = QueryText(text)
    return plan_size(read, query_of(read), lambda _: None).largest


def allowed(text: str) -> float:
    """How large a value of a query may be; without end where it is refused."""
    try:
        return largest(text) + CONSTANT
    except DatabaseError:
        return math.inf


def test_every_function_is_in_one_class() -> None:
    """A function that a new engine brings must be put into one, or be withheld."""
    session = SessionContext()
    found = {*session.udfs(), *session.udafs(), *session.udwfs()} - WITHHELD_FUNCTIONS
    classified = [name for names in CLASSES for name in names]
    assert found - set(classified) == set()
    assert len(classified) == len(set(classified))


def calls(name: str) -> list[str]:
    """A function with some of each sort of arguments, and with small ones behind a large one."""
    found = [f"{name}({value})" for value in ARGUMENTS.values()]
    found += [f"{name}({', '.join([ARGUMENTS[sort]] * count)})" for sort in ("text", "texts") for count in (2, 3)]
    found += [
        f"{name}({large}, {small})" for large in (ARGUMENTS["text"], ARGUMENTS["texts"]) for small in ("'a'", "7")
    ]
    text = ARGUMENTS["text"]
    return [*found, f"{name}({ARGUMENTS['binary']}, 'hex')", *(f"{name}({text}, 'a', 'bcd'{g})" for g in ("", ", 'g'"))]


def made(session: SessionContext, call: str) -> int:
    """How many bytes a call makes; 0 where it takes no such arguments."""
    try:
        (batch,) = session.sql(f"SELECT {call}").collect()
    except Exception:  # noqa: BLE001 - what the engine raises for calls that make no sense
        return 0
    return plain_bytes(batch.column(0))


def test_no_function_makes_more_than_its_class_says() -> None:
    """Asked of the engine itself, with arguments that are large, small, and many."""
    session, beyond = SessionContext(), []
    for name in session.udfs():
        if name in WITHHELD_FUNCTIONS or name.startswith("list_"):  # other names of what begins with `array_`
            continue
        beyond += [call[:80] for call in calls(name) if made(session, call) > allowed(f"SELECT {call}")]
    assert beyond == []


def nested(function: str, inner: str, others: str, depth: int) -> str:
    """A function within itself."""
    return f"{function}(" * depth + inner + f", {others})" * depth


LONG = "x" * 1_000
HEX = nested("encode", "s", "'hex'", 30)
VAST = {
    "replace": "SELECT " + nested("replace", "ten_letters", f"'a', '{LONG}'", 3),
    "regexp_replace": "SELECT " + nested("regexp_replace", "s", r"'(.+)', '\1\1\1\1', 'g'", 9),
    "encode": f"SELECT length({HEX}) FROM t",
    "in a condition": f"SELECT 1 FROM t WHERE length({HEX}) > 1",
    "in an order": f"SELECT 1 FROM t ORDER BY {HEX}",
    "of an aggregate": f"SELECT replace(string_agg(s, ','), ',', '{LONG}') FROM t",
    "of a sub-query": f"SELECT replace((SELECT '{LONG * 10}'), 'a', '{LONG}')",
    "of values": f"SELECT replace(q.s, 'a', '{LONG}') FROM (VALUES ('{LONG * 10}')) q(s)",
}


@pytest.mark.parametrize("name", VAST)
def test_what_multiplies_is_refused(name: str) -> None:
    """Before a plan is made, which would work out constants at once."""
    with pytest.raises(DatabaseError, match="a value of the statement may take") as caught:
        largest(VAST[name])
    assert caught.value.kind is ErrorKind.RESOURCES


@pytest.mark.parametrize("doubled", ["x || x", "concat(x, x)", "array_concat(x, x)", "[x, x]", "struct(x, x)"])
def test_doubling_from_step_to_step_is_refused(doubled: str) -> None:
    """Sizes go with the names of columns, through common tables and sub-queries."""
    steps = ["s0 AS (SELECT s AS x FROM t)"]
    steps += [f"s{n} AS (SELECT {doubled} AS x FROM (SELECT * FROM s{n - 1}) q)" for n in range(1, 30)]
    with pytest.raises(DatabaseError, match="multiplies texts or lists"):
        largest(f"WITH {', '.join(steps)} SELECT 1 FROM s29")


def test_a_recursive_step_may_add_but_not_double() -> None:
    """A path grows by a name at each step."""
    path = "WITH RECURSIVE r AS (SELECT s AS p FROM t UNION ALL SELECT {} FROM r, t) SELECT p FROM r"
    assert largest(path.format("p || '/' || t.s")) < 1_000
    with pytest.raises(DatabaseError, match="may double"):
        largest(path.format("p || '/' || p"))


def test_what_people_write_is_small() -> None:
    """Chains of functions that clean texts, join names and pick parts are far from the limit."""
    cleaned = "s"
    for letter, instead in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), (" ", "-"), ("&", ""), ("é", "e")) * 5:
        cleaned = f"replace({cleaned}, '{letter}', '{instead}')"
    for expression in (
        f"trim(lower({cleaned}))",
        "replace(replace(replace(replace(s, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '\"', '&quot;')",
        " || ' ' || ".join(["s"] * 20),
        "concat_ws(', ', s, s, s, s, s)",
        "CASE WHEN s LIKE 'a%' THEN upper(s) ELSE regexp_replace(s, '^a+', '') END",
        "string_agg(s || ',', ';')",
    ):
        assert largest(f"SELECT {expression} FROM t") < 1 << 20, expression


def test_gathering_what_was_gathered_multiplies_nothing() -> None:
    """Texts of groups are put together to one text of all."""
    of_groups = "SELECT string_agg(s, ',') AS texts FROM t GROUP BY length(s)"
    assert largest(f"SELECT string_agg(texts, ';') FROM ({of_groups}) AS g") <= 1 << 20
