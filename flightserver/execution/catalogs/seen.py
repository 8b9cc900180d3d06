"""What an asker may describe, as columns: namespaces, relations, and the columns of those.

Everything comes through the door of the context. What is computed for a catalog takes from here by place, so that
thousands of tables cost some list operations each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from functools import cached_property

import pyarrow as pa

from catalog.definition import NOBODY, TableDef, Unique, ViewDef
from catalog.errors import DatabaseError
from catalog.identifiers import COMPUTED_NAMESPACES, TableName
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.execution.system import SystemTable
from flightserver.sql.postgres_types import TypeNumbers

Computed = Mapping[TableName, SystemTable]
DescribeView = Callable[[ViewDef, Context], pa.Schema]
"""The columns of a view; raises when it names what is not there any more."""


@unique
class RelationKind(Enum):
    """What a relation is to the catalogs."""

    TABLE = "BASE TABLE"
    TEMPORARY = "LOCAL TEMPORARY"
    VIEW = "VIEW"
    COMPUTED = "computed"


@dataclass(frozen=True)
class Relation:
    """A table or a view, or a table that the server computes."""

    name: TableName
    kind: RelationKind
    found: TableDef | ViewDef | SystemTable

    @property
    def owner(self) -> str:
        """Whose it is; nobody's where the server computes it."""
        return NOBODY if isinstance(self.found, SystemTable) else self.found.owner


@dataclass(frozen=True)
class ColumnsSeen:
    """The columns of relations, one after another. `relation` has the places of theirs, `type` the numbers of types."""

    relation: pa.Array
    position: pa.Array
    name: pa.Array
    type: pa.Array
    nullable: pa.Array
    not_null: pa.Array
    default: pa.Array
    types: TypeNumbers


class Seen:
    """What the asker of a statement may describe."""

    def __init__(self, context: Context, computed: Computed, describe_view: DescribeView) -> None:
        self._context = context
        self._computed = computed
        self._describe_view = describe_view

    @property
    def asker(self) -> str:
        """Whose rights count."""
        return self._context.user

    @property
    def is_admin(self) -> bool:
        """Tell whether the asker looks after the server."""
        return self._context.principal.is_admin

    @property
    def namespaces(self) -> list[str]:
        """All namespaces, with those of what is computed."""
        return sorted({*self._context.door.namespaces, *COMPUTED_NAMESPACES})

    def owner_of_namespace(self, name: str) -> str | None:
        """Who owns a namespace, if that is for the asker to know."""
        found = self._context.door.registry.namespaces.get(name)
        return None if found is None else self.shown_owner(found.owner)

    def shown_owner(self, owner: str) -> str | None:
        """The owner's name where it is the asker's business."""
        return owner if owner != NOBODY and self._context.principal.may_see(owner) else None

    @cached_property
    def tables(self) -> list[Relation]:
        """All tables, by name."""
        temporary = self._context.temporary.by_name
        return [
            Relation(
                table.name,
                RelationKind.TEMPORARY if temporary.get(table.name) is table else RelationKind.TABLE,
                table,
            )
            for table in self._context.door.tables(Use.DESCRIBE)
        ]

    @cached_property
    def views(self) -> list[Relation]:
        """All views, by name."""
        return [Relation(view.name, RelationKind.VIEW, view) for view in self._context.door.views(Use.DESCRIBE)]

    @cached_property
    def relations(self) -> list[Relation]:
        """Everything that a query can name: tables, views, and what is computed."""
        computed = [Relation(name, RelationKind.COMPUTED, table) for name, table in sorted(self._computed.items())]
        return [*self.tables, *self.views, *computed]

    @cached_property
    def keyed(self) -> list[TableDef]:
        """The tables that were made with a key."""
        return [found for one in self.tables if isinstance(found := one.found, TableDef) and not found.has_hidden_key]

    @cached_property
    def uniques(self) -> list[tuple[TableDef, Unique]]:
        """Every UNIQUE with its table."""
        tables = [one.found for one in self.tables if isinstance(one.found, TableDef)]
        return [(table, unique) for table in tables for unique in table.uniques]

    @cached_property
    def columns(self) -> ColumnsSeen:
        """The columns of all relations, in their order."""
        types = TypeNumbers()
        owners: list[int] = []
        positions: list[int] = []
        names: list[str] = []
        kinds: list[int] = []
        nullable: list[bool] = []
        defaults: list[str | None] = []
        for place, relation in enumerate(self.relations):
            if isinstance(relation.found, TableDef):
                columns = relation.found.visible_columns
                names += [column.name for column in columns]
                kinds += [types.number(column.type) for column in columns]
                nullable += [column.nullable for column in columns]
                defaults += [None if column.default is None else str(column.default) for column in columns]
                count = len(columns)
            else:
                schema = self._schema(relation)
                names += schema.names
                kinds += [types.number(part.type) for part in schema]
                nullable += [True] * len(schema)
                count = len(schema)
                defaults += [None] * count
            owners += [place] * count
            positions += range(1, count + 1)
        return ColumnsSeen(
            pa.array(owners, pa.int32()),
            pa.array(positions, pa.int32()),
            pa.array(names, pa.string()),
            pa.array(kinds, pa.int32()),
            pa.array(nullable, pa.bool_()),
            pa.array([not one for one in nullable], pa.bool_()),
            pa.array(defaults, pa.string()),
            types,
        )

    def _schema(self, relation: Relation) -> pa.Schema:
        """The columns of what is no table; none of a view that names what is not there any more."""
        if isinstance(relation.found, SystemTable):
            return relation.found.schema
        if isinstance(relation.found, ViewDef):
            try:
                return self._describe_view(relation.found, self._context)
            except DatabaseError:
                return pa.schema([])
        return relation.found.schema


def filled(schema: pa.Schema, rows: int, columns: Mapping[str, object]) -> pa.Table:
    """A table of some columns: arrays, lists, or one value for all rows; NULL in all others."""
    arrays = [_column(columns.get(part.name), part.type, rows) for part in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _column(given: object, kind: pa.DataType, rows: int) -> pa.Array:
    if given is None:
        return pa.nulls(rows, kind)
    if isinstance(given, pa.Array | pa.ChunkedArray):
        return given if given.type == kind else given.cast(kind)
    if isinstance(given, Sequence) and not isinstance(given, str):
        return pa.array(given, kind)
    return pa.repeat(pa.scalar(given, kind), rows)
