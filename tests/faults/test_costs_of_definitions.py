"""What definitions cost is what changes, not how many there are."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.definition import ViewDef
from catalog.identifiers import TableName
from catalog.keyvalue import KeyValueStore
from catalog.registry import Registry
from catalog.roles import Role
from catalog.sorted_map import BLOCK_ITEMS_MAX
from catalog.store import CatalogStore
from flightserver.access.door import Door
from flightserver.access.principal import Principal
from flightserver.temporary import TemporaryTables
from tests.catalog.samples import table_of

TABLES = 10 * BLOCK_ITEMS_MAX


def registry_of(tables: int) -> Registry:
    """A registry of so many tables."""
    registry = Registry()
    for number in range(1, tables + 1):
        registry = registry.with_table(table_of(name=TableName("public", f"t{number:06d}"), table_id=number))
    return registry


MANY = registry_of(TABLES)
NEW = table_of(name=TableName("public", "t000500_new"), table_id=TABLES + 1)
OLD = TableName("public", "t000700")

CHANGES: dict[str, Callable[[Registry], Registry]] = {
    "a table is made": lambda registry: registry.with_table(NEW),
    "a table is dropped": lambda registry: registry.without_table(OLD),
    "a table is replaced": lambda registry: registry.with_table(table_of(name=OLD, table_id=TABLES + 1)),
    "a view is made": lambda registry: registry.with_view(ViewDef(NEW.name, "SELECT 1", "public", 1, "ann")),
    "a transaction is committed": lambda registry: registry.with_table(NEW).rebased(registry, registry),
}


def copied(before: Registry, after: Registry) -> int:
    """How many definitions a change has copied."""
    return len(after.tables.unshared(before.tables)) + len(after.ids.unshared(before.ids))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_copies_few_of_many_definitions(name: str) -> None:
    """The others are shared with the registry before it."""
    assert copied(MANY, CHANGES[name](MANY)) <= 4 * BLOCK_ITEMS_MAX


def test_a_temporary_table_is_put_in_front_of_few() -> None:
    """Each statement of its session sees it, and does not pay for all the others."""
    temporary = TemporaryTables()
    temporary.add(NEW)
    door = Door(MANY, None, Principal.of("root", Role.SYSTEM), lambda _: None, temporary.by_name)
    assert copied(MANY, door._seen) <= 2 * BLOCK_ITEMS_MAX


def seconds_to_open(path: Path, registry: Registry) -> float:
    """The processor time that it takes to read a catalog; the least of several times."""
    with KeyValueStore(path) as keyvalue:
        CatalogStore(keyvalue).change(lambda _: registry)
        taken = []
        for _ in range(3):
            start = time.thread_time()
            found = CatalogStore(keyvalue).registry
            taken.append(time.thread_time() - start)
            assert found == registry
    return min(taken)


def test_a_catalog_is_read_in_proportion(tmp_path: Path) -> None:
    """Ten times as many tables take nowhere near ten times ten times as long."""
    few, many = seconds_to_open(tmp_path / "few", registry_of(TABLES // 10)), seconds_to_open(tmp_path / "many", MANY)
    assert many < 30 * few
