"""The dialect as programs use it: engines, definitions, the ORM, upserts, data frames."""

import datetime as dt
import decimal
import uuid
from collections.abc import Iterator
from typing import Any

import ibis
import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from flightserver.dialect import types
from flightserver.dialect.keys import KeyNumbers
from flightserver.dialect.upsert import insert


class Base(DeclarativeBase):
    """The models of this file."""


class Person(Base):
    """Somebody with pets."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[uuid.UUID] = mapped_column(default=uuid.uuid4)
    name: Mapped[str]
    pets: Mapped[list["Pet"]] = relationship(back_populates="owner")


class Pet(Base):
    """A pet."""

    __tablename__ = "pet"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    owner: Mapped[Person] = relationship(back_populates="pets")


@pytest.fixture
def models(engine: sa.Engine) -> Iterator[sa.Engine]:
    """The engine, with the models' tables."""
    Base.metadata.create_all(engine)
    yield engine
    Base.metadata.drop_all(engine)


@pytest.fixture
def metadata(engine: sa.Engine) -> Iterator[sa.MetaData]:
    """Tables of one test."""
    metadata = sa.MetaData()
    yield metadata
    metadata.drop_all(engine)


def test_the_url_names_the_dialect(url: URL) -> None:
    """`flightserver://` is found without an import, by the entry point."""
    assert sa.create_engine(url).dialect.name == "flightserver"


def test_user_and_password_log_in(url: URL) -> None:
    """The URL's user owns what it writes to a USER table."""
    engine = sa.create_engine(url.set(username="alice", password="wonder land"))
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.literal("in"))) == "in"
    engine.dispose()


def test_a_wrong_password_is_an_error(url: URL) -> None:
    """Nobody gets in by a guess."""
    engine = sa.create_engine(url.set(username="alice", password="wonder"))
    with pytest.raises(sa.exc.DBAPIError, match="password"):
        engine.connect()


def test_orm_round_trip(models: sa.Engine) -> None:
    """Objects are stored, found by their relationship, changed and deleted."""
    with Session(models) as session:
        session.add(Person(name="ann", pets=[Pet(name="rex"), Pet(name="tom")]))
        session.commit()
        ann = session.scalars(sa.select(Person)).one()
        assert sorted(pet.name for pet in ann.pets) == ["rex", "tom"]
        ann.name = "anna"
        session.delete(ann.pets[0])
        session.commit()
    with Session(models) as session:
        assert session.scalars(sa.select(Person.name)).all() == ["anna"]
        assert session.scalar(sa.select(sa.func.count()).select_from(Pet)) == 1


def test_a_rollback_undoes_everything(models: sa.Engine) -> None:
    """Nothing of a transaction stays that was rolled back."""
    with Session(models) as session:
        session.add(Person(name="ann"))
        session.flush()
        session.rollback()
        assert session.scalars(sa.select(Person.name)).all() == []


def test_a_savepoint_undoes_its_part(models: sa.Engine) -> None:
    """What came before the savepoint stays."""
    with Session(models) as session:
        session.add(Person(name="ann"))
        with session.begin_nested() as savepoint:
            session.add(Person(name="bob"))
            session.flush()
            savepoint.rollback()
        session.commit()
        assert session.scalars(sa.select(Person.name)).all() == ["ann"]


def test_keys_that_nobody_gave_are_known_after_the_insert(models: sa.Engine) -> None:
    """The client makes the number, so that it can tell it."""
    with models.begin() as connection:
        (key,) = connection.execute(sa.insert(Person).values(name="ann")).inserted_primary_key or ()
        assert connection.scalars(sa.select(Person.id)).all() == [key]


def test_the_server_numbers_rows_of_plain_sql(models: sa.Engine) -> None:
    """The column has a DEFAULT for those who do not come through SQLAlchemy."""
    with models.begin() as connection:
        connection.exec_driver_sql("INSERT INTO pet (name, owner_id) VALUES ('rex', 1)")
        assert connection.scalar(sa.select(Pet.id)) > 2**40


