"""SqlInfo is total, typed as clients cast it, and true of the engine where the engine can be asked."""

import datafusion
import pyarrow as pa
import pytest

from flightserver.protocol import schemas
from flightserver.protocol.sql_info import CONVERSIONS, Convert, ServerFacts, SqlInfo, build
from tests.protocol.driver_descriptor import driver_descriptor

FACTS = ServerFacts("1.2.3", "26.0.1")

STRING, BOOL, BIGINT, BITMASK, LIST, MAP = range(6)
MORE_BOOLS = [523, 524, 527, 532, 536, 537, 539, 556, 563, 565, 566, *range(572, 577)]
MEMBER_IDS = {
    STRING: [0, 1, 2, 6, 7, 504, 513, 514, 529, 530, 531],
    BOOL: [*range(3, 6), *range(9, 12), *range(500, 503), 506, 515, 516, *range(518, 522), *MORE_BOOLS],
    BIGINT: [*range(541, 556), *range(557, 563)],
    BITMASK: [8, 100, 101, 503, 505, 507, 522, 525, 526, 528, 533, 534, 535, 538, 540, 564, *range(567, 572)],
    LIST: [508, 509, 510, 511, 512],
    MAP: [517],
}
ALL_IDS = [*range(12), 100, 101, *range(500, 577)]


def value(info: int, facts: ServerFacts = FACTS) -> object:
    """Return the value of one fact."""
    return build([info], facts).column("value")[0].as_py()


@pytest.fixture(scope="module")
def engine() -> datafusion.SessionContext:
    """The engine whose abilities SqlInfo describes, with two small tables."""
    context = datafusion.SessionContext(datafusion.SessionConfig().with_information_schema(True))
    context.sql("create table t(a int, \"B\" text) as values (1, 'x')").collect()
    context.sql("create table u(a int) as values (1), (null)").collect()
    return context


def test_every_id_is_answered_once():
    """No id asks for all, which come in ascending order."""
    assert build([], FACTS).column("info_name").to_pylist() == ALL_IDS


def test_ids_are_the_drivers():
    """Names and numbers are those of the protocol's own file."""
    (enum,) = (enum for enum in driver_descriptor("FlightSql.proto").enum_type if enum.name == "SqlInfo")
    theirs = {entry.name.removeprefix("FLIGHT_SQL_").removeprefix("SQL_"): entry.number for entry in enum.value}
    assert {info.name: info.value for info in SqlInfo} == theirs


def test_outer_joins_are_bits():
    """JDBC's driver looks for bit 1, limited outer joins, and bit 2, full ones."""
    assert value(SqlInfo.OUTER_JOINS_SUPPORT_LEVEL) == 1 << 1 | 1 << 2


def test_conversion_types_are_the_drivers():
    """Names and numbers of convertible types are those of the protocol's own file."""
    (enum,) = (enum for enum in driver_descriptor("FlightSql.proto").enum_type if enum.name == "SqlSupportsConvert")
    theirs = {entry.name: entry.number for entry in enum.value}
    assert all(theirs[f"SQL_CONVERT_{kind.name}"] == kind.value for kind in Convert)


def test_table_is_exact():
    """The table has the protocol's schema and valid buffers."""
    table = build([], FACTS)
    table.validate(full=True)
    assert table.schema.equals(schemas.SQL_INFO, check_metadata=True)
    assert table.column("value").null_count == 0


def test_table_survives_ipc():
    """What clients read is what was built."""
    table = build([], FACTS)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert pa.ipc.open_stream(sink.getvalue()).read_all().to_pylist() == table.to_pylist()


@pytest.mark.parametrize("member", sorted(MEMBER_IDS))
def test_every_id_is_in_its_member(member):
    """Each value sits in the member of the union that clients cast it to."""
    ids = sorted(MEMBER_IDS[member])
    union = build(ids, FACTS).column("value").chunk(0)
    assert set(union.type_codes.to_pylist()) == {member}


def test_members_cover_all_ids():
    """The expectation itself forgets no id."""
    assert sorted(info for ids in MEMBER_IDS.values() for info in ids) == ALL_IDS


def test_asked_ids_only():
    """A request is answered with what it asks for, once each."""
    assert build([576, 0, 8, 0], FACTS).column("info_name").to_pylist() == [0, 8, 576]


