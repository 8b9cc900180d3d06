"""What a query's text mentions, found in its tokens without planning it.

`referenced_names` may name too much (columns, aliases) and never too little: it decides which tables of the catalog are
made ready. The rewriting of stars is exact: it looks at the FROM of the very SELECT that a star belongs to.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from catalog.definition import DELETED_COLUMN, SEQ_COLUMN
from catalog.errors import ErrorKind
from catalog.identifiers import CATALOG_NAME, quote_identifier
from flightserver.sql.statements import TableRef
from flightserver.sql.text.clauses import AFTER_TABLES
from flightserver.sql.text.remembered import remembered
from flightserver.sql.text.tokens import Kind, Token, depth_change, error_at, identifier_name, is_identifier, tokenize

_STAR_ENDS = AFTER_TABLES | {",", ")", ";", "", "FROM", "EXCLUDE", "REPLACE", "RENAME", "ILIKE", "INTO"}
_STAR_STARTS = frozenset({"SELECT", "DISTINCT", "ALL", ",", ")"})
_QUERY_STARTS = frozenset({"SELECT", "WITH", "FROM", "VALUES", "("})
_FROM_ENDS = AFTER_TABLES | {";"}
_NO_ALIAS = _FROM_ENDS | frozenset(
    {
        *("ON", "USING", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS", "NATURAL", "SEMI", "ANTI"),
        *("TABLESAMPLE", "LATERAL", "SELECT", ""),
    }
)


@remembered
def referenced_names(text: str) -> frozenset[TableRef]:
    """Return every name in a query that could be a table's."""
    found: set[TableRef] = set()
    tokens = tokenize(text)
    position = 0
    while position < len(tokens):
        if not is_identifier(tokens[position]):
            position += 1
            continue
        end = _chain_end(tokens, position)
        if _key(tokens, end) != "(" or tokens[position].kind is Kind.QUOTED or end - position > 1:
            found.update(_readings([identifier_name(token) for token in tokens[position:end:2]]))
        position = end
    return frozenset(found)


def _readings(parts: list[str]) -> Iterable[TableRef]:
    """Return the tables that a chain of names can mean: its head, its first two parts, or those behind the catalog."""
    if parts[0] == CATALOG_NAME and len(parts) >= 3:
        yield TableRef(parts[1], parts[2])
    if len(parts) >= 2:
        yield TableRef(parts[0], parts[1])
    yield TableRef(None, parts[0])


def mentions_system_columns(text: str) -> bool:
    """Tell whether `_seq` or `_deleted` occurs as a name."""
    lowered = text.lower()
    if SEQ_COLUMN not in lowered and DELETED_COLUMN not in lowered:
        return False
    return any(is_identifier(token) and identifier_name(token) in _HIDDEN for token in tokenize(text))


@remembered
def needs_stable_join_order(text: str) -> bool:
    """Tell whether a RIGHT or FULL join is present: DataFusion 55 may reorder these into wrong results."""
    tokens = tokenize(text)
    return any(
        token.key in {"RIGHT", "FULL"} and _key(tokens, position + 1) in {"JOIN", "OUTER", "SEMI", "ANTI"}
        for position, token in enumerate(tokens)
    )


@remembered
def is_constant(text: str) -> bool:
    """Tell whether a query is SELECT with nothing but literals and their names: what asks if a server is alive."""
    tokens = tokenize(text)
    items, names = tokens[1:], False
    if not items or tokens[0].key != "SELECT":
        return False
    for token in items:
        if token.key in {",", "AS"}:
            names = token.key == "AS"
        elif not (names and is_identifier(token)) and not (token.kind in _LITERALS or token.key in _LITERAL_WORDS):
            return False
    return True


_LITERALS = frozenset({Kind.NUMBER, Kind.STRING})
_LITERAL_WORDS = frozenset({"NULL", "TRUE", "FALSE"})

_HIDDEN = (SEQ_COLUMN, DELETED_COLUMN)


