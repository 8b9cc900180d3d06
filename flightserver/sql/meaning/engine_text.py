"""The text that the engine plans for a query: everything that must be said in another way, said in that way."""

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.identifiers import TableName
from flightserver.sql.meaning.context_values import write_context_values
from flightserver.sql.meaning.output_names import write_output_names
from flightserver.sql.meaning.repairs import REPAIRS
from flightserver.sql.meaning.scopes import Definitions, Relation
from flightserver.sql.meaning.system_columns import show_system_columns
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.query_text import QueryText


@dataclass(frozen=True)
class EngineText:
    """A query for the engine. `relations` are the names that it may read, `looked_up` what each name was found to be.

    `has_optional_sides` says that it has a RIGHT or a FULL join.
    """

    text: str
    relations: frozenset[TableName]
    looked_up: tuple[tuple[tuple[str, ...], Relation | None], ...]
    has_optional_sides: bool


def for_engine(
    text: QueryText, definitions: Definitions, values: Mapping[str, str], *, is_view: bool = False
) -> EngineText:
    """Write a query, maybe that of a view, for the engine; `values` are those of the context, by their words."""
    looked_up: dict[tuple[str, ...], Relation | None] = {}

    def look_up(parts: tuple[str, ...]) -> Relation | None:
        if parts not in looked_up:
            looked_up[parts] = definitions(parts)
        return looked_up[parts]

    writing = Writing(text, look_up, is_view=is_view)
    relations = {
        relation.name
        for source, _ in writing.of_kind(tree.TableSource)
        if (relation := looked_up.get(source.parts)) is not None
    }
    write_context_values(writing, values)
    relations |= show_system_columns(writing)
    for repair in REPAIRS.values():
        repair(writing)
    write_output_names(writing)
    has_optional_sides = writing.has("RIGHT", "FULL") and any(
        join.kind.startswith(("RIGHT", "FULL")) for join, _ in writing.of_kind(tree.Join)
    )
    return EngineText(writing.edits.done(), frozenset(relations), tuple(looked_up.items()), has_optional_sides)
