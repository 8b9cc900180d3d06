"""ADD CHECK, ADD UNIQUE and SET NOT NULL: what every row of a table must satisfy, those included that are there.

The rows are looked at, and those of scopes that have changed since once more, while what comes in is held against the
demand already, so that nothing can come in between. Meanwhile it is in the definition as *unproven*, as constraints
with names. Then the definition gets what was asked for in their place, or, where a row breaks it, neither. Whoever is
killed in between leaves unproven constraints to the next start, which takes them away.
"""

from collections.abc import Callable

from catalog.constraints import add_unproven, taken_back, without_constraints
from catalog.definition import Check, TableDef
from catalog.identifiers import quote_identifier
from catalog.registry import Registry
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.execution.new_constraints import Demands, NewConstraints
from providers.commit.definitions import changed, dropped

After = Callable[[TableDef], TableDef]
"""A definition from the one before it."""


class Demanding:
    """Defines tables anew in ways that every row must satisfy."""

    def __init__(self, constraints: NewConstraints) -> None:
        self._constraints = constraints

    def define(self, table: TableDef, after: After, context: Context) -> None:
        """Define a table by `after`; an error, and nothing is changed, where a row does not satisfy it."""
        demands = new_demands(table, after(table))
        sound = self._constraints.refuse_broken_by_others(table, demands, context)

        def offer(now: TableDef) -> TableDef:
            nonlocal demands, sound
            demanded = new_demands(now, after(now))
            sound = sound if now is table and demanded == demands else []
            demands = demanded
            return add_unproven(now, demands.checks, demands.uniques)

        offered = _defined(table, offer, context)
        try:
            self._constraints.refuse_broken_by_others(offered, demands, context, sound)
            _defined(table, lambda now: after(_without(now, demands)), context)
        except BaseException:
            context.work.define(lambda registry: taken_back(registry, table.id, demands.names))
            raise


def new_demands(before: TableDef, after: TableDef) -> Demands:
    """What every row must satisfy by one definition, and need not by the one before it."""
    known = before.demands
    required = [column for column in after.columns if not column.nullable and column.id not in known[1]]
    not_null = [
        Check(f"NOT NULL of {column.name}", f"{quote_identifier(column.name)} IS NOT NULL") for column in required
    ]
    checks = [check for check in after.checks if check not in known[0]]
    return Demands([*checks, *not_null], [unique for unique in after.uniques if unique not in before.uniques])


def _defined(table: TableDef, after: After, context: Context) -> TableDef:
    """Define a table that is called so still, and return its definition."""
    made = table

    def change(registry: Registry) -> Registry:
        nonlocal made
        now = context.door.lasting.onto(registry).table(table.name, Use.DEFINE)
        if now.id != table.id:
            raise dropped(table)
        made = after(now)
        return registry.with_table(made)

    context.work.define(change, context.request)
    return made


def _without(now: TableDef, demands: Demands) -> TableDef:
    """A definition without what it demands yet unproven; CONFLICT when others have taken some of that away."""
    if not ({*demands.checks} <= {*now.checks} and {*demands.uniques} <= {*now.uniques}):
        raise changed(now)
    return without_constraints(now, demands.names)
