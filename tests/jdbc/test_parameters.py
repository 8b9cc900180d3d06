"""PreparedStatement: every parameter type, in and out, bound again, in batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jpype
import pytest

from tests.jdbc.driver import Jdbc, byte_array, failure, java, records

Make = Callable[..., str]

UUID = "0190a6b4-5bd9-7c3c-8d5e-1f2a3b4c5d6e"
BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Case:
    """A column's type, the setter and getter for it, and a way to make each value once the JVM runs."""

    declared: str
    setter: str
    getter: str
    values: Callable[[], list[Any]]
    parameter: str

    def __str__(self) -> str:
        return f"{self.declared}-{self.setter}"


def _of(name: str, *texts: str) -> Callable[[], list[Any]]:
    return lambda: [java(name).valueOf(text) for text in texts]


def _decimals(*texts: str) -> Callable[[], list[Any]]:
    return lambda: [java("java.math.BigDecimal")(text) for text in texts]


_MOMENTS = ("1969-12-31 23:59:59.999", "2024-02-29 12:34:56.789")
_TIMESTAMPS = _of("java.sql.Timestamp", *_MOMENTS)
_TIMES = _of("java.sql.Time", "00:00:00", "23:59:59")

CASES = [
    Case("TINYINT", "setByte", "getByte", lambda: [jpype.JByte(n) for n in (-128, 0, 127)], "TINYINT"),
    Case("SMALLINT", "setShort", "getShort", lambda: [jpype.JShort(n) for n in (-(2**15), 2**15 - 1)], "SMALLINT"),
    Case("INT", "setInt", "getInt", lambda: [jpype.JInt(n) for n in (-(2**31), 2**31 - 1)], "INTEGER"),
    Case("BIGINT", "setLong", "getLong", lambda: [jpype.JLong(n) for n in (-(2**63), 2**63 - 1)], "BIGINT"),
    Case("TINYINT UNSIGNED", "setShort", "getInt", lambda: [jpype.JShort(n) for n in (0, 127)], "TINYINT"),
    Case("SMALLINT UNSIGNED", "setInt", "getInt", lambda: [jpype.JInt(n) for n in (0, 65_535)], "SMALLINT"),
    Case("INT UNSIGNED", "setLong", "getLong", lambda: [jpype.JLong(n) for n in (0, 2**31 - 1)], "INTEGER"),
    Case("BIGINT UNSIGNED", "setLong", "getLong", lambda: [jpype.JLong(n) for n in (0, 2**63 - 1)], "BIGINT"),
    Case("FLOAT", "setFloat", "getFloat", lambda: [jpype.JFloat(n) for n in (-1.5, 0.0, 2.0**100)], "FLOAT"),
    Case("DOUBLE", "setDouble", "getDouble", lambda: [jpype.JDouble(n) for n in (5e-324, -1e300)], "DOUBLE"),
    Case("DECIMAL(10,2)", "setBigDecimal", "getBigDecimal", _decimals("-12.34", "99999999.99"), "DECIMAL"),
    Case("DECIMAL(38,0)", "setBigDecimal", "getBigDecimal", _decimals("9" * 38, "-" + "9" * 38), "DECIMAL"),
    Case("BOOLEAN", "setBoolean", "getBoolean", lambda: [True, False], "BOOLEAN"),
    Case("TEXT", "setString", "getString", lambda: ["", "it's ünï\n", "x" * 100_000], "VARCHAR"),
    Case("BYTEA", "setBytes", "getBytes", lambda: [byte_array(data) for data in (b"\0\xff", bytes(256))], "VARBINARY"),
    Case("DATE", "setDate", "getDate", _of("java.sql.Date", "1969-12-31", "2024-02-29"), "DATE"),
    Case("TIME(3)", "setTime", "getTime", _TIMES, "TIME"),
    Case("TIMESTAMP(3)", "setTimestamp", "getTimestamp", _TIMESTAMPS, "TIMESTAMP"),
    Case("TIMESTAMP(3) WITH TIME ZONE", "setTimestamp", "getTimestamp", _TIMESTAMPS, "TIMESTAMP_WITH_TIMEZONE"),
    Case("UUID", "setString", "getString", lambda: [UUID], "VARCHAR"),
]

FINE_CASES = [
    Case("TIME", "setTime", "getTime", _TIMES, "TIME"),
    Case("TIMESTAMP", "setTimestamp", "getTimestamp", _TIMESTAMPS, "TIMESTAMP"),
    Case("TIMESTAMP(9)", "setTimestamp", "getTimestamp", _TIMESTAMPS, "TIMESTAMP"),
]
"""Finer than milliseconds, which is all that the driver can send."""

every_type = pytest.mark.parametrize("case", CASES, ids=str)


def plain(value: Any) -> Any:
    """A Java value as one that Python compares."""
    return bytes(value) if isinstance(value, java("byte[]")) else value


