"""ALTER TABLE as a pure function: what a definition may become, and what it never does."""

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from catalog.definition import (
    DELETED_COLUMN,
    HIDDEN_KEY_COLUMN,
    SEQ_COLUMN,
    SYSTEM_COLUMNS,
    ColumnSpec,
    Default,
    DefaultFunction,
    TableDef,
    TableKind,
    TableOptions,
)
from catalog.errors import ErrorKind
from catalog.evolution import COLUMNS_MAX, add_column, create_table, drop_column, rename_column, set_options
from catalog.identifiers import NAME_LENGTH_MAX
from tests.catalog.samples import ORDERS, refused, table_of

INT = pa.int64()


def test_a_new_table_has_version_one() -> None:
    """All columns of CREATE TABLE are there from the first version on."""
    table = table_of("k", "v")
    assert table.version == 1
    assert [column.added for column in table.columns] == [1, 1]


def test_key_columns_are_not_null() -> None:
    """A key column is NOT NULL although nobody said so."""
    table = table_of("v", "k")
    assert not table.column("k").nullable
    assert table.column("v").nullable


def test_the_key_keeps_its_declared_order() -> None:
    """PRIMARY KEY (b, a) is not (a, b), wherever the columns stand."""
    assert [column.name for column in table_of("a", "v", "b", key=("b", "a")).key_columns] == ["b", "a"]


def test_a_table_without_key_gets_a_hidden_one() -> None:
    """`_row` is the key, is not shown, and is filled by the server."""
    table = table_of("a", "b", key=())
    assert table.has_hidden_key
    assert table.schema.names == ["a", "b"]
    assert table.key_columns[0].default == Default(DefaultFunction.SNOWFLAKE_ID)


def test_a_table_with_a_key_has_no_hidden_one() -> None:
    """A declared key is the only one."""
    assert not table_of("k").has_hidden_key


def test_hot_batches_hold_the_version_columns() -> None:
    """Physical rows are the user's columns, then `_seq` and `_deleted`."""
    assert table_of("k", "v").physical_schema.names == ["k", "v", SEQ_COLUMN, DELETED_COLUMN]


@pytest.mark.parametrize("name", sorted(SYSTEM_COLUMNS))
def test_system_names_are_reserved_at_creation(name: str) -> None:
    """No user column is called like a system column."""
    assert name in refused(ErrorKind.INVALID, lambda: table_of("k", name))


@pytest.mark.parametrize("name", sorted(SYSTEM_COLUMNS))
def test_system_names_cannot_be_added(name: str) -> None:
    """ADD COLUMN refuses them as well."""
    assert name in refused(ErrorKind.INVALID, lambda: add_column(table_of(), ColumnSpec(name, INT)))


@pytest.mark.parametrize("name", sorted(SYSTEM_COLUMNS))
def test_no_column_is_renamed_to_a_system_name(name: str) -> None:
    """RENAME COLUMN refuses them as well."""
    assert name in refused(ErrorKind.INVALID, lambda: rename_column(table_of(), "v", name))


def test_the_hidden_key_cannot_be_renamed() -> None:
    """It would come to light."""
    table = table_of("a", key=())
    assert HIDDEN_KEY_COLUMN in refused(ErrorKind.INVALID, lambda: rename_column(table, HIDDEN_KEY_COLUMN, "r"))


def test_two_columns_of_one_name_are_refused() -> None:
    """CREATE TABLE names each column once."""
    assert "a" in refused(ErrorKind.ALREADY_EXISTS, lambda: table_of("k", "a", "a"))


def test_a_key_column_named_twice_is_refused() -> None:
    """PRIMARY KEY (k, k) makes no sense."""
    assert "twice" in refused(ErrorKind.INVALID, lambda: table_of("k", key=("k", "k")))


def test_an_unknown_key_column_is_refused() -> None:
    """The key must be among the columns, and the message lists these."""
    assert "its columns are a, b" in refused(ErrorKind.NOT_FOUND, lambda: table_of("a", "b", key=("k",)))


@pytest.mark.parametrize("nested", [pa.list_(INT), pa.struct([("x", INT)])])
def test_nested_types_are_no_keys(nested: pa.DataType) -> None:
    """Lists and structs have no order and no hash."""
    specs = [ColumnSpec("k", nested)]
    assert "k" in refused(ErrorKind.INVALID, lambda: create_table(1, ORDERS, TableKind.SHARED, specs, ["k"]))


def test_too_many_columns_are_refused() -> None:
    """The number of columns is bounded."""
    names = ["k", *(f"c{number}" for number in range(COLUMNS_MAX))]
    assert str(COLUMNS_MAX) in refused(ErrorKind.INVALID, lambda: table_of(*names))


def test_a_hidden_key_is_a_column_too() -> None:
    """Who has made no key is told why there is one column less."""
    names = [f"c{number}" for number in range(COLUMNS_MAX)]
    assert "hidden key" in refused(ErrorKind.INVALID, lambda: table_of(*names, key=()))
    assert len(table_of(*names[1:], key=()).visible_columns) == COLUMNS_MAX - 1


def test_a_long_column_name_is_refused() -> None:
    """The length of names is bounded."""
    refused(ErrorKind.INVALID, lambda: table_of("k", "x" * (NAME_LENGTH_MAX + 1)))


def test_an_added_column_knows_its_version() -> None:
    """Batches of an older version do not hold it."""
    table = add_column(table_of(), ColumnSpec("w", INT))
    assert table.version == 2
    assert table.column("w").added == 2


def test_a_column_that_exists_cannot_be_added() -> None:
    """ADD COLUMN names a new column."""
    assert "v" in refused(ErrorKind.ALREADY_EXISTS, lambda: add_column(table_of(), ColumnSpec("v", INT)))


