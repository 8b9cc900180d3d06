"""The columns of views, which only a plan of their queries tells: remembered while their names mean the same."""

from collections.abc import Callable

import pyarrow as pa

from catalog.definition import ViewDef
from flightserver.context import Context
from flightserver.execution.names import Names, names_in_view
from flightserver.sql.meaning.scopes import Relation
from providers.lru import ByteBoundedCache

KNOWN_BYTES = 4 << 20
COLUMN_BYTES = 128
"""What is remembered of views, and about what a column takes."""


class ViewColumns:
    """Tells the columns of views. `names` finds what names stand for in a context, `describe` plans a view."""

    def __init__(self, names: Callable[[Context], Names], describe: Callable[[ViewDef, Context], pa.Schema]) -> None:
        self._names = names
        self._describe = describe
        self._known: ByteBoundedCache[object, pa.Schema] = ByteBoundedCache(KNOWN_BYTES)

    def of(self, view: ViewDef, context: Context) -> pa.Schema:
        """The columns of a view; raises when it names what is not there any more."""
        within = self._names(context).within(view)
        read = tuple(within.relation(name) for name in sorted(names_in_view(view)))
        if not all(map(_is_known, read)):
            return self._describe(view, context)
        return self._known.get(
            (view, read),
            lambda: self._describe(view, context),
            lambda found: len(view.query) + COLUMN_BYTES * len(found),
        )


def _is_known(relation: Relation | None) -> bool:
    """Tell whether all that a view may take from a relation is known: of a view within it may not be."""
    if relation is None:
        return True
    return relation.columns is not None and all(column.type is not None for column in relation.columns)
