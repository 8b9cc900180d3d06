"""CREATE TABLE LIKE: what is copied of a table, by whom, and what is not."""

import pytest

from tests.rights.house import House, Person

TABLE = (
    "CREATE TABLE t (id BIGINT PRIMARY KEY, v INT DEFAULT 7 CHECK (v < 100), s TEXT NOT NULL, u INT UNIQUE)"
    " WITH (compression = 'zstd', bloom_columns = 's')"
)


@pytest.fixture
def root(owner: Person) -> Person:
    """Who has a table with all that can be copied, and a row that is not."""
    owner.ok(TABLE)
    owner.ok("COMMENT ON TABLE t IS 'the whole'")
    owner.ok("COMMENT ON COLUMN t.s IS 'a part'")
    owner.ok("INSERT INTO t VALUES (1, 2, 'x', 3)")
    return owner


def text(person: Person, name: str = "made") -> str:
    """The statement that would make a table anew, without its name."""
    return str(person.ok(f"SHOW CREATE TABLE {name}")[0]["statement"]).partition("(")[2]


def comments(person: Person) -> list[object]:
    """What is said of the table and its columns."""
    return [
        row["description"]
        for row in person.ok(
            "SELECT description FROM pg_catalog.pg_description d JOIN pg_catalog.pg_class c ON c.oid = d.objoid"
            " WHERE c.relname = 'made' ORDER BY 1"
        )
    ]


def test_columns_alone_are_copied_unless_more_is_asked_for(root: Person) -> None:
    """With their types and NOT NULL."""
    root.ok("CREATE TABLE made (LIKE t)")
    assert " ".join(text(root).split()) == "id BIGINT NOT NULL, v INT, s TEXT NOT NULL, u INT )"
    assert comments(root) == []
    assert root.ok("SELECT * FROM made") == []


@pytest.mark.parametrize(
    ("what", "part"),
    [
        ("DEFAULTS", "v INT DEFAULT 7"),
        ("CONSTRAINTS", "CONSTRAINT t_v_check CHECK (v < 100)"),
        ("INDEXES", "PRIMARY KEY (id)"),
        ("INDEXES", "CONSTRAINT made_u_key UNIQUE (u)"),
    ],
)
def test_each_part_is_copied_by_its_word(root: Person, what: str, part: str) -> None:
    """Alone, or as a part of ALL, or left out of ALL."""
    for words, is_there in ((f"INCLUDING {what}", True), ("INCLUDING ALL", True), ("", False)):
        root.ok(f"CREATE TABLE made (LIKE t {words})")
        assert (part in text(root)) is is_there
        root.ok("DROP TABLE made")
    root.ok(f"CREATE TABLE made (LIKE t INCLUDING ALL EXCLUDING {what})")
    assert part not in text(root)


def test_a_copy_holds_what_its_constraints_say(root: Person) -> None:
    """They are constraints of its own."""
    root.ok("CREATE TABLE made (LIKE t INCLUDING ALL, more INT, CHECK (more > 0))")
    root.ok("INSERT INTO made (id, s, u) VALUES (1, 'x', 1)")
    assert "t_v_check" in root.refused("INSERT INTO made VALUES (2, 100, 'x', 2, 1)")
    assert "made_u_key" in root.refused("INSERT INTO made VALUES (2, 1, 'x', 1, 1)")
    assert "made_check" in root.refused("INSERT INTO made VALUES (2, 1, 'x', 2, 0)")
    root.ok("DROP TABLE t")
    assert root.tuples("SELECT * FROM made") == [(1, 7, "x", 1, None)]
    assert comments(root) == ["a part"]


def test_without_brackets_the_whole_is_copied(root: Person) -> None:
    """Options and comments, too; what the statement says comes first."""
    root.ok("CREATE TABLE made LIKE t WITH (compression = 'none')")
    expected = text(root, "t").replace("t_u_key", "made_u_key").replace("zstd", "none")
    assert text(root) == expected
    assert comments(root) == ["a part", "the whole"]


