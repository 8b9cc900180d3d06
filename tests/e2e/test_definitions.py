"""Statements that define: namespaces, tables, columns, views; and those that describe."""

import time
from collections.abc import Callable
from datetime import date, datetime
from uuid import UUID

import pytest

from tests.e2e.client import Client
from tests.processes import HANGS_SECONDS

Make = Callable[..., str]


REFUSED_TYPES = ["MAP<INT, INT>", "INTERVAL", "JSON", "GEOMETRY", "DECIMAL(39, 2)", "UINT8", "ENUM('a')", "MONEY"]


def test_a_namespace_is_listed_until_it_is_dropped(db: Client, t: str) -> None:
    """CREATE NAMESPACE and DROP NAMESPACE show in SHOW NAMESPACES."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    assert f"ns_{t}" in db.column("SHOW NAMESPACES")
    db.run(f"DROP NAMESPACE ns_{t}")
    assert f"ns_{t}" not in db.column("SHOW NAMESPACES")


def test_a_namespace_that_exists_is_refused_unless_if_not_exists(db: Client, t: str) -> None:
    """CREATE NAMESPACE names the namespace that is there already."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    assert f"ns_{t}" in db.error(f"CREATE NAMESPACE ns_{t}")
    db.run(f"CREATE NAMESPACE IF NOT EXISTS ns_{t}")


def test_a_namespace_with_tables_is_dropped_only_with_cascade(db: Client, t: str) -> None:
    """DROP NAMESPACE refuses to take tables along unless it is told to."""
    db.run(f"CREATE NAMESPACE ns_{t}")
    db.run(f"CREATE TABLE ns_{t}.a (id INT PRIMARY KEY)")
    assert f"ns_{t}" in db.error(f"DROP NAMESPACE ns_{t}")
    db.run(f"DROP NAMESPACE ns_{t} CASCADE")
    assert "not" in db.error(f"SELECT * FROM ns_{t}.a")


def test_a_missing_namespace_is_named(db: Client, t: str) -> None:
    """A table cannot be created in a namespace that does not exist."""
    assert f"gone_{t}" in db.error(f"CREATE TABLE gone_{t}.a (id INT PRIMARY KEY)")
    db.run(f"DROP NAMESPACE IF EXISTS gone_{t}")


@pytest.mark.parametrize("name", ["system", "information_schema", "pg_catalog", "datafusion", "main"])
def test_a_reserved_namespace_is_refused(db: Client, name: str) -> None:
    """Names of the server's own are not for users."""
    assert name in db.error(f"CREATE NAMESPACE {name}")


def test_a_table_is_gone_after_drop_and_its_name_free(db: Client, make: Make) -> None:
    """DROP TABLE takes the rows with it: a table of the same name begins empty."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 1, 'a')")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"DROP TABLE {t}")
    assert t in db.error(f"SELECT * FROM {t}")
    make()
    assert db.count(t) == 0


def test_if_not_exists_leaves_a_table_alone(db: Client, make: Make) -> None:
    """CREATE TABLE IF NOT EXISTS changes nothing when the table is there; without it the table is named."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 1, 'a')")
    db.run(f"CREATE TABLE IF NOT EXISTS {t} (other TEXT PRIMARY KEY)")
    assert db.rows(f"SELECT * FROM {t}") == [(1, 1, "a")]
    assert t in db.error(f"CREATE TABLE {t} (id INT PRIMARY KEY)")


def test_dropping_a_missing_table_names_it_unless_if_exists(db: Client, t: str) -> None:
    """DROP TABLE IF EXISTS is silent; DROP TABLE is not."""
    assert t in db.error(f"DROP TABLE {t}")
    db.run(f"DROP TABLE IF EXISTS {t}")


@pytest.mark.parametrize("type_name", REFUSED_TYPES)
def test_a_type_that_cannot_be_stored_is_refused_by_name(db: Client, t: str, type_name: str) -> None:
    """CREATE TABLE names the column and the type, and creates nothing."""
    message = db.error(f"CREATE TABLE {t} (id INT PRIMARY KEY, bad_one {type_name})")
    assert "bad_one" in message
    assert type_name.split("<", maxsplit=1)[0].split("(", maxsplit=1)[0].lower() in message.lower()
    assert t in db.error(f"SELECT * FROM {t}")


