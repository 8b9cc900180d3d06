"""Each type of SQLAlchemy and of the dialect: as a value of a column, as a parameter, as an expression, as a result."""

import datetime as dt
import decimal
import enum
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import types
from sqlalchemy.types import TypeEngine

from flightserver.dialect import types as own

pytestmark = pytest.mark.proof


class Colour(enum.Enum):
    """Something to choose from."""

    RED = 1
    BLUE = 2


SPAN = dt.timedelta(days=-1, hours=2, microseconds=3)
NOON = dt.datetime(2024, 2, 29, 12, 0, 1, 123456)
LONG_AGO = dt.datetime(1, 1, 1)
ID = uuid.UUID("0190a6b4-5bd9-7c3c-8d5e-1f2a3b4c5d6e")

CASES: list[tuple[TypeEngine[Any], Any]] = [
    (types.Integer(), 2**40),
    (types.INTEGER(), -(2**31)),
    (types.SmallInteger(), -(2**15)),
    (types.SMALLINT(), 2**15 - 1),
    (types.BigInteger(), -(2**63)),
    (types.BIGINT(), 2**63 - 1),
    (types.Numeric(), decimal.Decimal("1.5")),
    (types.Numeric(38, 0), decimal.Decimal("9" * 38)),
    (types.Numeric(10, 2, asdecimal=False), 1.25),
    (types.NUMERIC(), decimal.Decimal("-1.5")),
    (types.DECIMAL(12, 3), decimal.Decimal("1.125")),
    (types.Float(), 1.5e300),
    (types.Float(24), 1.5),
    (types.Float(asdecimal=True), decimal.Decimal("1.5")),
    (types.FLOAT(), float("-inf")),
    (types.REAL(), -1.5),
    (types.Double(), 5e-324),
    (types.DOUBLE(), 1.5),
    (types.DOUBLE_PRECISION(), 1.5),
    (types.Boolean(), True),
    (types.BOOLEAN(), False),
    (types.String(), "it's %s :x ? \\"),
    (types.String(20), ""),
    (types.Text(), "x" * 10_000),
    (types.Unicode(), "ünï"),
    (types.UnicodeText(), "\N{GRINNING FACE}"),
    (types.VARCHAR(9), "x"),
    (types.NVARCHAR(9), "x"),
    (types.CHAR(3), "abc"),
    (types.NCHAR(3), "abc"),
    (types.CLOB(), "x"),
    (types.TEXT(), "x"),
    (types.Enum(Colour), Colour.BLUE),
    (types.Enum("a", "b"), "b"),
    (types.LargeBinary(), bytes(range(256))),
    (types.BLOB(), b""),
    (types.BINARY(3), b"abc"),
    (types.VARBINARY(9), b"\0"),
    (types.PickleType(), {"a": [1]}),
    (types.JSON(none_as_null=True), {"a": [1, None, "it's"]}),
    (types.Date(), LONG_AGO.date()),
    (types.DATE(), dt.date(9999, 12, 31)),
    (types.DateTime(), LONG_AGO),
    (types.DateTime(timezone=True), NOON.replace(tzinfo=dt.UTC)),
    (types.DATETIME(), NOON),
    (types.TIMESTAMP(), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    (types.TIMESTAMP(timezone=True), LONG_AGO.replace(tzinfo=dt.UTC)),
    (types.Time(), dt.time(23, 59, 59, 999999)),
    (types.TIME(), dt.time(0)),
    (types.Interval(), SPAN),
    (types.Uuid(), ID),
    (types.Uuid(as_uuid=False), str(ID)),
    (types.Uuid(native_uuid=False), ID),
    (types.UUID(), ID),
    (types.ARRAY(types.Integer), [1, None, 2**40]),
    (types.ARRAY(types.Integer), []),
    (types.ARRAY(types.String, dimensions=2), [["a"], ["it's", None], []]),
    (types.ARRAY(types.Numeric(9, 2)), [decimal.Decimal("1.25")]),
    (types.ARRAY(types.DateTime), [NOON, None]),
    (types.ARRAY(types.Time), [dt.time(1, 2, 3, 4)]),
    (types.ARRAY(types.Interval), [SPAN, None]),
    (types.ARRAY(types.Uuid), [ID, None]),
    (types.ARRAY(types.Enum(Colour)), [Colour.RED]),
    (types.ARRAY(types.JSON), [{"a": 1}]),
    (types.ARRAY(types.LargeBinary), [b"\0"]),
    (types.ARRAY(types.Boolean, as_tuple=True), (True, None)),
    (own.TINYINT(), -128),
    (own.UnsignedInteger("BIGINT"), 2**64 - 1),
    (own.UnsignedInteger("TINYINT"), 255),
    (own.FLOAT16(), 1.5),
    (own.TIME(3), dt.time(1, 2, 3, 4000)),
    (own.TIME(9), dt.time(1, 2, 3, 4)),
    (own.TIMESTAMP(3), NOON.replace(microsecond=123000)),
    (own.TIMESTAMP(9), NOON),
    (own.TIMESTAMP(6, "Europe/Berlin"), NOON.replace(tzinfo=dt.UTC)),
    (own.STRUCT("a INT, b TEXT"), {"a": 1, "b": None}),
]
WITHOUT_LITERALS = (types.PickleType,)
"""Types that SQLAlchemy has no literals of."""

ABSTRACT = {
    "Concatenable",
    "ExternalType",
    "Indexable",
    "Emulated",
    "MatchType",
    "NullType",
    "NumericCommon",
    "TupleType",
    "TypeDecorator",
    "TypeEngine",
    "TypeEngineMixin",
    "UserDefinedType",
    "Variant",
    "_Binary",
}
"""What no column has."""

every_type = pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{n}-{type_!r}" for n, (type_, _) in enumerate(CASES)]
)


