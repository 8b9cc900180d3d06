"""The values of the sources before a LATERAL sub-query, for which it is asked: a source that is called `$lateral n`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.null_equalities import null_equality
from flightserver.sql.meaning.scopes import Origin, Scope
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

MARK = "$lateral "
_KEY = "key "
VOLATILE = frozenset({"random", "rand", "uuid", "gen_random_uuid"})

_UNKNOWN = "LATERAL may use columns of the tables before it by their names alone: write table.column"
_LATER = "LATERAL may use columns of the tables before it alone"
_AGAIN = (
    "LATERAL may not use columns beside a sub-query with LIMIT or random values, which are read twice;"
    " create a table of those rows"
)
_NESTED = "LATERAL and unnest may use lists of tables with a primary key alone"


@dataclass(frozen=True)
class Used:
    """A column of a source before it that a LATERAL sub-query uses."""

    origin: Origin
    column: str

    @property
    def written(self) -> str:
        """How the query around calls it."""
        return f"{quote_identifier(self.origin.called or '')}.{quote_identifier(self.column)}"

    @property
    def type(self) -> pa.DataType | None:
        """Its type, as far as it is known."""
        found = self.origin.column(self.column)
        return None if found is None else found.type


@dataclass
class OuterRows:
    """What one LATERAL sub-query is given: values by number, of which some tell the outer rows apart."""

    writing: Writing
    scope: Scope
    lateral: tree.Source
    number: int
    values: dict[Used, int] = field(default_factory=dict)
    uses: set[int] = field(default_factory=set)
    """Where the sub-query has names of them."""
    _keys: dict[str, Used] = field(default_factory=dict)
    """By which column of the source the key of a table is known, where the values do not tell rows apart."""

    @property
    def called(self) -> str:
        """How the source of the values is called."""
        return quote_identifier(f"{MARK}{self.number}")

    @property
    def hidden(self) -> tuple[str, ...]:
        """The columns by which the query around meets what is made for its rows."""
        names = self._keys or [self._name(used) for used in self.values]
        return tuple(map(quote_identifier, names))

    @property
    def inner(self) -> tuple[str, ...]:
        """The same, as the sub-query calls them."""
        return tuple(f"{self.called}.{name}" for name in self.hidden)

    @property
    def items(self) -> tuple[str, ...]:
        """The same, as items of its SELECT; with a name of their own, because a star may stand beside them."""
        return tuple(f"{inner} AS {name}" for inner, name in zip(self.inner, self.hidden, strict=True))

    @property
    def own(self) -> tuple[str, ...]:
        """All columns of the source, without its name."""
        values = (quote_identifier(self._name(used)) for used in self.values)
        return tuple(dict.fromkeys((*self.hidden, *values)))

    @property
    def grouped(self) -> tuple[str, ...]:
        """All columns, as the sub-query calls them: for one outer row each is one value."""
        return tuple(f"{self.called}.{name}" for name in self.own)

    def value(self, name: tree.Name, origins: Sequence[Origin]) -> str:
        """What the sub-query calls a column of the query around."""
        if len(origins) != 1 or origins[0].called is None:
            raise self.writing.unsupported(name, _UNKNOWN)
        if origins[0].columns is None and len(name.parts) == 1:
            raise self.writing.unsupported(name, _UNKNOWN)
        if origins[0].source.start >= self.lateral.start:
            raise self.writing.unsupported(name, _LATER)
        self.uses.add(name.start)
        used = Used(origins[0], name.parts[-1])
        self.values.setdefault(used, len(self.values) + 1)
        return f"{self.called}.{quote_identifier(self._name(used))}"

    def settle(self) -> None:
        """Decide by what the outer rows are told apart, when all values are known."""
        if not any(_is_nested(used) for used in self.values):
            return
        origins = list(dict.fromkeys(used.origin for used in self.values))
        key = _key_of(origins[0])
        if len(origins) > 1 or not key:
            raise self.writing.unsupported(self.lateral, _NESTED)
        self._keys = {f"{MARK}{self.number}.{_KEY}{place}": Used(origins[0], name) for place, name in enumerate(key)}

    def ties(self, called: str) -> str:
        """The condition under which an outer row meets a row of the sub-query."""
        told = self._keys.values() if self._keys else self.values
        return _ties(
            (_plain_zero(used), f"{called}.{name}", used) for used, name in zip(told, self.hidden, strict=True)
        )

    def inner_ties(self, called: str) -> str:
        """The same of two sources within the sub-query."""
        told = self._keys.values() if self._keys else self.values
        sides = zip(self.inner, self.hidden, told, strict=True)
        return _ties((mine, f"{called}.{name}", used) for mine, name, used in sides)

    def written(self) -> str:
        """The source of the values."""
        sources, origins = self._sources()
        self._check_twice_read(sources)
        named = {**{self._name(used): used for used in self.values}, **self._keys}
        values = [f"{_plain_zero(used)} AS {quote_identifier(name)}" for name, used in named.items()]
        distinct = "" if self._keys else "DISTINCT "
        asked = [self.writing.edits.text_of(part) for part in self._conditions(origins)]
        condition = f" WHERE {' AND '.join(f'({part})' for part in asked)}" if asked else ""
        read = ", ".join(self.writing.edits.text_of(source) for source in sources)
        return f"(SELECT {distinct}{', '.join(values)} FROM {read}{condition}) AS {self.called}"

    def _name(self, used: Used) -> str:
        return f"{MARK}{self.number}.{self.values[used]}"

    def _sources(self) -> tuple[list[tree.Source], list[Origin]]:
        """What the values are read of: their only source, if no join puts NULL in their place, or all before."""
        before = list(self._before())
        origins = list(dict.fromkeys(used.origin for used in self.values))
        kept = [found for source in before for found in _kept(source)]
        if len(origins) == 1 and any(found is origins[0].source for found in kept):
            return [origins[0].source], origins
        within = [origin for origin in self.scope.origins if origin.source.start < self.lateral.start]
        return before, within

    def _before(self) -> Iterator[tree.Source]:
        """The sources that stand before it, of the join that it is part of what that joins so far."""
        select = self.scope.select
        for source in select.sources if select is not None else ():
            if source.start >= self.lateral.start:
                return
            part: tree.Source = source
            while part.end > self.lateral.start:  # a join that has it on its right side, or further left
                if isinstance(part, tree.BracketSource) and part.alias is None:
                    part = part.inner
                elif isinstance(part, tree.Join):
                    part = part.left
                else:
                    return
            yield part

    def _check_twice_read(self, sources: Sequence[tree.Source]) -> None:
        common = {
            table.name for table, _ in self.writing.of_kind(tree.CommonTable) if _changes_when_read_again(table.query)
        }
        for source in sources:
            named = (node.parts for node in tree.walk(source) if isinstance(node, tree.TableSource))
            if _changes_when_read_again(source) or any(len(parts) == 1 and parts[0] in common for parts in named):
                raise self.writing.unsupported(self.lateral, _AGAIN)

    def _conditions(self, origins: Sequence[Origin]) -> Iterator[tree.Expression]:
        """The parts of the outer query's condition that say something of these sources alone."""
        select = self.scope.select
        for part in _conjuncts(None if select is None else select.where):
            nodes = list(tree.walk(part))
            names = [node for node in nodes if isinstance(node, tree.Name)]
            has_more = any(
                isinstance(node, tree.Query) or (isinstance(node, tree.Call) and node.name in VOLATILE)
                for node in nodes
            )
            if not has_more and names and all(self._is_of(name, origins) for name in names):
                yield part

    def _is_of(self, name: tree.Name, origins: Sequence[Origin]) -> bool:
        found = self.scope.own(name.parts)
        return self.scope.is_certain(name.parts) and all(origin in origins for origin in found or ())