def test_key_numbers_ascend() -> None:
    """No number comes twice, however fast they are made."""
    numbers = KeyNumbers()
    made = [numbers.next() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_a_key_that_exists_is_an_integrity_error(models: sa.Engine) -> None:
    """Its class is what ORMs and retry loops look for."""
    with models.begin() as connection:
        connection.execute(sa.insert(Person).values(id=1, name="ann"))
    with models.begin() as connection, pytest.raises(sa.exc.IntegrityError, match="duplicate key"):
        connection.execute(sa.insert(Person).values(id=1, name="bob"))


@pytest.mark.parametrize("row", ["(2, 'x', 1)", "(2, 'y', -1)"])
def test_a_constraint_that_is_broken_is_an_integrity_error(engine: sa.Engine, row: str) -> None:
    """UNIQUE and CHECK, too."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (k BIGINT PRIMARY KEY, u TEXT UNIQUE, v INT CHECK (v > 0))")
        connection.exec_driver_sql("INSERT INTO kept VALUES (1, 'x', 1)")
    with engine.begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.exec_driver_sql(f"INSERT INTO kept VALUES {row}")
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE kept")


def test_changes_give_back_their_rows(models: sa.Engine) -> None:
    """RETURNING of one row and of many, and of a text."""
    with models.begin() as connection:
        one = connection.execute(sa.insert(Person).values(id=51, name="ann").returning(Person.id, Person.name))
        assert one.all() == [(51, "ann")]
        many = [{"id": 52, "name": "RETURNING"}, {"id": 53, "name": "eve"}]
        assert connection.scalars(sa.insert(Person).returning(Person.id), many).all() == [52, 53]
        gone = connection.execute(sa.text("DELETE FROM person WHERE id > 51 RETURNING id"))
        assert sorted(gone.scalars()) == [52, 53]
        connection.execute(sa.delete(Person).where(Person.id == 51))


def test_a_missing_value_is_an_integrity_error(models: sa.Engine) -> None:
    """NOT NULL is kept by the server."""
    with models.begin() as connection, pytest.raises(sa.exc.IntegrityError, match="NOT NULL"):
        connection.exec_driver_sql("INSERT INTO pet (name) VALUES ('rex')")


EVERY_TYPE = {
    "TINYINT": 1,
    "TINYINT UNSIGNED": 255,
    "SMALLINT": -2,
    "SMALLINT UNSIGNED": 3,
    "INT": 4,
    "INT UNSIGNED": 5,
    "BIGINT": 6,
    "BIGINT UNSIGNED": 7,
    "FLOAT16": 1.5,
    "FLOAT": 2.5,
    "DOUBLE": 0.1,
    "DECIMAL(9,2)": decimal.Decimal("12.30"),
    "BOOLEAN": True,
    "TEXT": "ä",
    "BYTEA": b"\x00\xff",
    "DATE": dt.date(2024, 2, 29),
    "TIME(3)": dt.time(1, 2, 3, 4000),
    "TIME(6)": dt.time(1, 2, 3, 4),
    "TIME(9)": dt.time(1, 2, 3, 4),
    "TIMESTAMP(3)": dt.datetime(2024, 1, 2, 3, 4, 5, 6000),
    "TIMESTAMP(6)": dt.datetime(2024, 1, 2, 3, 4, 5, 6),
    "TIMESTAMP(9)": pd.Timestamp("2024-01-02 03:04:05.000000007"),
    "TIMESTAMP(6) WITH TIME ZONE": dt.datetime(2024, 1, 2, 3, 4, tzinfo=dt.UTC),
    "TIMESTAMP(3) WITH TIME ZONE 'Europe/Berlin'": dt.datetime(2024, 1, 2, 3, 4, tzinfo=dt.UTC),
    "UUID": uuid.UUID("01234567-89ab-cdef-0123-456789abcdef"),
    "LIST<TEXT>": ["a", None],
    "LIST<LIST<INT>>": [[1], []],
    'STRUCT<a INT, "B c" TEXT>': {"a": 1, "B c": "x"},
}


@pytest.mark.parametrize("declared", EVERY_TYPE)
def test_a_type_reflects_as_itself(engine: sa.Engine, metadata: sa.MetaData, declared: str) -> None:
    """A table made from a reflected one has the same type."""
    compiled = types.of_text(declared).compile(dialect=engine.dialect)
    sa.Table("again", metadata, sa.Column("c", types.of_text(declared)))
    metadata.create_all(engine)
    with engine.connect() as connection:
        (described,) = connection.exec_driver_sql("DESCRIBE again")
    assert described.type == declared, compiled


@pytest.mark.parametrize(("declared", "value"), EVERY_TYPE.items())
def test_a_value_comes_back(engine: sa.Engine, metadata: sa.MetaData, declared: str, value: Any) -> None:
    """Bound as a parameter, stored, read through the reflected table."""
    table = sa.Table(
        "kept", metadata, sa.Column("k", sa.INT, primary_key=True), sa.Column("v", types.of_text(declared))
    )
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"k": 1, "v": value}, {"k": 2, "v": None}])
        reflected = sa.Table("kept", sa.MetaData(), autoload_with=connection)
        assert connection.scalars(sa.select(reflected.c.v).order_by(reflected.c.k)).all() == [value, None]


def test_json_is_text(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """A JSON column keeps what it is given; the server does not look into it."""
    table = sa.Table("docs", metadata, sa.Column("k", sa.INT, primary_key=True), sa.Column("v", sa.JSON))
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), {"k": 1, "v": {"a": [1, None, "ü"]}})
        assert connection.scalar(sa.select(table.c.v)) == {"a": [1, None, "ü"]}


def test_kind_and_options_of_a_table(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """A prefix makes a USER table, `flightserver_with` sets storage options."""
    column = sa.Column("k", sa.INT, primary_key=True)
    sa.Table("mine", metadata, column, prefixes=["USER"], flightserver_with={"flush_policy": "rows:10"})
    metadata.create_all(engine)
    with engine.connect() as connection:
        assert ("public", "mine", "USER") in connection.exec_driver_sql("SHOW TABLES").all()


def test_what_would_not_be_kept_is_refused(engine: sa.Engine) -> None:
    """No promise is dropped in silence."""
    metadata = sa.MetaData()
    table = sa.Table("refused", metadata, sa.Column("k", sa.INT, primary_key=True), sa.Column("v", sa.INT))
    sa.Index("by_v", table.c.v, unique=True)
    with pytest.raises(sa.exc.CompileError, match="unenforced"):
        metadata.create_all(engine)


def test_a_check_is_the_servers(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """One of a table, and one of a column."""
    checks = sa.CheckConstraint("v < 9", name="few"), sa.Column("v", sa.INT, sa.CheckConstraint("v > 0"))
    sa.Table("checked", metadata, sa.Column("k", sa.INT, primary_key=True), *checks)
    metadata.create_all(engine)
    for value, broken in ((9, "few"), (0, "checked_v_check")):
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=broken):
            connection.exec_driver_sql(f"INSERT INTO checked VALUES (1, {value})")


def test_unique_is_the_servers_and_is_found_there(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """One of a table, and one of a column."""
    columns = sa.Column("k", sa.INT, primary_key=True), sa.Column("v", sa.INT, unique=True), sa.Column("w", sa.INT)
    sa.Table("alike", metadata, *columns, sa.UniqueConstraint("w", "v", name="both"))
    metadata.create_all(engine)
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="alike_v_key"):
        connection.exec_driver_sql("INSERT INTO alike VALUES (1, 5, 6), (2, 5, 7)")
    found = {one["name"]: one["column_names"] for one in sa.inspect(engine).get_unique_constraints("alike")}
    assert found == {"alike_v_key": ["v"], "both": ["w", "v"]}


def test_an_index_is_left_out_with_a_warning(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """It promises nothing but speed."""
    table = sa.Table("indexed", metadata, sa.Column("k", sa.INT, primary_key=True), sa.Column("v", sa.INT))
    index = sa.Index("by_v", table.c.v)
    with pytest.warns(sa.exc.SAWarning, match="index by_v on table indexed is left out"):
        metadata.create_all(engine)
    assert sa.inspect(engine).has_table("indexed")
    index.drop(engine)


def test_what_would_not_be_kept_can_be_left_out(url: URL) -> None:
    """Models that were written for another database can be used as they are."""
    engine = sa.create_engine(url, unenforced="omit")
    metadata = sa.MetaData()
    sa.Table(
        "left_out", metadata, sa.Column("k", sa.INT, primary_key=True), sa.Column("v", sa.INT, unique=True, index=True)
    )
    metadata.create_all(engine)
    assert sa.inspect(engine).has_table("left_out")
    metadata.drop_all(engine)
    engine.dispose()


def test_upsert(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """ON CONFLICT adds to the stored value, under a condition, or does nothing."""
    key = sa.Column("k", sa.BigInteger, primary_key=True, autoincrement=False)
    table = sa.Table("sums", metadata, key, sa.Column("v", sa.Integer))
    metadata.create_all(engine)
    add = insert(table)
    add = add.on_conflict_do_update({"v": table.c.v + add.excluded.v}, where=table.c.v < 10)
    with engine.begin() as connection:
        for _ in range(4):
            connection.execute(add.values(k=1, v=6))
        connection.execute(insert(table).on_conflict_do_nothing(), [{"k": 1, "v": 0}, {"k": 2, "v": 0}])
        assert connection.execute(sa.select(table).order_by(table.c.k)).all() == [(1, 12), (2, 0)]


@pytest.mark.parametrize("declared", EVERY_TYPE)
def test_upsert_takes_values(engine: sa.Engine, metadata: sa.MetaData, declared: str) -> None:
    """DO UPDATE SET takes values of every type as parameters, also for many rows."""
    value = EVERY_TYPE[declared]
    key = sa.Column("k", sa.INT, primary_key=True)
    table = sa.Table("changed", metadata, key, sa.Column("v", types.of_text(declared)))
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"k": 1}, {"k": 2}])
        change = insert(table).on_conflict_do_update({"v": value})
        connection.execute(change, [{"k": 1}, {"k": 2}])
        assert connection.scalars(sa.select(table.c.v)).all() == [value, value]
        connection.execute(insert(table).values(k=1).on_conflict_do_update({"v": None}))
        assert connection.scalars(sa.select(table.c.v).order_by(table.c.k)).all() == [None, value]


def test_upsert_takes_a_value_for_each_row(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Bound parameters of SET and of the condition come with the row."""
    key = sa.Column("k", sa.BigInteger, primary_key=True, autoincrement=False)
    table = sa.Table("bounded", metadata, key, sa.Column("v", sa.Integer))
    metadata.create_all(engine)
    change = insert(table).on_conflict_do_update(
        {"v": table.c.v + sa.bindparam("step")}, where=table.c.v < sa.bindparam("limit")
    )
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"k": 1, "v": 10}, {"k": 2, "v": 20}])
        rows = [{"k": 1, "step": 1, "limit": 15}, {"k": 2, "step": 1, "limit": 15}, {"k": 1, "step": 2, "limit": 15}]
        connection.execute(change, rows)
        assert connection.execute(sa.select(table).order_by(table.c.k)).all() == [(1, 13), (2, 20)]


