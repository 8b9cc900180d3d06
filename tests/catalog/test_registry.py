"""All definitions as one value: who may be called what, and what a change leaves alone."""

import pytest

from catalog.definition import ViewDef
from catalog.errors import ErrorKind
from catalog.identifiers import RESERVED_NAMESPACES, TableName
from catalog.registry import Registry
from tests.catalog.samples import ORDERS, refused, table_of

RECENT = TableName("public", "recent")
VIEW = ViewDef(RECENT, "SELECT 1", "public", 1, "ann")


def test_the_default_namespace_is_there_from_the_start() -> None:
    """Nobody has to create `public`."""
    Registry().require_namespace("public")


def test_a_change_leaves_the_old_registry_alone() -> None:
    """A reader that holds a registry keeps what it sees."""
    before = Registry()
    before.with_table(table_of()).with_namespace("x").with_view(VIEW)
    assert (list(before.tables), list(before.views), list(before.namespaces)) == ([], [], ["public"])


def test_definitions_cannot_be_changed_in_place() -> None:
    """The maps of a registry are read-only."""
    registry = Registry().with_table(table_of())
    with pytest.raises(TypeError):
        registry.tables[ORDERS] = table_of()  # type: ignore[index]


def test_an_unknown_table_is_named() -> None:
    """The message says which table does not exist."""
    assert "public.orders does not exist" in refused(ErrorKind.NOT_FOUND, lambda: Registry().table(ORDERS))


def test_an_unknown_namespace_is_named() -> None:
    """A table of an unknown namespace is refused for its namespace."""
    assert "namespace x" in refused(ErrorKind.NOT_FOUND, lambda: Registry().table(TableName("x", "t")))


def test_a_table_in_an_unknown_namespace_is_refused() -> None:
    """CREATE TABLE needs its namespace."""
    table = table_of(name=TableName("x", "t"))
    assert "namespace x" in refused(ErrorKind.NOT_FOUND, lambda: Registry().with_table(table))


@pytest.mark.parametrize("name", sorted(RESERVED_NAMESPACES))
def test_reserved_namespaces_are_refused(name: str) -> None:
    """Names with a meaning of their own are not for users."""
    assert name in refused(ErrorKind.INVALID, lambda: Registry().with_namespace(name))


def test_a_namespace_exists_once() -> None:
    """CREATE NAMESPACE names a new one."""
    assert "x" in refused(ErrorKind.ALREADY_EXISTS, lambda: Registry().with_namespace("x").with_namespace("x"))


def test_a_namespace_that_holds_something_stays() -> None:
    """The message names what is in the way."""
    registry = Registry().with_namespace("x").with_table(table_of(name=TableName("x", "t")))
    assert "x.t" in refused(ErrorKind.INVALID, lambda: registry.without_namespace("x"))


def test_the_default_namespace_stays() -> None:
    """`public` cannot be dropped."""
    assert "public" in refused(ErrorKind.INVALID, lambda: Registry().without_namespace("public"))


def test_an_empty_namespace_can_be_dropped() -> None:
    """Nothing of it remains."""
    assert list(Registry().with_namespace("x").without_namespace("x").namespaces) == ["public"]


def test_tables_and_views_share_names() -> None:
    """A name is a table or a view."""
    registry = Registry().with_table(table_of()).with_view(VIEW)
    assert "view" in refused(ErrorKind.ALREADY_EXISTS, lambda: registry.with_table(table_of(name=RECENT)))
    view = ViewDef(ORDERS, "SELECT 1", "public", 1, "ann")
    assert "table" in refused(ErrorKind.ALREADY_EXISTS, lambda: registry.with_view(view))


def test_a_view_is_no_table() -> None:
    """Asked for a table, the registry says what the name is."""
    assert "is a view" in refused(ErrorKind.NOT_FOUND, lambda: Registry().with_view(VIEW).table(RECENT))


def test_a_table_is_no_view() -> None:
    """Asked for a view, the registry says what the name is."""
    assert "is a table" in refused(ErrorKind.NOT_FOUND, lambda: Registry().with_table(table_of()).view(ORDERS))


def test_a_dropped_table_is_gone() -> None:
    """Its name is free for a view."""
    registry = Registry().with_table(table_of()).without_table(ORDERS)
    assert not registry.exists(ORDERS)
    assert registry.with_view(ViewDef(ORDERS, "SELECT 1", "public", 1, "ann")).exists(ORDERS)


def test_what_does_not_exist_cannot_be_dropped() -> None:
    """DROP names what it does not find."""
    refused(ErrorKind.NOT_FOUND, lambda: Registry().without_table(ORDERS))
    refused(ErrorKind.NOT_FOUND, lambda: Registry().without_view(RECENT))
    refused(ErrorKind.NOT_FOUND, lambda: Registry().without_namespace("x"))


def test_the_next_table_id_never_falls() -> None:
    """Dropping the newest table does not free its id."""
    registry = Registry().with_table(table_of(table_id=7)).without_table(ORDERS)
    assert registry.next_table_id == 8


def test_a_namespace_lists_its_own() -> None:
    """Tables and views by name, and not those of a namespace whose name begins alike."""
    registry = Registry().with_namespace("x").with_namespace("x2").with_view(VIEW)
    for number, name in enumerate((TableName("x", "b"), TableName("x", "a"), TableName("x2", "a")), start=1):
        registry = registry.with_table(table_of(name=name, table_id=number))
    assert [table.name.table for table in registry.tables_in("x")] == ["a", "b"]
    assert [view.name for view in registry.views_in("public")] == [RECENT]
    assert registry.first_in("x2") == TableName("x2", "a")


def test_a_table_is_found_by_its_id() -> None:
    """As long as it is there."""
    registry = Registry().with_table(table_of(table_id=7))
    assert registry.table_of(7) == table_of(table_id=7)
    assert registry.without_table(ORDERS).table_of(7) is None


def test_a_table_that_takes_a_name_takes_its_place() -> None:
    """The one that had the name is found no more, and is left out by the new registry."""
    before = Registry().with_table(table_of(table_id=7))
    after = before.with_table(table_of(table_id=8))
    assert (after.table_of(7), after.table_of(8)) == (None, table_of(table_id=8))
    assert before.left_out_by(after) == [table_of(table_id=7)]


def test_a_table_under_another_name_is_not_left_out() -> None:
    """What counts is the id."""
    before = Registry().with_table(table_of(table_id=7))
    moved = table_of(table_id=7, name=TableName("public", "a"))
    after = before.with_changes(before.without_table(ORDERS).with_table(moved).changes_since(before))
    assert (before.left_out_by(after), after.table_of(7)) == ([], moved)
