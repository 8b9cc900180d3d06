"""MERGE: each row of a source is held against a table by one query, and all that follows from it is one change.

The query is a left join of the source with the table's rows. It yields of each pair the stored row, the number of the
clause that fits first, and what that clause gives to columns. What a clause says is worked out for its own rows alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import SEQ_COLUMN, Column, TableDef
from catalog.grants import Privilege
from catalog.identifiers import quote_identifier
from flightserver.context import Context
from flightserver.execution.reading import Given, Reader
from flightserver.execution.returning import whole_rows
from flightserver.execution.rewriting import qualified
from flightserver.execution.rows import Affected
from flightserver.execution.sources import Parameters
from flightserver.execution.targets import assigned_columns, check_width, target
from flightserver.execution.writing import Writing, refuse_changed_twice
from flightserver.sql.meaning.system_columns import with_all_columns
from flightserver.sql.statements import Merge, MergeAction, MergeClause
from flightserver.sql.text import tree
from flightserver.sql.text.queries import expression_of
from flightserver.sql.text.query_text import QueryText
from providers.commit.resolve import existing_rows, refuse_duplicates
from providers.rows.change import Change, key_of
from providers.snapshot import Snapshot

_ACTION = "action"
_NO_CLAUSE = -1


@dataclass(frozen=True)
class _Clause:
    """A clause of a table's MERGE, by its number: the columns that it gives values to, and what these are."""

    number: int
    clause: MergeClause
    values: Mapping[str, QueryText]

    def condition(self, called: str) -> list[str]:
        """When it fits, where the table is called so."""
        is_there = f"{called}.{quote_identifier(SEQ_COLUMN)} IS {'NOT ' if self.clause.is_matched else ''}NULL"
        also = [] if self.clause.condition is None else [" AND (", self.clause.condition, ")"]
        return [is_there, *also]

    def new(self, column: str) -> str:
        """What a column of its values is called."""
        return f"new {self.number} {column}"


@dataclass(frozen=True)
class Merging:
    """A MERGE of a table."""

    statement: Merge
    table: TableDef
    clauses: tuple[_Clause, ...]

    @classmethod
    def of(cls, statement: Merge, context: Context) -> "Merging":
        """What a statement says; NOT_FOUND unless its user may do all of it."""
        table = target(statement, context)
        clauses = enumerate(statement.clauses)
        return cls(statement, table, tuple(_Clause(place, one, _values(one, table)) for place, one in clauses))

    @property
    def text(self) -> QueryText:
        """The query that finds its rows."""
        called = quote_identifier(self.statement.alias or self.statement.table.table)
        parts: list[str] = [self.statement.common, " SELECT "] if self.statement.common else ["SELECT "]
        for column in self.table.columns:
            parts += [f"{called}.{quote_identifier(column.name)} AS {quote_identifier(_old(column))}, "]
        for clause in self.clauses:
            for name, value in clause.values.items():
                parts += [*self._guarded(clause, value, called), f" AS {quote_identifier(clause.new(name))}, "]
        parts.append("CASE")
        for clause in self.clauses:
            parts += [" WHEN ", *clause.condition(called), f" THEN {clause.number}"]
        source = qualified(with_all_columns(self.table.name))
        parts += [f" ELSE {_NO_CLAUSE} END AS {_ACTION} FROM ", self.statement.source]
        parts += [f" LEFT JOIN {source} AS {called} ON (", self.statement.condition, ")"]
        return QueryText.joined(parts)

    @property
    def types(self) -> tuple[pa.DataType | None, ...]:
        """The types in which the columns of that query are stored."""
        stored = [column.storage for column in self.table.columns]
        new = [self.table.column(name).storage for clause in self.clauses for name in clause.values]
        return (*stored, *new, None)

    def _guarded(self, clause: _Clause, value: QueryText, called: str) -> list[str]:
        """A value of a clause, for rows that the clause is for; what cannot fail is worked out for all."""
        if isinstance(expression_of(value), tree.Name | tree.Literal | tree.Parameter):
            return ["(", value, ")"]
        parts = ["CASE"]
        for earlier in self.clauses[: clause.number]:
            parts += [" WHEN ", *earlier.condition(called), " THEN NULL"]
        return [*parts, " WHEN ", *clause.condition(called), " THEN (", value, ") END"]

    def check_new_rows(self, reader: Reader, context: Context) -> None:
        """Raise NOT_FOUND where a clause for rows that match nothing speaks of what they match."""
        about = [clause for clause in self.clauses if not clause.clause.is_matched]
        texts = [text for clause in about for text in (*clause.values.values(), clause.clause.condition) if text]
        if not texts:
            return
        parts: list[str] = [self.statement.common, " SELECT "] if self.statement.common else ["SELECT "]
        for place, text in enumerate(texts):
            parts += [", (" if place else "(", text, f') AS "value {place}"']
        reader.describe(QueryText.joined([*parts, " FROM ", self.statement.source]), context)

    def parameter_types(self, reader: Reader, context: Context) -> dict[int, pa.DataType]:
        """The types of its parameters: of the columns that they are for or compared with."""
        text = self.text
        self.check_new_rows(reader, context)
        reader.describe(text, context)
        types = reader.parameter_types(text, context)
        for clause in self.clauses:
            for name, value in clause.values.items():
                written = value.strip()
                if written.startswith("$") and written[1:].isdigit():
                    types[int(written[1:])] = self.table.column(name).storage
        return types


