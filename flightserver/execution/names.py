"""What a name in FROM stands for to a statement: a table, a view, a system table, or rows that the statement brings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import pyarrow as pa

from catalog import definition
from catalog.definition import DELETED_COLUMN, SEQ_COLUMN, TableDef, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, PG_CATALOG, TableName
from flightserver.access.door import Door
from flightserver.access.rights import Use
from flightserver.execution.system import SystemTable
from flightserver.sql.meaning.catalog_names import TABLES_PREFIX
from flightserver.sql.meaning.plan_counts import plan_size
from flightserver.sql.meaning.scopes import Column, Relation, visit
from flightserver.sql.meaning.system_columns import of_all_columns
from flightserver.sql.text.queries import query_of
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.remembered import remembered

VIEW_DEPTH_MAX = 32
RELATIONS_KEPT = 4096


@remembered
def view_text(text: str) -> QueryText:
    """The text of a view's query, cut and read once."""
    return QueryText(text)


@dataclass(frozen=True)
class Names:
    """Finds relations by their names, bare ones in `namespace`. `given` are those that a statement brings.

    Every table and view is asked of the door; a view's query has a door of its own. `views` are those that were looked
    into: one that others name again and again is read once.
    """

    door: Door
    system: Mapping[TableName, SystemTable]
    namespace: str
    given: Mapping[TableName, Relation] = field(default_factory=dict)
    depth: int = 0
    views: dict[TableName, Relation] = field(default_factory=dict, compare=False)

    def __call__(self, parts: tuple[str, ...]) -> Relation | None:
        """What a name stands for, None where there is nothing of that name."""
        name = self.full(parts)
        found = None if name is None else self.relation(name)
        if found is None and len(parts) == 1 and parts[0].startswith(TABLES_PREFIX):
            return self.relation(TableName(PG_CATALOG, parts[0]))
        return found

    def full(self, parts: tuple[str, ...]) -> TableName | None:
        """A name in full, None in another catalog than ours."""
        if len(parts) == 3 and parts[0] != CATALOG_NAME:
            return None
        return _full(parts, self.namespace)

    def find(self, name: TableName) -> TableDef | ViewDef | SystemTable | None:
        """What may be read under a full name, rows that the statement brings left out."""
        whole = of_all_columns(name)
        if whole is not None:
            return self.door.find_table(whole, Use.READ)
        return self.system.get(name) or self.door.find(name, Use.READ)

    def relation(self, name: TableName) -> Relation | None:
        """What a full name stands for."""
        if name in self.given:
            return self.given[name]
        match self.find(name):
            case TableDef() as table:
                return _of_table(table, name, has_all=of_all_columns(name) is not None)
            case SystemTable(schema):
                return _of_schema(schema, name)
            case ViewDef() as view:
                if name not in self.views:
                    self.views[name] = self._of_view(view)
                return self.views[name]
        return None

    def within(self, view: ViewDef) -> "Names":
        """The names that a view's query sees; INVALID when views nest without end."""
        if self.depth >= VIEW_DEPTH_MAX:
            raise DatabaseError(ErrorKind.INVALID, f"views are nested deeper than {VIEW_DEPTH_MAX}")
        return Names(self.door.behind(view), self.system, view.namespace, depth=self.depth + 1, views=self.views)

    def _of_view(self, view: ViewDef) -> Relation:
        text, within = view_text(view.query), self.within(view)
        query = query_of(text)
        columns = visit(query, within).outputs[id(query)]
        return Relation(view.name, columns, size=plan_size(text, query, within))


def names_in_view(view: ViewDef) -> set[TableName]:
    """The full names of what a view's query reads, whether it is there or not."""
    named: set[TableName] = set()

    def note(parts: tuple[str, ...]) -> None:
        named.add(_full(parts, view.namespace))

    visit(query_of(view_text(view.query)), note)
    return named


def _full(parts: tuple[str, ...], namespace: str) -> TableName:
    return TableName(parts[-2] if len(parts) > 1 else namespace, parts[-1])


class _Same:
    """A definition that is compared by being the same, which takes no time."""

    def __init__(self, table: TableDef) -> None:
        self.table = table

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.table is other.table

    def __hash__(self) -> int:
        return id(self.table)


def _of_table(table: TableDef, name: TableName, *, has_all: bool) -> Relation:
    return _remembered_table(_Same(table), name, has_all)


@lru_cache(RELATIONS_KEPT)
def _remembered_table(same: _Same, name: TableName, has_all: bool) -> Relation:
    table = same.table
    versions = (Column(SEQ_COLUMN, pa.int64()), Column(DELETED_COLUMN, pa.bool_()))
    visible = tuple(Column(column.name, _type_of(column)) for column in table.visible_columns)
    key = () if table.has_hidden_key else tuple(column.name for column in table.key_columns)
    if has_all:
        return Relation(name, (*(Column(column.name, _type_of(column)) for column in table.columns), *versions), key)
    hidden = [column.name for column in table.columns if column not in table.visible_columns]
    return Relation(name, visible, key, (*hidden, SEQ_COLUMN, DELETED_COLUMN))


def _type_of(column: definition.Column) -> pa.DataType:
    """The type in which the engine has a column; UUIDs, which are text to it, are told from other text."""
    return column.type if column.type == pa.uuid() else column.storage


def _of_schema(schema: pa.Schema, name: TableName) -> Relation:
    return Relation(name, tuple(Column(part.name, part.type) for part in schema))


def relation_of_rows(rows: pa.Table, name: TableName) -> Relation:
    """Rows that a statement brings, as a relation."""
    return _of_schema(rows.schema, name)