def test_a_key_may_stand_anywhere_and_have_several_columns(db: Client, make: Make) -> None:
    """The declared key decides what a duplicate is, not the first column."""
    t = make("v DOUBLE, b TEXT, w INT, a INT, PRIMARY KEY (a, b)")
    db.run(f"INSERT INTO {t} VALUES (1, 'x', 1, 1), (1, 'y', 1, 1), (1, 'x', 1, 2)")
    message = db.error(f"INSERT INTO {t} VALUES (9, 'y', 9, 1)")
    assert "a" in message
    assert "y" in message
    assert db.count(t) == 3


def test_a_key_column_at_the_end_works_like_one_at_the_start(db: Client, make: Make) -> None:
    """PRIMARY KEY behind the last column, hot and flushed."""
    t = make("v TEXT, id UUID PRIMARY KEY")
    key = "0190a6b4-5bd9-7c3c-8d5e-1f2a3b4c5d6e"
    db.run(f"INSERT INTO {t} VALUES ('a', '{key}')")
    db.run(f"FLUSH TABLE {t}")
    assert key in db.error(f"INSERT INTO {t} VALUES ('b', '{key}')")
    assert db.one(f"SELECT v FROM {t} WHERE id = '{key}'") == "a"


@pytest.mark.parametrize(
    "columns", ["a INT, PRIMARY KEY (nope)", "a LIST<INT> PRIMARY KEY", "a INT, A INT", "_seq INT"]
)
def test_a_definition_that_contradicts_itself_is_refused(db: Client, t: str, columns: str) -> None:
    """Missing key columns, keys of lists, repeated and reserved names are errors of CREATE TABLE."""
    assert db.error(f"CREATE TABLE {t} ({columns})")
    assert t in db.error(f"SELECT * FROM {t}")


def test_a_column_with_not_null_refuses_null_by_name(db: Client, make: Make) -> None:
    """NOT NULL holds for INSERT and UPDATE, and names the column."""
    t = make("id INT PRIMARY KEY, needed TEXT NOT NULL")
    db.run(f"INSERT INTO {t} VALUES (1, 'a')")
    assert "needed" in db.error(f"INSERT INTO {t} VALUES (2, NULL)")
    assert "needed" in db.error(f"INSERT INTO {t} (id) VALUES (2)")
    assert "needed" in db.error(f"UPDATE {t} SET needed = NULL")
    assert db.rows(f"SELECT * FROM {t}") == [(1, "a")]


def test_every_default_fills_in_what_is_left_out(db: Client, make: Make) -> None:
    """Literals and the four functions."""
    t = make(
        "id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), i INT DEFAULT -7, d DECIMAL(6,2) DEFAULT 1.25, s TEXT DEFAULT "
        "'it''s', b BOOLEAN DEFAULT TRUE, day DATE DEFAULT DATE '2024-02-29', at TIMESTAMP DEFAULT NOW(), "
        "who TEXT DEFAULT CURRENT_USER, u UUID DEFAULT UUID_V7(), n INT DEFAULT NULL, x INT"
    )
    db.run(f"INSERT INTO {t} (x) VALUES (1), (2)")
    first, second = db.rows(f"SELECT * FROM {t} ORDER BY id")
    assert [str(value) for value in first[1:6]] == ["-7", "1.25", "it's", "True", "2024-02-29"]
    assert isinstance(first[6], datetime)
    assert first[7] == "root"
    assert UUID(str(first[8])).version == 7
    assert first[8] != second[8]
    assert first[9] is None
    assert first[0] < second[0]


def test_now_is_one_moment_in_a_statement(db: Client, make: Make) -> None:
    """All rows of a statement get the same NOW()."""
    t = make("id INT PRIMARY KEY, at TIMESTAMP DEFAULT NOW()")
    db.run(f"INSERT INTO {t} (id) SELECT * FROM (VALUES (1), (2), (3))")
    assert db.one(f"SELECT count(DISTINCT at) FROM {t}") == 1


def test_a_given_null_is_not_replaced_by_the_default(db: Client, make: Make) -> None:
    """A default fills in what is left out, not what is NULL."""
    t = make("id INT PRIMARY KEY, i INT DEFAULT 7")
    db.run(f"INSERT INTO {t} VALUES (1, NULL)")
    assert db.one(f"SELECT i FROM {t}") is None


