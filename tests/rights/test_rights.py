"""Who may do what: the declaration is complete, and every way in asks it."""

import pytest

from catalog.roles import Role
from flightserver.access.rights import OF_SERVER, RIGHTS, STATEMENTS, Kind, Relation, Use, is_allowed
from flightserver.sql.statements import Statement
from tests.rights.house import House, Person


def all_statements(base: type[Statement] = Statement) -> set[type[Statement]]:
    """Every class of statements."""
    return {found for one in base.__subclasses__() for found in {one, *all_statements(one)}}


def test_every_statement_has_a_row() -> None:
    """A new one must say what it uses."""
    assert set(STATEMENTS) == all_statements()


def test_who_may_say_what_to_the_server_is_declared() -> None:
    """Statements about the server as a whole use no thing, and are for those who look after it."""
    assert not any(STATEMENTS[statement].uses for statement in OF_SERVER)
    assert not any(Role.USER in roles or Role.SERVICE in roles for roles in OF_SERVER.values())


def test_what_has_no_row_is_not_allowed() -> None:
    """Not even to the owner with the role system."""
    missing = {(use, kind) for use in Use for kind in Kind} - set(RIGHTS)
    assert missing
    assert not any(is_allowed(*row, relation, role) for row in missing for relation in Relation for role in Role)


def test_a_table_belongs_to_who_made_it(house: House) -> None:
    """By each way of making one; an owner drops it."""
    sid, sam = house.person("sid"), house.person("sam")
    sid.ok("CREATE TABLE own_a (id BIGINT PRIMARY KEY)")
    sid.ok("CREATE TABLE own_b AS SELECT 1 AS id")
    sid.ok("CREATE VIEW own_v AS SELECT * FROM own_a")
    for name in ("TABLE own_a", "TABLE own_b", "VIEW own_v"):
        assert "does not exist" in sam.refused(f"DROP {name}")
    for name in ("VIEW own_v", "TABLE own_b", "TABLE own_a"):
        sid.ok(f"DROP {name}")


def test_a_user_needs_a_grant_for_a_shared_table(house: House) -> None:
    """Each privilege for itself, until it is revoked."""
    root, ann = house.person("root"), house.person("ann")
    root.ok("CREATE TABLE g (id BIGINT PRIMARY KEY, v BIGINT)")
    unknown = ann.refused("SELECT * FROM nowhere").replace("nowhere", "g")
    assert ann.refused("SELECT * FROM g") == unknown
    root.ok("GRANT SELECT ON g TO ann")
    assert ann.ok("SELECT * FROM g") == []
    assert ann.refused("INSERT INTO g VALUES (1, 1)") == "NOT_FOUND: table public.g does not exist"
    root.ok("GRANT INSERT, UPDATE ON TABLE g TO PUBLIC")
    ann.ok("INSERT INTO g VALUES (1, 1)")
    ann.ok("UPDATE g SET v = 2")
    assert "does not exist" in ann.refused("DELETE FROM g")
    root.ok("GRANT DELETE ON g TO ROLE user")
    ann.ok("DELETE FROM g")
    root.ok("REVOKE ALL ON g FROM ann, PUBLIC, ROLE user")
    assert ann.refused("SELECT * FROM g") == unknown


def test_a_grant_on_a_namespace_is_for_all_in_it(house: House) -> None:
    """Also for what comes later; another namespace of its name has none of it."""
    root, ann = house.person("root"), house.person("ann")
    root.ok("CREATE NAMESPACE shop")
    root.ok("GRANT SELECT ON NAMESPACE shop TO ann")
    root.ok("CREATE TABLE shop.t (id BIGINT PRIMARY KEY)")
    assert ann.ok("SELECT * FROM shop.t") == []
    root.ok("DROP NAMESPACE shop CASCADE")
    root.ok("CREATE NAMESPACE shop")
    root.ok("CREATE TABLE shop.t (id BIGINT PRIMARY KEY)")
    assert "not found" in ann.refused("SELECT * FROM shop.t")
    assert "namespace shop does not exist" in ann.refused("SHOW TABLES IN shop")
    assert {"namespace": "shop"} not in ann.ok("SHOW NAMESPACES")


def test_a_new_table_of_an_old_name_inherits_nothing(house: House) -> None:
    """Grants are on a table and not on its name."""
    root, ann = house.person("root"), house.person("ann")
    root.ok("CREATE TABLE again (id BIGINT PRIMARY KEY)")
    root.ok("GRANT SELECT ON again TO ann")
    root.ok("DROP TABLE again")
    root.ok("CREATE TABLE again (id BIGINT PRIMARY KEY)")
    assert "not found" in ann.refused("SELECT * FROM again")
    assert root.ok("SHOW GRANTS ON again") == []


