"""The text that the engine plans for a query: everything that must be said in another way, said in that way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from catalog.identifiers import TableName
from flightserver.sql.meaning.bounded_work import write_bounds
from flightserver.sql.meaning.catalog_names import write_catalog_names
from flightserver.sql.meaning.claims import Claim
from flightserver.sql.meaning.constant_parameters import write_constant_parameters
from flightserver.sql.meaning.context_values import write_context_values
from flightserver.sql.meaning.exact_numbers import write_exact_numbers
from flightserver.sql.meaning.fences import fenced
from flightserver.sql.meaning.forms import FORMS
from flightserver.sql.meaning.kept_orders import with_kept_orders
from flightserver.sql.meaning.laterals import without_laterals
from flightserver.sql.meaning.moments import write_moments
from flightserver.sql.meaning.output_names import write_output_names
from flightserver.sql.meaning.plan_counts import plan_size
from flightserver.sql.meaning.repairs import REPAIRS
from flightserver.sql.meaning.scopes import Definitions, Relation
from flightserver.sql.meaning.system_columns import show_system_columns
from flightserver.sql.meaning.table_queries import write_table_queries
from flightserver.sql.meaning.uuids import write_uuids
from flightserver.sql.meaning.value_sizes import STORED_BYTES
from flightserver.sql.meaning.values import hidden_relations, hidden_texts
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.queries import query_of
from flightserver.sql.text.query_text import QueryText

_MOVING = frozenset(
    {
        *("now", "today", "current_timestamp", "current_date", "current_time", "localtime", "localtimestamp"),
        *("random", "rand", "uuid", "gen_random_uuid"),
    }
)
"""Functions, with brackets or without, that the engine works out anew each time."""


@dataclass(frozen=True)
class Circumstances:
    """What a query's meaning depends on, beside its text and the definitions.

    `values` are those of the context, by their words; `targets` the types of the columns that its own are stored in;
    `parameters` the types of what is bound, `constants` what of it is written into the text. `is_view` says that it is
    the query of a view; what is `trusted` of its columns needs no repair.
    """

    values: Mapping[str, str]
    targets: tuple[pa.DataType | None, ...] = ()
    parameters: Mapping[int, pa.DataType] = field(default_factory=dict)
    constants: Mapping[int, str] = field(default_factory=dict)
    is_view: bool = False
    trusted: frozenset[Claim] = frozenset()

    @property
    def key(self) -> tuple[object, ...]:
        """What tells them apart."""
        bound = tuple(self.parameters.items()), tuple(self.constants.items())
        return tuple(self.values.values()), self.targets, bound, self.is_view, self.trusted


@dataclass(frozen=True)
class EngineText:
    """A query for the engine. `relations` are the names that it may read, `looked_up` what each name was found to be.

    `has_optional_sides` says that it has a RIGHT or a FULL join; `claims` are what it could take for granted of the
    columns of its only table if that holds. `has_values` says that a sub-query of its stays a
    value: the engine's plan shows neither what that does nor how it reads the relations that are `hidden` in it.
    `value_bytes` is about how large its values may become. `is_lasting` says that the same rows always give the same
    answer: nothing in it tells the time, or is random. `fenced` is the text of a query with outer joins once more, with
    sides that no condition is pushed into by name; `kept_orders` is that with conditions of which the engine does not
    conclude that columns have one value. `values` are the texts of the sub-queries that stay values, by themselves.
    """

    text: str
    relations: frozenset[TableName]
    looked_up: tuple[tuple[tuple[str, ...], Relation | None], ...]
    has_optional_sides: bool
    claims: frozenset[Claim] = frozenset()
    has_values: bool = False
    hidden: frozenset[TableName] = frozenset()
    value_bytes: int = STORED_BYTES
    is_lasting: bool = False
    fenced: str | None = None
    kept_orders: str | None = None
    values: tuple[str, ...] = ()


def for_engine(text: QueryText, definitions: Definitions, circumstances: Circumstances) -> EngineText:
    """Write a query for the engine; RESOURCES where its plan would be too large."""
    looked_up: dict[tuple[str, ...], Relation | None] = {}

    def look_up(parts: tuple[str, ...]) -> Relation | None:
        if parts not in looked_up:
            looked_up[parts] = definitions(parts)
        return looked_up[parts]

    text = without_laterals(text, look_up)
    size = plan_size(text, query_of(text), look_up)
    writing = Writing(
        text,
        look_up,
        is_view=circumstances.is_view,
        trusted=circumstances.trusted,
        parameters=circumstances.parameters,
    )
    named = [looked_up.get(source.parts) for source, _ in writing.of_kind(tree.TableSource)]
    relations = {relation.name for relation in named if relation is not None}
    write_context_values(writing, circumstances.values)
    write_catalog_names(writing, circumstances.values)
    relations |= show_system_columns(writing)
    write_table_queries(writing)
    write_constant_parameters(writing, circumstances.constants)
    write_exact_numbers(writing, circumstances.targets)
    write_moments(writing)
    write_uuids(writing)
    write_bounds(writing)
    for write_form in FORMS.values():
        write_form(writing)
    for repair in REPAIRS.values():
        repair(writing)
    write_output_names(writing)
    has_optional_sides = writing.has("RIGHT", "FULL") and any(
        join.kind.startswith(("RIGHT", "FULL")) for join, _ in writing.of_kind(tree.Join)
    )
    is_alone = len(named) == 1 and not any(query.is_recursive for query, _ in writing.of_kind(tree.Query))
    is_read_plainly = is_alone and not any(writing.of_kind(tree.CallSource)) and not any(writing.of_kind(tree.Values))
    written = writing.edits.done()
    values = hidden_texts(writing, looked_up)
    return EngineText(
        written,
        frozenset(relations),
        tuple(looked_up.items()),
        has_optional_sides,
        frozenset(writing.claims) if is_read_plainly else frozenset(),
        bool(writing.values),
        hidden_relations(writing, looked_up),
        size.largest,
        not _moves(writing),
        fenced(writing),
        with_kept_orders(writing),
        values,
    )


def _moves(writing: Writing) -> bool:
    """Tell whether a query asks for something that is another thing each time."""
    calls = (call.name for call, _ in writing.of_kind(tree.Call))
    names = (name.parts[-1] for name, _ in writing.of_kind(tree.Name))
    return not _MOVING.isdisjoint((*calls, *names))
