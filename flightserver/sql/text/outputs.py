"""Names of the columns that a query returns, where nobody reads them.

The engine refuses a SELECT with two items of the same name, and calls `CAST(x AS INT)` x. The rows of an INSERT are
matched by position, so there items get names of their own.
"""

from collections.abc import Iterator

from catalog.identifiers import quote_identifier
from flightserver.sql.text.clauses import AFTER_TABLES, SET_OPERATORS
from flightserver.sql.text.remembered import remembered
from flightserver.sql.text.tokens import Kind, Token, depth_change, identifier_name, is_identifier, tokenize

_ITEMS_END = AFTER_TABLES | {"FROM", "SELECT"}

_Item = list[Token]


@remembered
def with_distinct_names(text: str) -> str:
    """Name anew what a query computes, what is called like an item before it, and what stands beside a star."""
    if text[:6].upper() == "VALUES":
        return text
    tokens = tokenize(text)
    pieces, end = [], 0
    for select in _outer_selects(tokens):
        for item, name in _renamed(tokens, select):
            alias = quote_identifier(name)
            last = item[-1]
            pieces += [text[end : last.start], alias] if _has_alias(item) else [text[end : last.end], f" AS {alias}"]
            end = last.end
    return "".join([*pieces, text[end:]])


def _outer_selects(tokens: list[Token]) -> Iterator[int]:
    """The positions of each SELECT whose rows are the query's own: not in a sub-query, maybe in a set operation."""
    depth, outer_depth = 0, 0
    keys = [token.key for token in tokens]
    for place, token in enumerate(tokens):
        before = keys[:place][-2:] or [""]
        is_operand = before[-1] in SET_OPERATORS or (before[0] in SET_OPERATORS and before[-1] in {"ALL", "DISTINCT"})
        if token.key == "(" and depth == outer_depth and (is_operand or place == depth):
            outer_depth += 1
        depth += depth_change(token)
        outer_depth = min(outer_depth, depth)
        if token.key == "SELECT" and depth == outer_depth:
            yield place


def _renamed(tokens: list[Token], select: int) -> Iterator[tuple[_Item, str]]:
    """The items of a SELECT that need another name, with that name."""
    items = _items(tokens, select + 1)
    stars = any(map(_is_star, items))
    taken: set[str] = set()
    for number, item in enumerate(items, start=1):
        name = _name(item)
        is_nameless = not _has_alias(item) and (stars or not _is_column(item))
        if not _is_star(item) and not _ends_in_word(item) and (is_nameless or name in taken):
            yield item, f"column:{number}"
        taken.add(name)


def _items(tokens: list[Token], place: int) -> list[_Item]:
    """The items of a SELECT, without commas."""
    if place < len(tokens) and tokens[place].key in {"ALL", "DISTINCT"}:
        place += 1
    items: list[_Item] = [[]]
    depth = 0
    for before, token in zip(tokens[place - 1 :], tokens[place:], strict=False):
        is_end = token.key in _ITEMS_END and before.key not in {"*", "DISTINCT"}
        if depth == 0 and (token.key == ")" or is_end):
            break
        depth += depth_change(token)
        if depth == 0 and token.key == ",":
            items.append([])
        else:
            items[-1].append(token)
    return [item for item in items if item]


def _is_star(item: _Item) -> bool:
    star = next((place for place, token in enumerate(item) if token.key == "*"), None)
    return star is not None and (star == 0 or item[star - 1].key == ".")


def _has_alias(item: _Item) -> bool:
    return len(item) > 2 and item[-2].key == "AS"


def _is_column(item: _Item) -> bool:
    return all(map(is_identifier, item[::2])) and all(token.key == "." for token in item[1::2])


def _ends_in_word(item: _Item) -> bool:
    """Tell whether an item may end in an alias without AS: these keep their names."""
    if len(item) < 2 or not is_identifier(item[-1]) or _has_alias(item):
        return False
    return item[-2].kind is not Kind.SYMBOL or item[-2].key in {")", "]"}


def _name(item: _Item) -> str:
    """What an item is called: by its alias, by its column, or by its text."""
    names = [identifier_name(token) if is_identifier(token) else token.text for token in item]
    return names[-1] if _has_alias(item) or _is_column(item) else " ".join(names)