def test_a_default_of_the_wrong_type_is_refused(db: Client, t: str) -> None:
    """CREATE TABLE names the column whose default is no value of its type."""
    assert "odd" in db.error(f"CREATE TABLE {t} (id INT PRIMARY KEY, odd INT DEFAULT 'abc')")


@pytest.mark.parametrize("compression", ["lz4", "zstd", "none"])
def test_every_compression_can_be_read_back(db: Client, make: Make, compression: str) -> None:
    """WITH (compression = …) changes the files, not the rows."""
    t = make(options=f"WITH (compression = '{compression}', bloom_columns = 'v,s', bloom_fpp = 0.05)")
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a'), (2, 20, 'b')")
    db.run(f"FLUSH TABLE {t}")
    assert db.rows(f"SELECT * FROM {t} WHERE s = 'b'") == [(2, 20, "b")]


@pytest.mark.parametrize(
    ("option", "culprit"),
    [
        ("compression = 'snappy'", "snappy"),
        ("bloom_columns = 'nope'", "nope"),
        ("bloom_fpp = 2", "bloom_fpp"),
        ("flush_policy = 'cows:3'", "flush_policy"),
        ("colour = 'red'", "colour"),
    ],
)
def test_an_option_that_means_nothing_is_named(db: Client, t: str, option: str, culprit: str) -> None:
    """WITH refuses unknown options and values."""
    assert culprit in db.error(f"CREATE TABLE {t} (id INT PRIMARY KEY) WITH ({option})")


@pytest.mark.parametrize("policy", ["rows:100", "interval:0.2", "rows:1000000,interval:0.2"])
def test_a_flush_policy_flushes_in_the_background(db: Client, make: Make, policy: str) -> None:
    """A table has batches soon after it got enough rows, or after its time, while it is read and written."""
    t = make("id BIGINT PRIMARY KEY", options=f"WITH (flush_policy = '{policy}')")
    db.run(f"INSERT INTO {t} SELECT * FROM (VALUES {', '.join(f'({n})' for n in range(200))})")
    count, deadline = 200, time.monotonic() + HANGS_SECONDS
    while not db.rows(f"SHOW MANIFEST FOR {t}"):
        assert time.monotonic() < deadline, "the flush policy did not act"
        db.run(f"INSERT INTO {t} VALUES ({count})")
        count += 1
        assert db.count(t) == count


def test_old_batches_and_hot_rows_get_an_added_column(db: Client, make: Make) -> None:
    """ALTER TABLE ADD COLUMN gives rows of before the column's default, in batches and hot."""
    t = make("id INT PRIMARY KEY")
    db.run(f"INSERT INTO {t} VALUES (1)")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"INSERT INTO {t} VALUES (2)")
    db.run(f"ALTER TABLE {t} ADD COLUMN n INT DEFAULT 7")
    db.run(f"ALTER TABLE {t} ADD COLUMN m TEXT")
    db.run(f"INSERT INTO {t} (id) VALUES (3)")
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == [(1, 7, None), (2, 7, None), (3, 7, None)]
    assert db.one(f"SELECT count(*) FROM {t} WHERE n = 7") == 3


def test_a_dropped_column_is_gone_and_its_name_starts_anew(db: Client, make: Make) -> None:
    """A column added under the name of a dropped one does not bring its values back."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a')")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"INSERT INTO {t} VALUES (2, 20, 'b')")
    db.run(f"ALTER TABLE {t} DROP COLUMN v")
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == [(1, "a"), (2, "b")]
    db.run(f"ALTER TABLE {t} ADD COLUMN v TEXT")
    assert db.column(f"SELECT v FROM {t}") == [None, None]


def test_a_renamed_column_keeps_its_values(db: Client, make: Make) -> None:
    """Columns are tracked by id: batches and hot rows of before answer to the new name, and prune by it."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a')")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"INSERT INTO {t} VALUES (2, 20, 'b')")
    db.run(f"ALTER TABLE {t} RENAME COLUMN v TO w")
    assert db.column(f"SELECT id FROM {t} WHERE w = 10") == [1]
    assert db.one(f"SELECT sum(w) FROM {t}") == 30
    assert "v" in db.error(f"SELECT v FROM {t}")