def hide_system_columns(
    text: str, names: tuple[str, ...] = _HIDDEN, has_them: Callable[[TableRef], bool] = lambda _: True
) -> str:
    """Rewrite every `*` and `t.*` so that it leaves out `names` of the tables that have them.

    `has_them` tells which tables of FROM show these columns. Sub-queries and common table expressions show what they
    select, so a star over them stays. A star over several tables becomes one star for each.
    """
    return _Stars(text, names, has_them).rewritten()


@dataclass
class _Source:
    """An item of FROM: how it is called, and whether it shows the hidden columns."""

    name: str
    shows_hidden: bool


@dataclass
class _Select:
    """The FROM of one SELECT."""

    sources: list[_Source] = field(default_factory=list)
    merges_columns: bool = False


class _Stars:
    """The stars of one text and what becomes of them."""

    def __init__(self, text: str, names: tuple[str, ...], has_them: Callable[[TableRef], bool]) -> None:
        self._text = text
        self._names = names
        self._has_them = has_them
        self._tokens = tokenize(text)
        self._cte_names = _cte_names(self._tokens)

    def rewritten(self) -> str:
        pieces, end = [], 0
        for position in range(len(self._tokens)):
            if not self._is_star_item(position):
                continue
            first, stop, replacement = self._replacement(position)
            pieces += [self._text[end:first], replacement]
            end = stop
        return "".join([*pieces, self._text[end:]])

    def _is_star_item(self, position: int) -> bool:
        tokens = self._tokens
        if tokens[position].key != "*" or _key(tokens, position + 1) not in _STAR_ENDS:
            return False
        first = self._item_start(position)
        return _key(tokens, first - 1) in _STAR_STARTS and self._select_position(first) is not None

    def _item_start(self, position: int) -> int:
        while _key(self._tokens, position - 1) == "." and position >= 2:
            position -= 2
        return position

    def _select_position(self, position: int) -> int | None:
        """Return where the SELECT of this bracket level is, or None inside the brackets of a function."""
        depth = 0
        for place in range(position - 1, -1, -1):
            token = self._tokens[place]
            depth -= depth_change(token)
            if depth < 0:
                return None
            if depth == 0 and token.key == "SELECT":
                return place
        return None

    def _replacement(self, position: int) -> tuple[int, int, str]:
        """Return the span of a star item in the text and what to write there."""
        first = self._item_start(position)
        select = self._read_from(self._select_position(first) or 0)
        qualifier = [identifier_name(token) for token in self._tokens[first:position:2]]
        sources = [source for source in select.sources if not qualifier or source.name == qualifier[-1]]
        start, stop = self._tokens[first].start, self._tokens[position].end
        written = self._text[start:stop]
        if not any(source.shows_hidden for source in sources):
            return start, stop, written
        excluded, stop = self._excluded(position)
        if qualifier or len(select.sources) == 1:
            return start, stop, f"{written}{excluded}"
        if select.merges_columns or stop > self._tokens[position].end:
            message = "name the columns instead of * where _seq or _deleted is used over a NATURAL or USING join"
            raise error_at(self._text, start, message, ErrorKind.UNSUPPORTED)
        return start, stop, ", ".join(self._star_of(source, excluded) for source in sources)

    @staticmethod
    def _star_of(source: _Source, excluded: str) -> str:
        return f"{quote_identifier(source.name)}.*{excluded if source.shows_hidden else ''}"

    def _excluded(self, position: int) -> tuple[str, int]:
        """Return the EXCEPT that replaces the one behind a star, if any, and where that one ends."""
        tokens = self._tokens
        listed: list[str] = []
        stop = tokens[position].end
        if _key(tokens, position + 1) in {"EXCEPT", "EXCLUDE"} and _key(tokens, position + 3) != "SELECT":
            place = position + 2
            in_brackets = tokens[place].key == "("
            end = place + (in_brackets and 1)
            while end < len(tokens) and tokens[end].key != ")" and (in_brackets or end == place):
                if is_identifier(tokens[end]):
                    listed.append(identifier_name(tokens[end]))
                end += 1
            stop = tokens[min(end, len(tokens) - 1)].end if in_brackets else tokens[place].end
        names = dict.fromkeys([*listed, *self._names])
        return f" EXCEPT ({', '.join(quote_identifier(name) for name in names)})", stop

    def _read_from(self, select_position: int) -> _Select:
        """Read the FROM that belongs to the SELECT at a position."""
        select = _Select()
        place = self._from_position(select_position)
        expects_source = True
        while place < len(self._tokens):
            token = self._tokens[place]
            if token.key in _FROM_ENDS or token.key == ")":
                break
            if expects_source and token.key != "LATERAL":
                place = self._read_source(place, select)
                expects_source = False
                continue
            expects_source = expects_source or token.key in {",", "JOIN"}
            select.merges_columns = select.merges_columns or token.key in {"NATURAL", "USING"}
            place = _behind(self._tokens, place)
        return select

    def _from_position(self, place: int) -> int:
        """Return the position behind the FROM of a SELECT; behind the last token where there is none."""
        while place < len(self._tokens):
            key = self._tokens[place].key
            if key == "FROM" and _key(self._tokens, place - 1) != "DISTINCT":
                return place + 1
            if key in _FROM_ENDS and key != "EXCEPT":
                break
            place = _behind(self._tokens, place)
        return len(self._tokens)

    def _read_source(self, place: int, select: _Select) -> int:
        """Read one table, function or sub-query with its alias."""
        token = self._tokens[place]
        name, shows_hidden = "", False
        if is_identifier(token):
            end = _chain_end(self._tokens, place)
            parts = [identifier_name(part) for part in self._tokens[place:end:2]]
            name = parts[-1]
            is_function = _key(self._tokens, end) == "("
            shows_hidden = not is_function and self._table_shows_hidden(parts)
            place = _behind(self._tokens, end) if is_function else end
        elif token.key == "(" and _key(self._tokens, place + 1) not in _QUERY_STARTS:
            message = "write joins without brackets around them where _seq or _deleted and * are used"
            raise error_at(self._text, token.start, message, ErrorKind.UNSUPPORTED)
        else:
            place = _behind(self._tokens, place)
        alias, place = self._alias(place)
        select.sources.append(_Source(alias or name, shows_hidden))
        return place

    def _table_shows_hidden(self, parts: list[str]) -> bool:
        if len(parts) == 1:
            return parts[0] not in self._cte_names and self._has_them(TableRef(None, parts[0]))
        return self._has_them(TableRef(parts[-2], parts[-1]))

    def _alias(self, place: int) -> tuple[str, int]:
        if _key(self._tokens, place) == "AS":
            place += 1
        if place < len(self._tokens) and is_identifier(self._tokens[place]):
            token = self._tokens[place]
            if token.key not in _NO_ALIAS or token.kind is Kind.QUOTED:
                return identifier_name(token), place + 1
        return "", place