@pytest.mark.parametrize("function", list(DefaultFunction))
def test_a_function_is_no_default_for_rows_that_exist(function: DefaultFunction) -> None:
    """ADD COLUMN takes literals only: old rows must read the same value for ever."""
    spec = ColumnSpec("w", INT, default=Default(function))
    assert function.value in refused(ErrorKind.UNSUPPORTED, lambda: add_column(table_of(), spec))


def test_a_not_null_column_needs_a_default() -> None:
    """Rows that exist would have no value."""
    spec = ColumnSpec("w", INT, nullable=False)
    assert "NOT NULL" in refused(ErrorKind.INVALID, lambda: add_column(table_of(), spec))


def test_a_not_null_column_with_a_default_can_be_added() -> None:
    """Rows that exist read the default."""
    spec = ColumnSpec("w", INT, nullable=False, default=Default(literal="7"))
    assert not add_column(table_of(), spec).column("w").nullable


def test_a_dropped_column_is_gone() -> None:
    """Neither its name nor its id is known any more."""
    before = table_of()
    after = drop_column(before, "v")
    assert "v" not in after.by_name
    assert before.column("v").id not in after.by_id


def test_a_key_column_cannot_be_dropped() -> None:
    """Rows would lose their identity."""
    assert "primary key" in refused(ErrorKind.INVALID, lambda: drop_column(table_of(), "k"))


def test_the_last_visible_column_cannot_be_dropped() -> None:
    """A table shows something."""
    assert "only one" in refused(ErrorKind.INVALID, lambda: drop_column(table_of("a", key=()), "a"))


def test_an_unknown_column_cannot_be_dropped() -> None:
    """The message lists the columns there are."""
    assert "its columns are k, v" in refused(ErrorKind.NOT_FOUND, lambda: drop_column(table_of(), "w"))


def test_a_dropped_column_leaves_the_blooms() -> None:
    """Batches from now on have no filter for it."""
    before = table_of("k", "v", "w")
    blooms = tuple(before.column(name).id for name in ("v", "w"))
    after = drop_column(set_options(before, TableOptions(bloom_columns=blooms)), "v")
    assert after.options.bloom_columns == (before.column("w").id,)


def test_a_renamed_column_keeps_id_and_physical_name() -> None:
    """Files that exist stay readable."""
    before, after = table_of().column("v"), rename_column(table_of(), "v", "w").column("w")
    assert (after.id, after.physical, after.added) == (before.id, before.physical, before.added)


def test_a_column_cannot_take_the_name_of_another() -> None:
    """RENAME COLUMN names a new column."""
    assert "k" in refused(ErrorKind.ALREADY_EXISTS, lambda: rename_column(table_of(), "v", "k"))


def test_a_key_column_may_be_renamed() -> None:
    """The key follows by id."""
    assert [column.name for column in rename_column(table_of(), "k", "id").key_columns] == ["id"]


def test_a_column_with_an_old_name_gets_a_physical_name_of_its_own() -> None:
    """After RENAME v TO w and ADD v, old files cannot lend w's values to v."""
    table = add_column(rename_column(table_of(), "v", "w"), ColumnSpec("v", INT))
    assert table.column("v").physical != table.column("w").physical == "v"


def test_a_user_cannot_guess_a_physical_name() -> None:
    """A column whose name looks like a physical name of another column stays apart from it."""
    table = add_column(drop_column(table_of("a", "a#4", "k"), "a"), ColumnSpec("a", INT))
    assert len({column.physical for column in table.columns}) == 3


def test_options_are_a_new_version() -> None:
    """A change of storage options is a change of the definition."""
    after = set_options(table_of(), TableOptions(bloom_fpp=0.5))
    assert (after.version, after.options.bloom_fpp) == (2, 0.5)


class Alterations(RuleBasedStateMachine):
    """Any sequence of changes to one table."""

    names = st.sampled_from(["k", "a", "b", "a#3", "b#4", "a#3#5"])

    def __init__(self) -> None:
        super().__init__()
        self.table: TableDef = table_of("k")
        self.seen: dict[int, str] = {column.id: column.physical for column in self.table.columns}
        self.version = 1

    @rule(name=names)
    def add(self, name: str) -> None:
        """ADD COLUMN takes an id and a physical name that no column has or had."""
        if name not in self.table.by_name:
            self.table = add_column(self.table, ColumnSpec(name, INT))
            column = self.table.columns[-1]
            assert column.id not in self.seen
            assert column.physical not in self.seen.values()
            self.seen[column.id] = column.physical

    @precondition(lambda self: len(self.table.columns) > 1)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        """DROP COLUMN."""
        names = [column.name for column in self.table.columns if column.id not in self.table.key]
        self.table = drop_column(self.table, data.draw(st.sampled_from(names)))

    @rule(data=st.data(), new=names)
    def rename(self, data: st.DataObject, new: str) -> None:
        """RENAME COLUMN."""
        old = data.draw(st.sampled_from(sorted(self.table.by_name)))
        if new not in self.table.by_name:
            self.table = rename_column(self.table, old, new)

    @invariant()
    def names_are_unique(self) -> None:
        """No two columns have one name."""
        assert len(self.table.by_name) == len(self.table.columns)

    @invariant()
    def physical_names_never_change(self) -> None:
        """A column keeps the name that its files know."""
        assert all(self.seen[column.id] == column.physical for column in self.table.columns)

    @invariant()
    def versions_never_go_back(self) -> None:
        """The version only grows."""
        assert self.table.version >= self.version
        self.version = self.table.version


TestAlterations = Alterations.TestCase
TestAlterations.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