def test_two_columns_may_swap_their_names(db: Client, make: Make) -> None:
    """After three renames every old value stands under the other name."""
    t = make("id INT PRIMARY KEY, a INT, b INT")
    db.run(f"INSERT INTO {t} VALUES (1, 10, 20)")
    db.run(f"FLUSH TABLE {t}")
    for old, new in [("a", "x"), ("b", "a"), ("x", "b")]:
        db.run(f"ALTER TABLE {t} RENAME COLUMN {old} TO {new}")
    assert db.rows(f"SELECT a, b FROM {t} WHERE a = 20") == [(20, 10)]


def test_rows_of_before_an_alter_can_be_updated_and_deleted(db: Client, make: Make) -> None:
    """UPDATE and DELETE find cold rows by columns that were added and renamed later."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c')")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"ALTER TABLE {t} ADD COLUMN n INT DEFAULT 1")
    db.run(f"ALTER TABLE {t} RENAME COLUMN v TO w")
    assert db.update(f"UPDATE {t} SET n = n + w WHERE w > 15") == 2
    assert db.update(f"DELETE FROM {t} WHERE n = 1") == 1
    assert db.rows(f"SELECT id, n FROM {t} ORDER BY id") == [(2, 21), (3, 31)]


@pytest.mark.parametrize(
    ("action", "culprit"),
    [
        ("DROP COLUMN id", "id"),
        ("DROP COLUMN nope", "nope"),
        ("ADD COLUMN v INT", "v"),
        ("RENAME COLUMN v TO s", "s"),
        ("RENAME COLUMN nope TO x", "nope"),
        ("ADD COLUMN _seq INT", "_seq"),
        ("ADD COLUMN n INT NOT NULL", "n"),
    ],
)
def test_an_alteration_that_cannot_be_is_refused(db: Client, make: Make, action: str, culprit: str) -> None:
    """ALTER TABLE names the column at fault and leaves the table as it was."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a')")
    assert culprit in db.error(f"ALTER TABLE {t} {action}")
    assert db.rows(f"SELECT * FROM {t}") == [(1, 10, "a")]


def test_a_view_shows_the_table_as_it_is_now(db: Client, make: Make) -> None:
    """A view holds a query, not rows."""
    t = make()
    db.run(f"CREATE VIEW {t}_v AS SELECT id, v * 2 AS w FROM {t} WHERE v > 5")
    db.run(f"INSERT INTO {t} VALUES (1, 1, 'a'), (2, 10, 'b')")
    assert db.rows(f"SELECT * FROM {t}_v") == [(2, 20)]
    db.run(f"UPDATE {t} SET v = 9 WHERE id = 1")
    assert db.column(f"SELECT w FROM {t}_v ORDER BY w") == [18, 20]


def test_views_nest(db: Client, make: Make) -> None:
    """A view over a view over a table, filtered from outside."""
    t = make()
    db.run(f"INSERT INTO {t} SELECT v, v * 10, 's' FROM (VALUES (1), (2), (3), (4)) AS x (v)")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"CREATE VIEW {t}_a AS SELECT id AS i, v AS j FROM {t} WHERE v > 10")
    db.run(f"CREATE VIEW {t}_b AS SELECT i + 100 AS k, j FROM {t}_a WHERE j < 40")
    assert db.rows(f"SELECT * FROM {t}_b WHERE k = 102") == [(102, 20)]