def insert(db: Jdbc, t: str, case: Case, values: list[Any]) -> None:
    """Insert numbered values with a prepared statement."""
    statement = db.prepare(f"INSERT INTO {t} VALUES (?, ?)")
    for number, value in enumerate(values):
        statement.setInt(1, number)
        getattr(statement, case.setter)(2, value)
        assert statement.executeUpdate() == 1


@every_type
def test_bound_values_come_back(db: Jdbc, make: Make, case: Case) -> None:
    """What a setter sends is what the getter returns."""
    t = make(f"id INT PRIMARY KEY, c {case.declared}")
    values = case.values()
    insert(db, t, case, values)
    found = db.rows(f"SELECT id, c FROM {t} ORDER BY id", "getInt", case.getter)
    assert [(number, plain(value)) for number, value in found] == [(n, plain(v)) for n, v in enumerate(values)]


@every_type
def test_a_bound_value_finds_its_row(db: Jdbc, make: Make, case: Case) -> None:
    """`WHERE c = ?` has a parameter of the column's type."""
    t = make(f"id INT PRIMARY KEY, c {case.declared}")
    values = case.values()
    insert(db, t, case, values)
    statement = db.prepare(f"SELECT id FROM {t} WHERE c = ?")
    for number, value in enumerate(values):
        getattr(statement, case.setter)(1, value)
        assert list(records(db.keep(statement.executeQuery()), "getInt")) == [(number,)]


@every_type
def test_null_is_bound(db: Jdbc, make: Make, case: Case) -> None:
    """NULL is stored, and the getter then says wasNull."""
    t = make(f"id INT PRIMARY KEY, c {case.declared}")
    statement = db.prepare(f"INSERT INTO {t} VALUES (?, ?)")
    statement.setInt(1, 1)
    statement.setNull(2, java("java.sql.Types").NULL)
    assert statement.executeUpdate() == 1
    found = db.query(f"SELECT c FROM {t}")
    assert found.next()
    getattr(found, case.getter)(1)
    assert found.wasNull()


@every_type
def test_a_parameter_is_described(db: Jdbc, make: Make, case: Case) -> None:
    """ParameterMetaData has the column's type."""
    t = make(f"id INT PRIMARY KEY, c {case.declared}")
    described = db.prepare(f"INSERT INTO {t} VALUES (?, ?)").getParameterMetaData()
    assert described.getParameterCount() == 2
    assert described.getParameterType(2) == getattr(java("java.sql.Types"), case.parameter)


@pytest.mark.parametrize("case", FINE_CASES, ids=str)
def test_finer_times_are_bound(db: Jdbc, make: Make, case: Case) -> None:
    """Values of whole milliseconds arrive as they are in columns of microseconds and nanoseconds."""
    t = make(f"id INT PRIMARY KEY, c {case.declared}")
    values = case.values()
    insert(db, t, case, values)
    assert db.rows(f"SELECT c FROM {t} ORDER BY id", case.getter) == [(value,) for value in values]


def test_exact_moments_are_bound_as_text(db: Jdbc, make: Make) -> None:
    """With a cast a parameter is text, which carries what java.sql.Timestamp cannot."""
    t = make("id INT PRIMARY KEY, c TIMESTAMP")
    statement = db.prepare(f"INSERT INTO {t} SELECT 1, CAST(? AS TIMESTAMP)")
    statement.setString(1, "2024-02-29 12:34:56.789123")
    assert statement.executeUpdate() == 1
    assert db.row(f"SELECT c FROM {t}", "getString") == ("2024-02-29 12:34:56.789123",)


def test_arrays_are_bound(db: Jdbc, make: Make) -> None:
    """A LIST column takes what createArrayOf makes."""
    t = make("id INT PRIMARY KEY, c LIST<INT>")
    statement = db.prepare(f"INSERT INTO {t} VALUES (?, ?)")
    statement.setInt(1, 1)
    numbers = jpype.JArray(java("java.lang.Object"))([java("java.lang.Integer")(n) for n in (3, 1, 2)])
    statement.setArray(2, db.connection.createArrayOf("INTEGER", numbers))
    assert statement.executeUpdate() == 1
    found = db.query(f"SELECT c FROM {t}")
    assert found.next()
    assert list(found.getArray(1).getArray()) == [3, 1, 2]


@pytest.mark.parametrize("values", ["?, 'new'", "1 + ?, 'new'", "CAST(? AS BIGINT), 'new'"])
def test_parameters_stand_beside_literals(db: Jdbc, make: Make, values: str) -> None:
    """In VALUES a parameter has its column's type wherever it stands."""
    t = make()
    statement = db.prepare(f"INSERT INTO {t} VALUES ({values})")
    statement.setLong(1, 1)
    assert statement.executeUpdate() == 1