def test_a_view_reads_with_the_rights_of_its_owner(house: House) -> None:
    """Until the owner may not, or is gone; its rows are those of who asks."""
    root, sid, ann = house.person("root"), house.person("sid"), house.person("ann")
    sid.ok("CREATE TABLE hid (id BIGINT PRIMARY KEY)")
    sid.ok("INSERT INTO hid VALUES (1)")
    sid.ok("CREATE USER TABLE mine (id BIGINT PRIMARY KEY)")
    ann.ok("INSERT INTO mine VALUES (5)")
    sid.ok("CREATE VIEW seen AS SELECT h.id, (SELECT max(id) FROM mine) AS m FROM hid h")
    sid.ok("GRANT SELECT ON seen TO ann")
    assert ann.ok("SELECT * FROM seen") == [{"id": 1, "m": 5}]
    house.disabled.add("sid")
    try:
        assert "not found" in ann.refused("SELECT * FROM seen")
    finally:
        house.disabled.clear()
    ann.ok("CREATE VIEW of_ann AS SELECT id FROM seen")
    sid.ok("REVOKE SELECT ON seen FROM ann")
    assert "not found" in ann.refused("SELECT * FROM of_ann")
    assert root.refused("SELECT * FROM of_ann") == ann.refused("SELECT * FROM of_ann")


def test_a_hidden_name_is_taken_and_nothing_more(house: House) -> None:
    """Who wants a name learns that it is taken, and not by what or whom; nothing is replaced."""
    sid, ann = house.person("sid"), house.person("ann")
    sid.ok("CREATE TABLE secret (id BIGINT PRIMARY KEY)")
    sid.ok("CREATE VIEW secret_v AS SELECT 7 AS seven")
    for name in ("secret", "secret_v"):
        taken = f"ALREADY_EXISTS: the name public.{name} is taken"
        assert ann.refused(f"CREATE USER TABLE {name} (id BIGINT PRIMARY KEY)") == taken
        assert ann.refused(f"CREATE USER TABLE IF NOT EXISTS {name} (id BIGINT PRIMARY KEY)") == taken
        assert ann.refused(f"CREATE VIEW {name} AS SELECT 1") == taken
        assert ann.refused(f"CREATE OR REPLACE VIEW {name} AS SELECT 1") == taken
    assert sid.ok("SELECT * FROM secret_v") == [{"seven": 7}]


def test_a_namespace_of_others_is_not_emptied(house: House) -> None:
    """Its owner may drop it when nothing is in it that others own; what that is stays unknown."""
    root, sid = house.person("root"), house.person("sid")
    sid.ok("CREATE NAMESPACE of_sid")
    root.ok("CREATE VIEW of_sid.whatever AS SELECT 1")
    assert "whatever" in sid.refused("DROP NAMESPACE of_sid")
    assert "still holds" in sid.refused("DROP NAMESPACE of_sid CASCADE")
    root.ok("DROP NAMESPACE of_sid CASCADE")


@pytest.mark.parametrize(
    ("who", "may"), [("root", "table namespace"), ("dora", "table namespace"), ("sid", "table namespace"), ("ann", "")]
)
def test_roles_make_what_they_may(house: House, who: str, may: str) -> None:
    """Users make USER tables and views; shared things are for services and those above."""
    person = house.person(who)
    for what, sql in (
        ("table", f"CREATE TABLE made_by_{who} (id BIGINT PRIMARY KEY)"),
        ("table", f"CREATE TABLE made_by_{who}_as AS SELECT 1 AS id"),
        ("namespace", f"CREATE NAMESPACE made_by_{who}"),
    ):
        if what in may:
            person.ok(sql)
        else:
            assert person.refused(sql).startswith("DENIED: the role user may not make a ")
    person.ok(f"CREATE USER TABLE user_{who} (id BIGINT PRIMARY KEY)")
    person.ok(f"CREATE TEMPORARY TABLE temp_{who} (id BIGINT PRIMARY KEY)")


def people(house: House, *names: str) -> list[Person]:
    """Sessions of some users."""
    return [house.person(name) for name in names]


def test_a_grant_option_passes_on_and_goes_with_its_chain(house: House) -> None:
    """REVOKE without CASCADE is refused while others hang on it; with it they lose theirs, too."""
    root, ann, bob, eve = people(house, "root", "ann", "bob", "eve")
    root.ok("CREATE TABLE chain (id BIGINT PRIMARY KEY)")
    root.ok("GRANT SELECT ON chain TO ann WITH GRANT OPTION")
    ann.ok("GRANT SELECT ON chain TO bob WITH GRANT OPTION")
    bob.ok("GRANT ALL ON chain TO eve")
    assert "DENIED: INSERT" in bob.refused("GRANT INSERT ON chain TO eve")
    assert eve.ok("SELECT * FROM chain") == []
    assert "DENIED" in eve.refused("GRANT SELECT ON chain TO eve")
    assert "CASCADE" in root.refused("REVOKE SELECT ON chain FROM ann")
    assert "CASCADE" in root.refused("REVOKE GRANT OPTION FOR SELECT ON chain FROM ann")
    root.ok("REVOKE GRANT OPTION FOR SELECT ON chain FROM ann CASCADE")
    assert ann.ok("SELECT * FROM chain") == []
    assert "not found" in bob.refused("SELECT * FROM chain")
    assert "not found" in eve.refused("SELECT * FROM chain")