def test_the_kind_of_a_table_is_copied_with_the_whole_alone(house: House, root: Person) -> None:
    """So everybody has rows of their own in a copy, too."""
    root.ok("CREATE USER TABLE theirs (id INT PRIMARY KEY)")
    ann = house.person("ann")
    ann.ok("CREATE TABLE made LIKE theirs")
    ann.ok("INSERT INTO made VALUES (1)")
    assert root.ok("SELECT * FROM made") == []
    root.ok("DROP TABLE made")
    assert "DENIED" in ann.refused("CREATE TABLE made (LIKE theirs)")
    ann.ok("CREATE USER TABLE made (LIKE theirs)")
    root.ok("CREATE STREAM TABLE flow (v INT) WITH (ttl_seconds = 60)")
    root.ok("DROP TABLE made")
    root.ok("CREATE TABLE made LIKE flow")
    assert str(root.ok("SHOW CREATE TABLE made")).count("STREAM TABLE") == 1
    assert "write (LIKE public.flow)" in root.refused("CREATE TEMP TABLE mine LIKE flow")


def test_who_may_not_read_a_table_does_not_learn_how_it_is_made(house: House, root: Person) -> None:
    """The error is that for a table which is not there."""
    ann = house.person("ann")
    unknown = ann.refused("CREATE TEMP TABLE mine (LIKE nothing)").replace("nothing", "t")
    assert ann.refused("CREATE TEMP TABLE mine (LIKE t)") == unknown
    root.ok("GRANT INSERT ON t TO ann")
    assert ann.refused("CREATE TEMP TABLE mine LIKE t") == unknown
    root.ok("GRANT SELECT ON t TO ann")
    ann.ok("CREATE TEMP TABLE mine LIKE t")
    ann.ok("INSERT INTO mine (id, s) VALUES (1, 'x')")
    assert ann.tuples("SELECT * FROM mine") == [(1, 7, "x", None)]


def test_it_is_a_change_like_each_that_makes_a_table(root: Person) -> None:
    """Recorded, undone by ROLLBACK, refused where nothing may be changed, and prepared as well."""
    root.update("BEGIN")
    root.ok("CREATE TABLE made LIKE t")
    root.update("ROLLBACK")
    root.update("BEGIN READ ONLY")
    assert "read only" in root.refused("CREATE TABLE made LIKE t")
    root.update("ROLLBACK")
    assert root.prepared("CREATE TABLE made (LIKE t)").error is None
    last = "SELECT action, kind FROM system.audit_log WHERE object = 'made' AND outcome = 'allowed' ORDER BY time DESC"
    assert root.tuples(f"{last} LIMIT 1") == [("CREATE TABLE", "CreateTableLike")]
    root.ok("CREATE TABLE IF NOT EXISTS made LIKE t")
    assert "exists already" in root.refused("CREATE TABLE made LIKE t")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("(LIKE t, v INT)", "column 'v' is named twice"),
        ("(LIKE t INCLUDING INDEXES, more INT PRIMARY KEY)", "one primary key"),
        ("(LIKE t, PRIMARY KEY (gone))", "no column 'gone'"),
        ("(LIKE t INCLUDING STORAGE)", "expected ALL, DEFAULTS, CONSTRAINTS, INDEXES, COMMENTS"),
        ("(LIKE t) AS SELECT 1", "INSERT the query's rows"),
        ("LIKE system.queries", "does not exist"),
        ("(LIKE t) WITH (colour = 'red')", "no table option 'colour'"),
    ],
)
def test_what_does_not_fit_is_refused(root: Person, statement: str, error: str) -> None:
    """With what to write instead."""
    assert error in root.refused(f"CREATE TABLE made {statement}")


def test_a_condition_that_names_its_table_is_not_copied(root: Person) -> None:
    """It would mean nothing in another one."""
    root.ok("ALTER TABLE t ADD CHECK (t.u > 0)")
    assert "EXCLUDING CONSTRAINTS" in root.refused("CREATE TABLE made (LIKE t INCLUDING ALL)")
    root.ok("CREATE TABLE made (LIKE t INCLUDING ALL EXCLUDING CONSTRAINTS)")