def test_unknown_ids_are_skipped():
    """Drivers fail on ids that they do not know, so none is invented."""
    assert build([8, 12, 577, 10_000, 2**32 - 1], FACTS).column("info_name").to_pylist() == [8]


def test_only_unknown_ids():
    """Asking for nothing that exists gives an empty table, not everything."""
    table = build([99_999], FACTS)
    assert table.num_rows == 0
    assert table.schema.equals(schemas.SQL_INFO)


def test_versions():
    """Versions are passed in."""
    assert [value(info) for info in (0, 1, 2)] == ["flightserver", "1.2.3", "26.0.1"]


@pytest.mark.parametrize(
    ("transactions", "expected"),
    [(0, (0, False, 0, 0b1)), (1, (1, False, 3, 0b1000)), (2, (2, True, 3, 0b1000))],
)
def test_transaction_facts_agree(transactions, expected):
    """Every fact about transactions follows from the one setting."""
    facts = ServerFacts("1", "2", transactions=transactions)
    assert tuple(value(info, facts) for info in (8, 573, 562, 564)) == expected


def test_jdbc_is_promised_no_transactions():
    """Id 563 is read by a driver whose commit and rollback do nothing."""
    assert value(563, ServerFacts("1", "2", transactions=2)) is False


def test_switches():
    """Cancel, ingest in transactions, timeouts and connections are passed in."""
    facts = ServerFacts(
        "1",
        "2",
        cancel=False,
        ingest_transactions=True,
        statement_timeout_ms=5,
        transaction_timeout_ms=6,
        connections_max=7,
    )
    assert [value(info, facts) for info in (9, 11, 100, 101, 549)] == [False, True, 5, 6, 7]


def test_withheld_functions_are_not_listed():
    """A function that users may not call is not advertised."""
    facts = ServerFacts("1", "2", withheld_functions=frozenset({"repeat"}))
    assert "repeat" in value(510)
    assert "repeat" not in value(510, facts)


@pytest.mark.parametrize("info", [509, 510, 511, 512])
def test_functions_exist_in_the_engine(info, engine):
    """Every listed function is one of the engine's."""
    known = engine.sql("select distinct routine_name from information_schema.routines").to_pydict()["routine_name"]
    assert set(value(info)) <= set(known)


@pytest.mark.parametrize("info", [508, 509, 510, 511, 512])
def test_lists_are_sorted_without_repeats(info):
    """Lists can be read and compared."""
    assert value(info) == sorted(set(value(info)))


SQL_TYPES = {kind: kind.name for kind in Convert} | {Convert.BINARY: "BYTEA", Convert.BIT: "BOOLEAN"}


@pytest.mark.parametrize("source", list(Convert), ids=lambda kind: kind.name)
def test_conversions_are_planned(source, engine):
    """Every conversion that is promised can be planned."""
    for target in CONVERSIONS[source]:
        casts = f"cast(cast(null as {SQL_TYPES[source]}) as {SQL_TYPES[target]})"
        assert engine.sql(f"select {casts} as x").to_pydict() == {"x": [None]}


def test_nulls_sort_high(engine):
    """NULLs come last in ascending and first in descending order."""
    assert value(507) == 0
    assert engine.sql("select a from u order by a").to_pydict()["a"] == [1, None]
    assert engine.sql("select a from u order by a desc").to_pydict()["a"] == [None, 1]


@pytest.mark.parametrize(
    "query",
    [
        "select A from T",
        "select a as z from t",
        "select * from t zz full outer join u on zz.a = u.a",
        "select a from t order by a + 1",
        'select a from t order by "B"',
        'select count(*) from t group by a, "B"',
        "select a from t where a = (select max(a) from u where u.a = t.a)",
        "select a from t where exists (select 1 from u where u.a = t.a)",
        "select a from t where a in (select a from u)",
        "select a from t where a = any (select a from u)",
        "select a from t union select a from u",
        "select a from t union all select a from u",
        "select a from t where \"B\" like 'x\\_'",
    ],
)
def test_promised_grammar_runs(query, engine):
    """What SqlInfo says about syntax can be run."""
    assert engine.sql(query).collect() is not None


def test_null_and_text_is_null(engine):
    """Concatenating NULL gives NULL."""
    assert value(516) is True
    assert engine.sql("select null || 'a' as x").to_pydict() == {"x": [None]}