def test_grants_are_part_of_a_transaction(house: House) -> None:
    """Nobody has them before its COMMIT, and nobody after its ROLLBACK."""
    root, ann = people(house, "root", "ann")
    root.ok("CREATE TABLE later (id BIGINT PRIMARY KEY)")
    for end, seen in (("ROLLBACK", False), ("COMMIT", True)):
        root.ok("BEGIN")
        root.ok("GRANT SELECT ON later TO ann")
        assert ann.query("SELECT * FROM later").error is not None
        root.ok(end)
        assert (ann.query("SELECT * FROM later").error is None) is seen


def test_everybody_sees_the_grants_that_are_about_them(house: House) -> None:
    """Those to them and by them; whoever looks after the server sees all."""
    root, sid, ann, bob = people(house, "root", "sid", "ann", "bob")
    sid.ok("CREATE TABLE listed (id BIGINT PRIMARY KEY)")
    sid.ok("GRANT SELECT ON listed TO ann")
    sid.ok("GRANT UPDATE ON listed TO bob")
    assert [row["grantee"] for row in sid.ok("SHOW GRANTS ON listed")] == ["ann", "bob"]
    assert [row["privilege"] for row in ann.ok("SHOW GRANTS ON listed")] == ["SELECT"]
    assert ann.ok("SELECT grantee FROM system.grants WHERE name = 'listed'") == [{"grantee": "ann"}]
    assert {row["name"] for row in root.ok("SHOW GRANTS FOR bob")} >= {"listed"}
    assert ann.ok("SHOW GRANTS FOR bob") == []
    assert bob.refused("SHOW GRANTS ON nowhere") == "NOT_FOUND: table public.nowhere does not exist"


def test_an_owner_may_give_to_those_below(house: House) -> None:
    """A view reads with its owner's rights, so nobody gives one to somebody with more of them."""
    root, sid, ann, bob = people(house, "root", "sid", "ann", "bob")
    ann.ok("CREATE VIEW gift AS SELECT 1 AS one")
    line = ann.refused("ALTER VIEW gift OWNER TO root")
    assert line == ann.refused("ALTER VIEW gift OWNER TO nobody").replace("nobody", "root")
    assert "DENIED" in ann.refused("ALTER VIEW gift OWNER TO bob")
    root.ok("ALTER VIEW gift OWNER TO bob")
    assert "not found" in ann.refused("SELECT * FROM gift")
    assert bob.ok("SELECT * FROM gift") == [{"one": 1}]
    sid.ok("CREATE TABLE given (id BIGINT PRIMARY KEY)")
    sid.ok("GRANT SELECT ON given TO bob")
    sid.ok("ALTER TABLE given OWNER TO ann")
    ann.ok("REVOKE SELECT ON given FROM bob")
    ann.ok("DROP TABLE given")
    sid.ok("CREATE NAMESPACE room")
    sid.ok("ALTER NAMESPACE room OWNER TO ann")
    ann.ok("DROP NAMESPACE room")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT EXISTS (SELECT 1 FROM {s}) AS v",
        "SELECT m.id IN (SELECT id FROM {s}) AS v FROM asked m",
        "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM {s} h WHERE h.id >= m.id)) > 0 AS v FROM asked m",
        "SELECT count(*) > 0 AS v FROM asked m JOIN asked n ON EXISTS (SELECT 1 FROM {s} h WHERE h.id = m.id)",
        "SELECT (SELECT h.id FROM {s} h WHERE h.id = m.id OR h.id > m.id) IS NOT NULL AS v FROM asked m",
    ],
)
def test_sub_queries_as_values_ask_for_what_their_user_may_see(house: House, query: str) -> None:
    """However they are written for the engine: nothing of a table without a grant, of a USER table the own rows."""
    root, ann = house.person("root"), house.person("ann")
    for name, kind in (("asked", "SHARED"), ("unseen", "SHARED"), ("everybodys", "USER")):
        root.ok(f"CREATE {kind} TABLE IF NOT EXISTS {name} (id BIGINT PRIMARY KEY)")
        root.ok(f"INSERT INTO {name} VALUES (1) ON CONFLICT DO NOTHING")
    root.ok("GRANT SELECT ON asked TO ann")
    assert ann.refused(query.format(s="unseen")) == ann.refused(query.format(s="nowhere")).replace("nowhere", "unseen")
    assert ann.ok(query.format(s="everybodys")) == [{"v": False}]
    assert root.ok(query.format(s="everybodys")) == [{"v": True}]