def test_a_limit_is_bound(db: Jdbc, make: Make) -> None:
    """LIMIT and OFFSET take integers."""
    t = make()
    db.run(f"INSERT INTO {t} SELECT value, 's' FROM unnest([1, 2, 3, 4]) AS u(value)")
    statement = db.prepare(f"SELECT id FROM {t} ORDER BY id LIMIT ? OFFSET ?")
    statement.setInt(1, 2)
    statement.setInt(2, 1)
    assert list(records(db.keep(statement.executeQuery()), "getLong")) == [(2,), (3,)]


def test_a_statement_is_bound_again(db: Jdbc, make: Make) -> None:
    """A prepared query gives each value its own result."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 'one'), (2, 'two')")
    statement = db.prepare(f"SELECT s FROM {t} WHERE id = ?")
    for number, expected in [(1, [("one",)]), (2, [("two",)]), (3, []), (1, [("one",)])]:
        statement.setLong(1, number)
        assert list(records(db.keep(statement.executeQuery()), "getString")) == expected


def test_a_prepared_query_describes_its_result_before_it_runs(db: Jdbc, make: Make) -> None:
    """Tools read the columns of a prepared statement."""
    described = db.prepare(f"SELECT id AS key, s FROM {make()}").getMetaData()
    assert [described.getColumnName(position) for position in (1, 2)] == ["key", "s"]


def test_updates_and_deletes_count_their_rows(db: Jdbc, make: Make) -> None:
    """An update returns how many rows changed."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'a'), (3, 'b')")
    statement = db.prepare(f"UPDATE {t} SET s = ? WHERE s = ?")
    statement.setString(1, "c")
    statement.setString(2, "a")
    assert statement.executeUpdate() == 2
    statement = db.prepare(f"DELETE FROM {t} WHERE s = ?")
    statement.setString(1, "c")
    assert statement.executeLargeUpdate() == 2
    assert db.rows(f"SELECT id, s FROM {t}") == [(3, "b")]


def test_a_batch_is_inserted_at_once(db: Jdbc, make: Make) -> None:
    """A batch of rows is one stream; the driver reports one count for all of it."""
    t = make()
    statement = db.prepare(f"INSERT INTO {t} VALUES (?, ?)")
    for number in range(BATCH_ROWS):
        statement.setLong(1, number)
        statement.setString(2, f"row {number}")
        statement.addBatch()
    assert sum(statement.executeBatch()) == BATCH_ROWS
    assert db.row(f"SELECT count(*), max(id) FROM {t}") == (BATCH_ROWS, BATCH_ROWS - 1)


def test_a_batch_updates_and_deletes(db: Jdbc, make: Make) -> None:
    """Each row of a batch is one run of the statement."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    update = db.prepare(f"UPDATE {t} SET s = ? WHERE id = ?")
    delete = db.prepare(f"DELETE FROM {t} WHERE id = ?")
    for number in (1, 2, 9):
        update.setString(1, f"new {number}")
        update.setLong(2, number)
        update.addBatch()
    for number in (3, 9):
        delete.setLong(1, number)
        delete.addBatch()
    assert sum(update.executeBatch()) == 2
    assert sum(delete.executeBatch()) == 1
    assert db.rows(f"SELECT id, s FROM {t} ORDER BY id") == [(1, "new 1"), (2, "new 2")]


def test_a_batch_is_all_or_nothing(db: Jdbc, make: Make) -> None:
    """A row that breaks a rule takes the whole batch with it."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (2, 'old')")
    statement = db.prepare(f"INSERT INTO {t} VALUES (?, ?)")
    for number in (1, 2, 3):
        statement.setLong(1, number)
        statement.setString(2, "new")
        statement.addBatch()
    assert f"duplicate key in table public.{t}: id = 2 exists already" in failure(statement.executeBatch)
    assert db.rows(f"SELECT id, s FROM {t}") == [(2, "old")]


def test_a_parameter_too_many_is_an_error(db: Jdbc, make: Make) -> None:
    """The driver knows how many parameters a statement has."""
    statement = db.prepare(f"SELECT s FROM {make()} WHERE id = ?")
    assert failure(lambda: statement.setLong(2, 1)) == "parameter ordinal 2 out of range"


def test_a_parameter_that_is_not_bound_is_an_error(db: Jdbc, make: Make) -> None:
    """A query with a parameter does not run without its value."""
    statement = db.prepare(f"SELECT s FROM {make()} WHERE id = ?")
    assert failure(statement.executeQuery)


def test_generated_keys_are_refused(db: Jdbc, make: Make) -> None:
    """The driver has no getGeneratedKeys; asking for it is an error and not an empty answer."""
    sql, keys = f"INSERT INTO {make()} VALUES (1, 'a')", java("java.sql.Statement").RETURN_GENERATED_KEYS
    with pytest.raises(java("java.sql.SQLFeatureNotSupportedException")):
        db.statement().executeUpdate(sql, keys)
