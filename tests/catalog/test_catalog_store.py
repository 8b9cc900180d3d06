"""The registry on a real disk: every kind of change survives a restart, and ids are never used twice."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, Compression, Default, TableOptions, ViewDef
from catalog.errors import ErrorKind
from catalog.evolution import add_column, drop_column, rename_column, set_options
from catalog.grants import Grant, Grantee, GranteeType, ObjectId, ObjectType, Privilege
from catalog.identifiers import TableName
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from catalog.policies import Policy
from catalog.registry import Registry
from catalog.store import CatalogStore
from tests.catalog.samples import ORDERS, refused, table_of

SPARE = TableName("public", "spare")
VIEW = ViewDef(TableName("public", "recent"), "SELECT 1", "public", 1, "ann")
GRANT = Grant(
    ObjectId(ObjectType.TABLE, 2), Privilege.SELECT, Grantee(GranteeType.USER, "a/b"), "ann", grant_option=True
)
POLICY = Policy(2, "p", frozenset(Privilege), (Grantee(GranteeType.USER, "a/b"),), "k = 1", None)
START = Registry().with_table(table_of()).with_table(table_of(name=SPARE, table_id=2)).with_view(VIEW)

CHANGES: dict[str, Callable[[Registry], Registry]] = {
    "create namespace": lambda registry: registry.with_namespace("sales"),
    "create namespace of any name": lambda registry: registry.with_namespace("a/b ~ É"),
    "drop namespace": lambda registry: registry.with_namespace("sales").without_namespace("sales"),
    "create table": lambda registry: registry.with_table(table_of(name=TableName("public", "n/t0"), table_id=9)),
    "drop table": lambda registry: registry.without_table(ORDERS),
    "create table again": lambda registry: registry.without_table(ORDERS).with_table(table_of("k", "x", table_id=9)),
    "add column": lambda registry: registry.with_table(
        add_column(registry.table(ORDERS), ColumnSpec("w", pa.timestamp("us", "UTC"), False, Default(literal="'now'")))
    ),
    "drop column": lambda registry: registry.with_table(drop_column(registry.table(ORDERS), "v")),
    "rename column": lambda registry: registry.with_table(rename_column(registry.table(ORDERS), "v", "Ü")),
    "set options": lambda registry: registry.with_table(
        set_options(registry.table(ORDERS), TableOptions(compression=Compression.ZSTD))
    ),
    "create view": lambda registry: registry.with_view(
        ViewDef(TableName("public", "v"), "SELECT '\n'", "public", 1, "ann")
    ),
    "replace view": lambda registry: registry.with_view(ViewDef(VIEW.name, "SELECT 2", "public", 1, "ann")),
    "drop view": lambda registry: registry.without_view(VIEW.name),
    "table becomes view": lambda registry: registry.without_table(ORDERS).with_view(
        ViewDef(ORDERS, "SELECT 1", "x", 1, "ann")
    ),
    "policy": lambda registry: registry.with_policy(POLICY),
    "drop what had a policy": lambda registry: registry.with_policy(POLICY).without_table(SPARE),
    "drop policy": lambda registry: registry.with_policy(POLICY).without_policy(POLICY.key),
    "grant": lambda registry: registry.with_grants([GRANT]),
    "drop what was granted": lambda registry: registry.with_grants([GRANT]).without_table(SPARE),
    "another owner": lambda registry: registry.owned_by(registry.table(SPARE), "bob"),
    "several at once": lambda registry: registry.with_namespace("a").without_table(SPARE).without_view(VIEW.name),
}


class Disk:
    """A catalog that can be closed and opened again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keyvalue = KeyValueStore(path)
        self.store = CatalogStore(self.keyvalue)

    def reopen(self) -> CatalogStore:
        """Read everything back from the disk."""
        self.keyvalue.close()
        self.keyvalue = KeyValueStore(self.path)
        self.store = CatalogStore(self.keyvalue)
        return self.store


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A catalog with two tables and a view."""
    opened = Disk(tmp_path / "kv")
    opened.store.change(lambda _: START)
    yield opened
    opened.keyvalue.close()


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_every_kind_of_change_survives_a_restart(disk: Disk, name: str) -> None:
    """After a restart the registry equals the one before it."""
    after = disk.store.change(CHANGES[name])
    assert disk.reopen().registry == after


def test_an_empty_catalog_has_the_default_namespace(tmp_path: Path) -> None:
    """Nothing needs to be set up."""
    with KeyValueStore(tmp_path / "kv") as keyvalue:
        assert CatalogStore(keyvalue).registry == Registry()


def test_a_refused_change_changes_nothing(disk: Disk) -> None:
    """An error in the middle of a change leaves memory and disk as they were."""
    refused(ErrorKind.NOT_FOUND, lambda: disk.store.change(lambda r: r.without_table(ORDERS).without_table(ORDERS)))
    assert disk.store.registry == START
    assert disk.reopen().registry == START


def test_a_reader_keeps_the_registry_it_took(disk: Disk) -> None:
    """A change publishes a new value and leaves the old one alone."""
    taken = disk.store.registry
    disk.store.change(lambda registry: registry.without_table(ORDERS))
    assert taken.exists(ORDERS)


def test_reserved_ids_are_distinct(disk: Disk) -> None:
    """Every reservation is a new id, larger than that of any table."""
    assert [disk.store.reserve_table_id() for _ in range(3)] == [3, 4, 5]


def test_a_reserved_id_is_never_given_again(disk: Disk) -> None:
    """Not even when no table took it and the server restarted."""
    reserved = disk.store.reserve_table_id()
    assert disk.reopen().reserve_table_id() > reserved


def test_the_id_of_a_dropped_table_is_never_given_again(disk: Disk) -> None:
    """Its files may still be on the disk."""
    disk.store.change(lambda registry: registry.without_table(SPARE))
    assert disk.reopen().reserve_table_id() == 3


def test_a_dropped_physical_name_stays_taken_after_a_restart(disk: Disk) -> None:
    """Old batches still hold the dropped column under that name."""
    disk.store.change(CHANGES["drop column"])
    table = add_column(disk.reopen().registry.table(ORDERS), ColumnSpec("v", pa.int64()))
    assert table.column("v").physical != "v"


@pytest.mark.parametrize(
    "key", [b"t/public/orders", b"v/public/recent", b"n/sales", b"g/table/2/select/user/a~2fb/ann", b"p/2/p"]
)
def test_a_damaged_record_is_refused(disk: Disk, key: bytes) -> None:
    """A catalog with an unreadable definition does not open: a table would be missing."""
    disk.store.change(CHANGES["create namespace"])
    disk.store.change(CHANGES["grant"])
    disk.store.change(CHANGES["policy"])
    assert disk.keyvalue.get(Family.CATALOG, key) is not None
    batch = AtomicWrite()
    batch.put(Family.CATALOG, key, b"damage")
    disk.keyvalue.commit(batch)
    refused(ErrorKind.CORRUPT, lambda: CatalogStore(disk.keyvalue))