def test_a_view_with_joins_and_the_same_table_twice(db: Client, make: Make) -> None:
    """A table that a query reads both through a view and by itself is pruned for neither by the other's filter."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a')")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"INSERT INTO {t} VALUES (1000, 20, 'b')")
    db.run(f"FLUSH TABLE {t}")
    db.run(f"CREATE VIEW {t}_v AS SELECT v FROM {t} WHERE id = 1")
    assert db.rows(f"SELECT a.v, b.v FROM {t}_v a, {t} b WHERE b.id = 1000") == [(10, 20)]


def test_a_view_over_a_renamed_column_names_what_is_missing(db: Client, make: Make) -> None:
    """After a rename, a view that uses the old name fails with that name, and other tables go on."""
    t = make()
    db.run(f"CREATE VIEW {t}_v AS SELECT v FROM {t}")
    db.run(f"ALTER TABLE {t} RENAME COLUMN v TO w")
    assert "v" in db.error(f"SELECT * FROM {t}_v")
    db.run(f"CREATE OR REPLACE VIEW {t}_v AS SELECT w AS v FROM {t}")
    db.run(f"INSERT INTO {t} VALUES (1, 5, 'a')")
    assert db.column(f"SELECT v FROM {t}_v") == [5]


def test_metadata_survives_a_view_that_no_longer_plans(db: Client, make: Make) -> None:
    """A view over a dropped column does not break SHOW TABLES or the listing of all tables."""
    t = make()
    db.run(f"CREATE VIEW {t}_v AS SELECT v FROM {t}")
    db.run(f"ALTER TABLE {t} DROP COLUMN v")
    try:
        assert f"{t}_v" in [row[1] for row in db.rows("SHOW TABLES")]
        assert db.connection.adbc_get_objects(depth="all").read_all().num_rows == 1
    finally:
        db.run(f"DROP VIEW {t}_v")


def test_a_view_over_itself_is_refused(db: Client, make: Make) -> None:
    """CREATE OR REPLACE VIEW cannot make a circle."""
    t = make()
    db.run(f"CREATE VIEW {t}_v AS SELECT v FROM {t}")
    assert db.error(f"CREATE OR REPLACE VIEW {t}_v AS SELECT v FROM {t}_v")
    assert db.rows(f"SELECT * FROM {t}_v") == []


def test_a_view_may_have_a_quote_in_its_name(db: Client, t: str) -> None:
    """DESCRIBE and the listing of all tables quote the names of views."""
    db.run(f'CREATE VIEW "{t}""q" AS SELECT 1 AS one')
    assert db.column(f'DESCRIBE "{t}""q"') == ["one"]
    assert db.connection.adbc_get_objects(depth="all").read_all().num_rows == 1


def test_a_view_is_not_written_to(db: Client, make: Make) -> None:
    """INSERT, UPDATE and DELETE name a view as no table; DROP TABLE does not take it."""
    t = make()
    db.run(f"CREATE VIEW {t}_v AS SELECT * FROM {t}")
    for sql in (f"INSERT INTO {t}_v VALUES (1, 1, 'a')", f"UPDATE {t}_v SET v = 1", f"DELETE FROM {t}_v"):
        assert f"{t}_v" in db.error(sql)
    assert f"{t}_v" in db.error(f"DROP TABLE {t}_v")


def test_create_table_as_keeps_types_and_rows(db: Client, make: Make) -> None:
    """CREATE TABLE AS stores a query's result, with a key when one is given."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a'), (2, 20, 'b')")
    db.run(f"CREATE TABLE {t}_copy PRIMARY KEY (id) AS SELECT id, v + 1 AS v, s FROM {t}")
    assert db.rows(f"SELECT * FROM {t}_copy ORDER BY id") == [(1, 11, "a"), (2, 21, "b")]
    assert "1" in db.error(f"INSERT INTO {t}_copy VALUES (1, 1, 'x')")


