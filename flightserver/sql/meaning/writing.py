"""A query on its way to the engine: what its names stand for, and what is written in the place of what.

A rule is a function of a `Writing`. It looks at the nodes of its kinds, in their scopes, and leaves changes; rules do
not see each other's, and their order does not matter. A text that no rule has anything to say of stays as it was sent.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.meaning.claims import Claim, Fact, claim_of
from flightserver.sql.meaning.scopes import Columns, Definitions, Scope, Visit, Visited, types_in, visit
from flightserver.sql.meaning.types import TypeReader
from flightserver.sql.text import tree
from flightserver.sql.text.edits import Edits
from flightserver.sql.text.parameters import parameter_number
from flightserver.sql.text.queries import query_of
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, Token, error_at

COMPARISONS = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"})

Wanted = TypeVar("Wanted", bound=tree.Node)


class Writing:
    """One query, maybe that of a view: its text, its tree, its scopes, and the changes to it."""

    def __init__(
        self,
        text: QueryText,
        definitions: Definitions,
        *,
        is_view: bool = False,
        trusted: frozenset[Claim] = frozenset(),
        parameters: Mapping[int, pa.DataType] = MappingProxyType({}),
    ) -> None:
        self.text = text
        self.is_view = is_view
        self.claims: set[Claim] = set()
        """What it would leave out to repair if it were trusted."""
        self._trusted = trusted
        self._parameters = parameters
        self.definitions = definitions
        self.edits = Edits(text)
        self.kept_names: dict[int, str] = {}
        self.nameless: set[int] = set()
        """The SELECTs whose items are written where no name may stand."""
        self.hoisted: set[int] = set()
        """The sub-queries that become columns of what they are tied to."""
        self.tied: set[int] = set()
        """The SELECTs without WHERE that get one behind what they read."""
        self._types: dict[Scope, TypeReader] = {}

    @cached_property
    def visited(self) -> Visited:
        """Every node with its scope."""
        return visit(query_of(self.text), self.definitions, self._type_of_parameter)

    @cached_property
    def values(self) -> list[tree.Node]:
        """The nodes that are sub-queries as values, and those that a rule writes as one."""
        return [node for node, _ in self.of_kind(tree.ScalarQuery)]

    @property
    def visits(self) -> list[Visit]:
        """The nodes, each before its parts."""
        return self.visited.nodes

    def type_of(self, value: tree.Expression, found: Visit) -> pa.DataType | None:
        """The type of a value in the scope of a visit, None where the text does not tell."""
        types = self._types.get(found.scope)
        if types is None:
            types = self._types[found.scope] = types_in(found.scope, self.visited.outputs, self._type_of_parameter)
        return types.of(value)

    def trusts(self, fact: Fact, value: tree.Expression, found: Visit) -> bool:
        """Tell whether a fact of a value is taken for granted; if not, it is one to claim."""
        claim = claim_of(fact, value, found)
        if claim is not None:
            self.claims.add(claim)
        return claim in self._trusted

    def _type_of_parameter(self, parameter: tree.Parameter) -> pa.DataType | None:
        number = parameter_number(self.text.tokens[parameter.start], 0)
        return None if number is None else self._parameters.get(number)

    def columns_of(self, part: tree.Body | tree.Query) -> Columns | None:
        """The columns that a query or a part of one yields, as far as they are known."""
        return self.visited.outputs.get(id(part))

    def has(self, *keys: str) -> bool:
        """Tell, at once, whether any of these words and symbols occurs."""
        return not self.text.keys.isdisjoint(keys)

    def of_kind(self, kind: type[Wanted]) -> Iterator[tuple[Wanted, Visit]]:
        """The nodes of a kind."""
        for found in self._by_kind.get(kind, ()):
            yield found.node, found  # type: ignore[misc]  # which is how they were put there

    @cached_property
    def _by_kind(self) -> Mapping[type, list[Visit]]:
        kinds: defaultdict[type, list[Visit]] = defaultdict(list)
        for found in self.visits:
            kinds[type(found.node)].append(found)
        return kinds

    @cached_property
    def comparisons(self) -> list[tuple[tuple[tree.Expression, ...], Visit]]:
        """The values that are compared with each other."""
        binary = [
            ((node.left, node.right), found)
            for node, found in self.of_kind(tree.Binary)
            if node.operator in COMPARISONS
        ]
        between = [((node.operand, node.low, node.high), found) for node, found in self.of_kind(tree.Between)]
        listed = [((node.operand, *node.items), found) for node, found in self.of_kind(tree.InList)]
        return [one for values, found in (*binary, *between, *listed) for one in _by_value(values, found)]

    def may_use_outer_columns(self, query: tree.Query) -> bool:
        """Tell whether a sub-query may use columns of the queries around it; what is not known may."""
        within = range(query.start, query.end)
        return any(
            _may_lie_outside(name, visit.scope, within)
            for name, visit in self.of_kind(tree.Name)
            if name.start in within
        )

    def written(self, node: tree.Node) -> str:
        """What the client wrote for a node."""
        return self.text.of(node)

    def keys_of(self, node: tree.Node) -> str:
        """What a node says, without blanks and in one case."""
        return " ".join(token.key or token.text for token in self.text.tokens[node.start : node.end])

    def engine_name_of(self, node: tree.Node) -> str:
        """The same for nodes that the engine calls the same: without casts, and a number as its value."""
        casts = (cast for cast in tree.walk(node) if isinstance(cast, tree.Cast))
        left_out = {
            place
            for cast in casts
            for part in (range(cast.start, cast.operand.start), range(cast.operand.end, cast.end))
            for place in part
        }
        tokens = enumerate(self.text.tokens[node.start : node.end], start=node.start)
        return " ".join(_engine_name_of(token) for place, token in tokens if place not in left_out)

    def unsupported(self, node: tree.Node, message: str) -> DatabaseError:
        """The refusal of a node."""
        return error_at(self.text, self.text.tokens[node.start].start, message, ErrorKind.UNSUPPORTED)

    def keep_name(self, found: Visit, name: str) -> None:
        """Let an item of SELECT that is nothing but this node have this name, although it is written in another way."""
        if found.above is not None and isinstance(found.above.node, tree.Item):
            self.kept_names[id(found.above.node)] = name


def row_of(value: tree.Expression) -> tuple[tree.Expression, ...] | None:
    """The values of a row of them, `(a, b)` or `ROW(a, b)`."""
    match value:
        case tree.Brackets(items=(inner,)):
            return row_of(inner)
        case tree.Brackets(items=items):
            return items or None
        case tree.Call(name="row", arguments=arguments):
            return arguments or None
    return None


def _by_value(values: tuple[tree.Expression, ...], found: Visit) -> Iterator[tuple[tuple[tree.Expression, ...], Visit]]:
    """Values that are compared; of rows, those that stand at the same place."""
    rows = [row for row in map(row_of, values) if row is not None]
    if rows and len(rows) == len(values):
        yield from ((together, found) for together in zip(*rows, strict=False))
    else:
        yield values, found


def _engine_name_of(token: Token) -> str:
    if token.kind is not Kind.NUMBER:
        return token.key or token.text
    return str(int(token.text, 16) if token.text.lower().startswith("0x") else float(token.text))


def _may_lie_outside(name: tree.Name, scope: Scope, within: range) -> bool:
    around: Scope | None = scope
    while around is not None:
        is_inside = around.select is None or around.select.start in within
        if not is_inside:
            return around.own(name.parts) is not None or around.own(name.parts[:1]) is not None
        if around.is_certain(name.parts):
            return False
        around = around.outer
    return False