def _conjuncts(condition: tree.Expression | None) -> Iterator[tree.Expression]:
    match condition:
        case None:
            return
        case tree.Binary(operator="AND", left=left, right=right):
            yield from _conjuncts(left)
            yield from _conjuncts(right)
        case tree.Brackets(items=(inner,)):
            yield from _conjuncts(inner)
        case _:
            yield condition


def _kept(source: tree.Source) -> Iterator[tree.Source]:
    """The parts of a source whose rows no outer join replaces by NULL."""
    match source:
        case tree.BracketSource(alias=None, inner=inner):
            yield from _kept(inner)
        case tree.Join(kind=kind, left=left, right=right):
            if kind in {"INNER", "CROSS"} or kind.startswith("LEFT"):
                yield from _kept(left)
            if kind in {"INNER", "CROSS"} or kind.startswith("RIGHT"):
                yield from _kept(right)
        case _:
            yield source


def _changes_when_read_again(node: tree.Node) -> bool:
    return any(
        (isinstance(part, tree.Query) and part.limit_start is not None)
        or (isinstance(part, tree.Call) and part.name in VOLATILE)
        for part in tree.walk(node)
    )


def _key_of(origin: Origin) -> tuple[str, ...]:
    """Columns of which no two rows of a source have the same values."""
    if (origin.called or "").startswith(MARK):
        return tuple(column.name for column in origin.columns or () if f".{_KEY}" in column.name)
    is_renamed = bool(origin.source.columns)
    return origin.relation.key if origin.relation is not None and not is_renamed else ()


def _ties(sides: Iterable[tuple[str, str, Used]]) -> str:
    """Pairs of values that are equal, or both NULL."""
    return " AND ".join(null_equality(mine, other, (used.type, used.type)) for mine, other, used in sides)


def _is_nested(used: Used) -> bool:
    return used.type is not None and pa.types.is_nested(used.type)


def _plain_zero(used: Used) -> str:
    """A value of which -0 is none."""
    is_double = used.type is not None and pa.types.is_floating(used.type)
    return f"({used.written} + 0)" if is_double else used.written