def _old(column: Column) -> str:
    """What the stored value of a column is called."""
    return f"old {column.name}"


def _values(clause: MergeClause, table: TableDef) -> Mapping[str, QueryText]:
    if clause.action is not MergeAction.INSERT:
        return assigned_columns(clause.values, table)
    names: Sequence[str] = clause.columns or [column.name for column in table.visible_columns]
    if clause.columns is None:
        check_width(names, len(clause.values))
    return {table.column(name).name: one.expression for name, one in zip(names, clause.values, strict=True)}


class Merges:
    """Runs MERGE."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing

    def run(self, statement: Merge, context: Context, bound: pa.Table | None) -> Affected:
        """Do with each row of the source, and what it matches, what the first clause says that fits."""
        merging = Merging.of(statement, context)
        merging.check_new_rows(self._writing.reader, context)
        text = merging.text

        def find(snapshot: Snapshot, parameters: Parameters | None, _: pa.Table | None) -> Change:
            given = Given({snapshot.table.name: snapshot}, targets=merging.types)
            found = self._writing.reader.plan(text, context, parameters, given).rows().to_table(context.stop)
            return self._change(merging, found, context, snapshot)

        returning = self._writing.returning(statement, context, bound)
        return self._writing.write(merging.table, context, find, bound, together=False, returning=returning)

    def _change(self, merging: Merging, found: pa.Table, context: Context, snapshot: Snapshot) -> Change:
        """What all clauses do with their rows."""
        numbers = found.column(_ACTION)
        rows = {clause.number: found.filter(pc.equal(numbers, clause.number)) for clause in merging.clauses}
        changed: list[Change] = []
        inserted: list[Change] = []
        for clause in merging.clauses:
            match clause.clause.action:
                case MergeAction.UPDATE:
                    changed.append(self._updated(merging.table, clause, rows[clause.number], context))
                case MergeAction.DELETE:
                    changed.append(self._removed(merging.table, rows[clause.number], context))
                case MergeAction.INSERT:
                    inserted.append(self._inserted(merging.table, clause, rows[clause.number], context))
        if changed:
            refuse_changed_twice(merging.table, Change.concat(changed), "MERGE", "matches several rows of the source")
        if inserted:
            self._refuse_existing(Change.concat(inserted), snapshot)
        nothing = Change(merging.table.row_schema.empty_table())
        return Change.concat([nothing, *changed, *inserted])

    def _updated(self, table: TableDef, clause: _Clause, rows: pa.Table, context: Context) -> Change:
        old = self._stored(table, rows, context, Privilege.UPDATE)
        new = [clause.new(c.name) if c.name in clause.values else _old(c) for c in table.columns]
        columns = [rows.column(name) for name in new]
        found = pa.Table.from_arrays(columns, names=[column.name for column in table.columns])
        return self._writing.new_versions(table, found, context) if old.rows.num_rows else old

    def _removed(self, table: TableDef, rows: pa.Table, context: Context) -> Change:
        return whole_rows(self._stored(table, rows, context, Privilege.DELETE))

    def _stored(self, table: TableDef, rows: pa.Table, context: Context, privilege: Privilege) -> Change:
        """The rows that are matched, as they are stored; DENIED where policies let none of their kind be changed."""
        old = rows.select([_old(column) for column in table.columns])
        stored = self._writing.offered(table, old.rename_columns([column.name for column in table.columns]), context)
        guard = self._writing.guard(table, context)
        if guard is not None:
            guard.refuse_untouchable(stored.rows, privilege)
        return stored

    def _inserted(self, table: TableDef, clause: _Clause, rows: pa.Table, context: Context) -> Change:
        new = rows.select([clause.new(name) for name in clause.values]).rename_columns(list(clause.values))
        offered = self._writing.offered(table, new, context)
        guard = self._writing.guard(table, context)
        if guard is not None:
            guard.admit(offered.rows, Privilege.INSERT)
        return offered

    def _refuse_existing(self, inserted: Change, snapshot: Snapshot) -> None:
        """Raise ALREADY_EXISTS where a new row has the key of another, or of one that is stored."""
        keys = key_of(snapshot.table, inserted.rows)
        refuse_duplicates(snapshot.table, keys, ~keys.first_of_each, "is inserted twice by the same statement")
        existing = existing_rows(snapshot, inserted, self._writing.database.store.files)
        refuse_duplicates(snapshot.table, keys, existing, "exists already")
