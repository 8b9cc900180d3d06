"""INSERT … ON CONFLICT: what happens with a row whose key exists."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from sqlalchemy import Table
from sqlalchemy.sql import coercions, roles
from sqlalchemy.sql.base import ColumnCollection, _generative
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.elements import ClauseElement, ColumnElement, KeyedColumnElement
from sqlalchemy.sql.expression import alias


class OnConflictDoNothing(ClauseElement):
    """The row that is there stays."""

    __visit_name__ = "on_conflict_do_nothing"
    inherit_cache = False


class OnConflictDoUpdate(ClauseElement):
    """The row that is there changes."""

    __visit_name__ = "on_conflict_do_update"
    inherit_cache = False

    def __init__(self, values: Mapping[str, Any], where: ColumnElement[bool] | None) -> None:
        self.values = values
        self.where = where

    def changes(self, table: Table) -> Iterator[tuple[str, ColumnElement[Any]]]:
        """The columns to change, with the expressions to change them to."""
        for name, value in self.values.items():
            yield name, coercions.expect(roles.ExpressionElementRole, value, type_=table.c[name].type)


class UpsertInsert(Insert):
    """An INSERT that knows what to do with a row whose key exists. `excluded` holds the columns that were offered."""

    stringify_dialect = "flightserver"
    inherit_cache = False

    @property
    def excluded(self) -> ColumnCollection[str, KeyedColumnElement[Any]]:
        """The offered row."""
        return alias(self.table, name="excluded").columns

    @_generative
    def on_conflict_do_nothing(self) -> Self:
        """Keep rows that exist."""
        self._post_values_clause = OnConflictDoNothing()
        return self

    @_generative
    def on_conflict_do_update(self, set_: Mapping[str, Any], where: ColumnElement[bool] | None = None) -> Self:
        """Change rows that exist, if `where` holds."""
        self._post_values_clause = OnConflictDoUpdate(set_, where)
        return self


def insert(table: Table) -> UpsertInsert:
    """Make an INSERT into `table` with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return UpsertInsert(table)
