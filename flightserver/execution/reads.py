"""What a query may read: the tables, views and system tables that its names stand for, and what guards their rows."""

from collections.abc import Callable
from dataclasses import dataclass, field

from catalog.definition import TableDef, ViewDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from catalog.identifiers import TableName
from flightserver.access.row_rules import RowRule, rule_on_rows
from flightserver.execution.names import Names
from flightserver.execution.system import SystemTable
from flightserver.sql.meaning.engine_text import EngineText
from flightserver.sql.meaning.system_columns import of_all_columns
from flightserver.sql.meaning.value_sizes import STORED_BYTES
from providers.engine.relations import Columns


@dataclass(frozen=True)
class ReadView:
    """A view that a query reads: its texts for the engine, where their names resolve, and what guards those."""

    text: str
    namespace: str
    guards: frozenset[tuple[TableName, RowRule]]
    fenced: str | None
    kept_orders: str | None


@dataclass
class Reads:
    """What a query may read. `variants` has for each name of a table the table, and which of its columns it shows.

    Tables `behind_views` are named by a view; views stand in the order in which they can be planned, innermost first.
    """

    tables: dict[TableName, TableDef] = field(default_factory=dict)
    variants: dict[TableName, tuple[TableName, Columns]] = field(default_factory=dict)
    views: dict[TableName, ReadView] = field(default_factory=dict)
    system: dict[TableName, SystemTable] = field(default_factory=dict)
    behind_views: set[TableName] = field(default_factory=set)
    has_optional_sides: bool = False
    has_values: bool = False
    is_lasting: bool = True
    values: list[tuple[str, str]] = field(default_factory=list)
    """The texts of sub-queries that are values, and that a plan does not show, with their namespaces."""
    hidden: set[TableName] = field(default_factory=set)
    hidden_views: set[TableName] = field(default_factory=set)
    value_bytes: int = STORED_BYTES
    unguarded: set[TableName] = field(default_factory=set)
    guards: dict[TableName, RowRule] = field(default_factory=dict)
    changed: tuple[TableName, Privilege] | None = None

    @property
    def all_guards(self) -> set[tuple[TableName, RowRule]]:
        """Every name that stands for a table of which a policy leaves only some rows, with its rule."""
        of_views = {item for view in self.views.values() for item in view.guards}
        return {*self.guards.items(), *of_views}

    def _rule(self, name: TableName, found: TableDef, names: Names) -> RowRule | None:
        """Which rows of a table a name stands for; those to be changed must allow that, too."""
        whole = of_all_columns(name)
        if self.changed is not None and whole == self.changed[0]:
            return rule_on_rows(names.door, found, Privilege.SELECT, self.changed[1])
        return rule_on_rows(names.door, found, Privilege.SELECT)

    def add(
        self,
        text: EngineText,
        names: Names,
        of_view: Callable[[ViewDef, Names], EngineText],
        *,
        is_behind_view: bool = False,
        is_hidden: bool = False,
    ) -> dict[TableName, RowRule]:
        """Add what a text names, and what the views that it names do; return what guards the tables that it names."""
        guards: dict[TableName, RowRule] = {}
        self.has_optional_sides |= text.has_optional_sides
        self.has_values |= text.has_values
        self.is_lasting &= text.is_lasting
        self.values += [(value, names.namespace) for value in text.values]
        self.value_bytes = max(self.value_bytes, text.value_bytes)
        for name in text.relations - names.given.keys():
            table = of_all_columns(name) or name
            hides = is_hidden or table in text.hidden
            if is_behind_view:
                self.behind_views.add(table)
            match names.find(name):
                case TableDef() as found:
                    if self.tables.setdefault(table, found) is not found:
                        raise _two_meanings(table)
                    self.variants[name] = (table, Columns.VISIBLE if table == name else Columns.ALL)
                    self.hidden |= {table} if hides else set()
                    rule = self._rule(name, found, names)
                    if rule is None:
                        self.unguarded.add(table)
                    else:
                        guards[name] = rule
                case SystemTable() as found:
                    self.system[name] = found
                case ViewDef() as found if name not in (self.hidden_views if hides else self.views):
                    self.hidden_views |= {name} if hides else set()
                    within = names.within(found)
                    written = of_view(found, within)
                    inner = self.add(written, within, of_view, is_behind_view=True, is_hidden=hides)
                    guarded = frozenset(inner.items())
                    view = ReadView(written.text, found.namespace, guarded, written.fenced, written.kept_orders)
                    self.views.setdefault(name, view)
        for name in self.tables.keys() & self.views.keys():
            raise _two_meanings(name)
        return guards


def _two_meanings(name: TableName) -> DatabaseError:
    """The names of a view are those of what lasts; a relation of each name is all that a plan can have."""
    return DatabaseError(
        ErrorKind.UNSUPPORTED,
        f"a view of the query reads {name}, which a temporary table hides from the query; rename the temporary one",
    )
