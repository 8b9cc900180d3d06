"""All definitions as one value: who may be called what, and what a change leaves alone."""

import pytest

from catalog.definition import ViewDef
from catalog.errors import ErrorKind
from catalog.identifiers import RESERVED_NAMESPACES, TableName
from catalog.registry import Registry
from tests.catalog.samples import ORDERS, refused, table_of

RECENT = TableName("public", "recent")
VIEW = ViewDef(RECENT, "SELECT 1", "public")


def test_the_default_namespace_is_there_from_the_start() -> None:
    """Nobody has to create `public`."""
    Registry().require_namespace("public")


def test_a_change_leaves_the_old_registry_alone() -> None:
    """A reader that holds a registry keeps what it sees."""
    before = Registry()
    before.with_table(table_of()).with_namespace("x").with_view(VIEW)
    assert (before.tables, before.views, before.namespaces) == ({}, {}, {"public"})


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
    assert Registry().with_namespace("x").without_namespace("x").namespaces == {"public"}


def test_tables_and_views_share_names() -> None:
    """A name is a table or a view."""
    registry = Registry().with_table(table_of()).with_view(VIEW)
    assert "view" in refused(ErrorKind.ALREADY_EXISTS, lambda: registry.with_table(table_of(name=RECENT)))
    view = ViewDef(ORDERS, "SELECT 1", "public")
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
    assert registry.with_view(ViewDef(ORDERS, "SELECT 1", "public")).exists(ORDERS)


def test_what_does_not_exist_cannot_be_dropped() -> None:
    """DROP names what it does not find."""
    refused(ErrorKind.NOT_FOUND, lambda: Registry().without_table(ORDERS))
    refused(ErrorKind.NOT_FOUND, lambda: Registry().without_view(RECENT))
    refused(ErrorKind.NOT_FOUND, lambda: Registry().without_namespace("x"))


def test_the_next_table_id_never_falls() -> None:
    """Dropping the newest table does not free its id."""
    registry = Registry().with_table(table_of(table_id=7)).without_table(ORDERS)
    assert registry.next_table_id == 8