@pytest.fixture(scope="module")
def tables(engine: sa.Engine) -> Iterator[list[sa.Table]]:
    """A table for each case: row 1 has the value, row 2 has NULL."""
    metadata = sa.MetaData()
    made = [
        sa.Table(f"every_type_{number}", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("c", type_))
        for number, (type_, _) in enumerate(CASES)
    ]
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table, (_, value) in zip(made, CASES, strict=True):
            connection.execute(table.insert(), {"id": 1, "c": value})
            connection.execute(table.insert(), {"id": 2, "c": None})
    yield made
    metadata.drop_all(engine)


class Column:
    """A column of one type, and the ways to ask about it."""

    def __init__(self, connection: sa.Connection, table: sa.Table, value: Any) -> None:
        self.connection = connection
        self.table = table
        self.type = table.c.c.type
        self.value = value

    def literal(self) -> sa.ColumnElement[Any]:
        """The value by itself."""
        return sa.literal(self.value, self.type)

    def scalar(self, expression: Any, row: int = 1) -> Any:
        """What an expression over a row is."""
        return self.connection.scalar(sa.select(expression).where(self.table.c.id == row))

    def written_out(self, statement: sa.ClauseElement) -> sa.CursorResult[Any]:
        """The result of a statement with literals in the place of parameters."""
        compiled = statement.compile(self.connection.engine, compile_kwargs={"literal_binds": True})
        return self.connection.exec_driver_sql(str(compiled))


@pytest.fixture
def column(engine: sa.Engine, tables: list[sa.Table], number: int) -> Iterator[Column]:
    """The column of a case, in a transaction that is rolled back."""
    with engine.connect() as connection:
        yield Column(connection, tables[number], CASES[number][1])


def test_no_type_is_forgotten() -> None:
    """A new version of SQLAlchemy may bring another."""
    found = {type_ for type_ in vars(types).values() if isinstance(type_, type) and issubclass(type_, TypeEngine)}
    covered = {type(type_) for type_, _ in CASES}
    assert {type_.__name__ for type_ in found - covered} <= ABSTRACT


@every_type
def test_a_value_comes_back(column: Column) -> None:
    """From a column, and so does NULL."""
    assert column.scalar(column.table.c.c) == column.value
    assert column.scalar(column.table.c.c, row=2) is None