def _cte_names(tokens: list[Token]) -> frozenset[str]:
    """Return the names that a WITH defines anywhere: `name AS (` and `name (columns) AS (`."""
    if not any(token.key == "WITH" for token in tokens):
        return frozenset()
    return frozenset(
        identifier_name(token)
        for position, token in enumerate(tokens)
        if is_identifier(token) and _key(tokens, position - 1) in {"WITH", "RECURSIVE", ","}
        if _defines_query(tokens, position + 1)
    )


def _defines_query(tokens: list[Token], place: int) -> bool:
    """Tell whether `[(columns)] AS [[NOT] MATERIALIZED] (` begins at a position."""
    if _key(tokens, place) == "(":
        place = _behind(tokens, place)
    return _key(tokens, place) == "AS" and _key(tokens, place + 1) in {"(", "MATERIALIZED", "NOT"}


def _behind(tokens: list[Token], place: int) -> int:
    """Return the position behind a token, or behind the bracket that it opens."""
    depth = 0
    while place < len(tokens):
        depth += depth_change(tokens[place])
        place += 1
        if depth <= 0:
            break
    return place


def _chain_end(tokens: list[Token], position: int) -> int:
    """Return the position behind `a.b.c` that begins at `position`."""
    end = position + 1
    while _key(tokens, end) == "." and end + 1 < len(tokens) and is_identifier(tokens[end + 1]):
        end += 2
    return end


def _key(tokens: list[Token], position: int) -> str:
    return tokens[position].key if 0 <= position < len(tokens) else ""