def test_create_table_as_with_a_repeated_key_leaves_no_table(db: Client, make: Make) -> None:
    """A failed CREATE TABLE AS creates nothing."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a'), (2, 10, 'b')")
    assert "10" in db.error(f"CREATE TABLE {t}_copy PRIMARY KEY (v) AS SELECT v, s FROM {t}")
    assert f"{t}_copy" in db.error(f"SELECT * FROM {t}_copy")


def test_describe_tells_columns_types_keys_and_defaults(db: Client, make: Make) -> None:
    """DESCRIBE and SHOW COLUMNS agree."""
    t = make("a TEXT, b INT NOT NULL DEFAULT 3, c DECIMAL(5,2), PRIMARY KEY (c, a)")
    described = db.rows(f"DESCRIBE {t}")
    assert [row[:4] for row in described] == [
        ("a", "TEXT", False, 2),
        ("b", "INT", False, None),
        ("c", "DECIMAL(5,2)", False, 1),
    ]
    assert described[1][4] == "3"
    assert db.rows(f"SHOW COLUMNS FROM {t}") == described


def test_show_tables_lists_kinds(db: Client, make: Make) -> None:
    """SHOW TABLES tells tables, tables of users, temporary ones and views apart."""
    t = make()
    db.run(f"CREATE USER TABLE {t}_u (id INT PRIMARY KEY)")
    db.run(f"CREATE TEMPORARY TABLE {t}_t (id INT PRIMARY KEY)")
    db.run(f"CREATE VIEW {t}_v AS SELECT 1 AS one")
    kinds = {row[1]: row[2] for row in db.rows("SHOW TABLES IN public")}
    assert [kinds[t], kinds[f"{t}_u"], kinds[f"{t}_t"], kinds[f"{t}_v"]] == ["SHARED", "USER", "TEMPORARY", "VIEW"]


def test_system_columns_are_there_when_they_are_named(db: Client, make: Make) -> None:
    """_seq and _deleted are absent from SELECT * and selectable, hot and cold; _seq grows with every version."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a')")
    assert db.arrow(f"SELECT * FROM {t}").column_names == ["id", "v", "s"]
    hot = db.one(f"SELECT _seq FROM {t}")
    db.run(f"FLUSH TABLE {t}")
    assert db.rows(f"SELECT _seq, _deleted FROM {t}") == [(hot, False)]
    db.run(f"UPDATE {t} SET v = 11")
    assert db.one(f"SELECT _seq FROM {t} WHERE NOT _deleted") > hot
    assert db.arrow(f"SELECT *, _seq FROM {t}").column_names == ["id", "v", "s", "_seq"]


def test_a_star_in_a_subquery_hides_system_columns_too(db: Client, make: Make) -> None:
    """SELECT * FROM (SELECT * …) next to a use of _seq shows the user's columns."""
    t = make()
    db.run(f"INSERT INTO {t} VALUES (1, 10, 'a')")
    sql = f"SELECT * FROM (SELECT * FROM {t}) x WHERE id IN (SELECT id FROM {t} WHERE _seq > 0)"
    assert db.rows(sql) == [(1, 10, "a")]


def test_system_columns_cannot_be_written(db: Client, make: Make) -> None:
    """INSERT and UPDATE refuse _seq and _deleted by name."""
    t = make()
    assert "_seq" in db.error(f"INSERT INTO {t} (id, _seq) VALUES (1, 1)")
    assert "_deleted" in db.error(f"UPDATE {t} SET _deleted = true")


def test_quoted_names_keep_their_case_and_signs(db: Client, t: str) -> None:
    """A table and columns with capitals, blanks and quotes in their names, hot, flushed, updated, deleted."""
    name = f'"{t} Ünï ""q"""'
    db.run(f'CREATE TABLE {name} ("Key" INT PRIMARY KEY, "a b" TEXT, "A B" TEXT)')
    db.run(f"""INSERT INTO {name} ("Key", "a b", "A B") VALUES (1, 'x', 'y'), (2, 'p', 'q')""")
    db.run(f"FLUSH TABLE {name}")
    db.run(f"""UPDATE {name} SET "a b" = "A B" WHERE "Key" = 1""")
    db.run(f"""DELETE FROM {name} WHERE "A B" = 'q'""")
    assert db.rows(f"SELECT * FROM {name}") == [(1, "y", "y")]


def test_unquoted_names_fold_to_lower_case(db: Client, make: Make) -> None:
    """SELECT ID FROM T finds id of t."""
    t = make()
    db.run(f"INSERT INTO {t.upper()} (ID, V) VALUES (1, 2)")
    assert db.rows(f"SELECT Id, V FROM PUBLIC.{t.upper()}") == [(1, 2)]


def test_a_table_name_with_dots_and_slashes_stays_in_the_data_folder(db: Client, t: str) -> None:
    """Names are no paths."""
    name = f'"../../{t}/.."'
    db.run(f"CREATE TABLE {name} (id INT PRIMARY KEY, d DATE)")
    db.run(f"INSERT INTO {name} VALUES (1, DATE '2020-01-01')")
    db.run(f"FLUSH TABLE {name}")
    assert db.rows(f"SELECT * FROM {name}") == [(1, date(2020, 1, 1))]