def test_a_temporary_table_is_its_connections_alone(engine: sa.Engine) -> None:
    """A prefix makes one; inspectors tell it from others, and another connection does not see it."""
    column = sa.Column("k", sa.INT, primary_key=True)
    table = sa.Table("passing", sa.MetaData(), column, prefixes=["TEMPORARY"])
    with engine.connect() as connection, engine.connect() as other:
        table.create(connection)
        connection.execute(table.insert(), {"k": 1})
        assert connection.scalars(sa.select(table.c.k)).all() == [1]
        assert sa.inspect(connection).get_temp_table_names() == ["passing"]
        assert "passing" not in sa.inspect(connection).get_table_names()
        assert not sa.inspect(other).has_table("passing")
        table.drop(connection)


def test_pandas_over_an_engine(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """to_sql, read_sql and read_sql_table."""
    sa.Table("frame", metadata)
    frame = pd.DataFrame({"id": [1, 2], "s": ["a", None], "at": pd.to_datetime(["2024-01-01"] * 2), "x": [1.5, 2.5]})
    assert frame.to_sql("frame", engine, index=False, if_exists="replace") == 2
    assert frame.to_sql("frame", engine, index=False, if_exists="append") == 2
    assert pd.read_sql("SELECT count(*) AS n FROM frame", engine)["n"].tolist() == [4]
    found = pd.read_sql_table("frame", engine)
    assert found["x"].sum() == 8.0
    assert found["at"].tolist() == frame["at"].tolist() * 2


def test_pandas_writes_a_frame_with_its_index(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Which is what it does unless it is told not to: the index is a column, and its index in the table is left out."""
    sa.Table("with_index", metadata)
    frame = pd.DataFrame({"x": [1.5, 2.5]})
    with pytest.warns(sa.exc.SAWarning, match="ix_with_index_index"):
        assert frame.to_sql("with_index", engine, if_exists="replace") == 2
    pd.testing.assert_frame_equal(
        pd.read_sql_table("with_index", engine, index_col="index").sort_index(), frame, check_names=False
    )


def test_ibis_expressions_run_on_the_server(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Ibis writes the engine's SQL; the table's Arrow schema is all it has to know."""
    table = sa.Table("weather", metadata, sa.Column("city", sa.Text), sa.Column("celsius", sa.Double))
    metadata.create_all(engine)
    with engine.begin() as connection:
        rows = [("Oslo", 3.0), ("Oslo", 5.0), ("Rome", 14.5)]
        connection.execute(table.insert(), [{"city": city, "celsius": celsius} for city, celsius in rows])
        driver: Any = connection.connection.dbapi_connection
        weather = ibis.table(ibis.Schema.from_pyarrow(driver.adbc_get_table_schema("weather")), name="weather")
        means = weather.group_by("city").agg(mean=weather.celsius.mean()).order_by("city")
        found = connection.exec_driver_sql(str(ibis.to_sql(means, dialect="datafusion"))).all()
    assert found == [("Oslo", 4.0), ("Rome", 14.5)]


def test_the_url_names_the_namespace(url: URL) -> None:
    """Names without a namespace mean the URL's, in every connection of the pool."""
    engine = sa.create_engine(url.set(database="test_schema"))
    metadata = sa.MetaData()
    sa.Table("placed", metadata, sa.Column("k", sa.INT, primary_key=True))
    metadata.create_all(engine)
    inspector = sa.inspect(engine)
    assert inspector.default_schema_name == "test_schema"
    assert inspector.has_table("placed")
    assert inspector.has_table("placed", schema="test_schema")
    assert not inspector.has_table("placed", schema="public")
    metadata.drop_all(engine)
    engine.dispose()


def test_two_changes_of_one_row_conflict(models: sa.Engine) -> None:
    """The later commit fails and says so; its connection can be used again."""
    with models.begin() as connection:
        connection.execute(sa.insert(Person).values(id=1, name="ann"))
    change = sa.update(Person).where(Person.id == 1)
    with models.connect() as first, models.connect() as second:
        first.execute(change.values(name="first"))
        second.execute(change.values(name="second"))
        first.commit()
        with pytest.raises(sa.exc.DBAPIError, match="another transaction"):
            second.commit()
        second.rollback()
        assert second.scalar(sa.select(Person.name)) == "first"
    with models.connect() as third:
        assert third.scalar(sa.select(Person.name)) == "first"