@every_type
def test_rows_are_inserted_in_every_way(column: Column) -> None:
    """Many at once, several of one statement, from a query, and as literals."""
    table, value = column.table, column.value
    column.connection.execute(table.insert(), [{"id": 3, "c": value}, {"id": 4, "c": None}])
    column.connection.execute(table.insert().values([{"id": 5, "c": value}, {"id": 6, "c": value}]))
    column.connection.execute(table.insert().from_select(["id", "c"], sa.select(table.c.id + 6, table.c.c)))
    if not isinstance(column.type, WITHOUT_LITERALS):
        column.written_out(table.insert().values(id=20, c=value))
    found = column.connection.scalars(sa.select(table.c.c).where(table.c.c.is_not(None))).all()
    assert found == [value] * (8 if isinstance(column.type, WITHOUT_LITERALS) else 9)


@every_type
def test_a_row_is_updated(column: Column) -> None:
    """To a value, to another column, to NULL."""
    table = column.table
    column.connection.execute(table.update().where(table.c.id == 2).values(c=column.value))
    assert column.scalar(table.c.c, row=2) == column.value
    column.connection.execute(table.update().values(c=table.c.c))
    assert column.scalar(table.c.c, row=2) == column.value
    column.connection.execute(table.update().values(c=sa.null()))
    assert column.scalar(table.c.c) is None


@every_type
def test_a_parameter_finds_its_row(column: Column) -> None:
    """By equality, in a list, in a sub-query."""
    c, key = column.table.c.c, column.table.c.id
    inner = sa.select(column.table).subquery()
    for condition in (c == column.literal(), c.in_([column.value, column.value]), c.in_(sa.select(c))):
        assert column.connection.scalars(sa.select(key).where(condition)).all() == [1]
    assert column.connection.scalars(sa.select(inner.c.id).where(inner.c.c == column.literal())).all() == [1]


@every_type
def test_a_literal_finds_its_row(column: Column) -> None:
    """As the parameter does."""
    if isinstance(column.type, WITHOUT_LITERALS):
        return
    statement = sa.select(column.table.c.id).where(column.table.c.c == column.literal())
    assert column.written_out(statement).scalars().all() == [1]


@every_type
def test_an_expression_has_the_value(column: Column) -> None:
    """A condition, an alternative, a cast, a group, an order, a distinct row, a union, a scalar sub-query."""
    c, key, value = column.table.c.c, column.table.c.id, column.value
    assert column.scalar(sa.case((key == 1, c), else_=column.literal())) == value
    assert column.scalar(sa.case((key == 1, column.literal()), else_=c)) == value
    assert column.scalar(sa.cast(c, column.type)) == value
    assert column.scalar(sa.select(c).where(key == 1).scalar_subquery()) == value
    present = sa.select(c).where(c.is_not(None))
    assert column.connection.scalars(present.order_by(c)).all() == [value]
    assert column.connection.scalars(present.distinct()).all() == [value]
    assert column.connection.execute(sa.select(c, sa.func.count()).where(key == 1).group_by(c)).all() == [(value, 1)]
    assert column.connection.scalars(sa.union_all(present, present)).all() == [value, value]


@every_type
def test_a_parameter_is_a_result(column: Column) -> None:
    """By itself, with its type, and so is a NULL that is cast to it."""
    assert column.connection.scalar(sa.select(column.literal())) == column.value
    assert column.connection.scalar(sa.select(sa.cast(sa.null(), column.type))) is None


@every_type
def test_a_declared_type_is_found_again(engine: sa.Engine, column: Column) -> None:
    """What an inspector finds declares a column that takes the same value."""
    found = sa.inspect(engine).get_columns(column.table.name)[1]["type"]
    again = sa.Table(f"{column.table.name}_again", sa.MetaData(), sa.Column("c", found))
    again.create(engine)
    column.connection.execute(again.insert().from_select(["c"], sa.select(column.table.c.c)))
    again.drop(engine)
