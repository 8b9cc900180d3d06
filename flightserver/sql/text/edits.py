"""Changes to a text by the nodes of its tree: everything that nobody changes stays as it was written.

A node can be wrapped, or written anew from its parts. Changes are collected in any order and carried out from the
outside in: what is wrapped may lie in what is written anew, and parts of that may be written several times. Of two
ways to write one node, what was said first is the outer one.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tree import Node

Written = Callable[[], str]


class _Wrap(NamedTuple):
    """What is written beside a node of so many tokens; what was said later stands further out."""

    length: int
    number: int
    text: str


class Edits:
    """Changes to one text."""

    def __init__(self, text: QueryText) -> None:
        self._text = text
        self._before: defaultdict[int, list[_Wrap]] = defaultdict(list)
        self._after: defaultdict[int, list[_Wrap]] = defaultdict(list)
        self._anew: dict[int, list[tuple[int, Written]]] = defaultdict(list)
        self.count = 0

    def wrap(self, node: Node, before: str, after: str) -> None:
        """Write something in front of a node and behind it. What wraps more stands further out."""
        length = node.end - node.start
        self.count += 1
        if before:
            self._before[node.start].append(_Wrap(length, self.count, before))
        if after:
            self._after[node.end].append(_Wrap(length, self.count, after))

    def write(self, node: Node, written: Written) -> None:
        """Write a node anew; `written` may ask for `text_of` its parts."""
        self.count += 1
        self._anew[node.start].append((node.end, written))

    def span(self, start: int, end: int, written: str) -> None:
        """Write the tokens from `start` to before `end` anew."""
        self.write(Node(start, end), lambda: written)

    def text_of(self, node: Node) -> str:
        """A node with all changes within it."""
        return self.text_between(node.start, node.end)

    def text_between(self, start: int, end: int) -> str:
        """The tokens from `start` to before `end`, with all changes that lie within."""
        pieces: list[str] = []
        self._write(start, end, pieces)
        return "".join(pieces)

    def done(self) -> str:
        """The whole text."""
        tokens, text = self._text.tokens, str(self._text)
        if not self.count or not tokens:
            return text
        return f"{text[: tokens[0].start]}{self.text_between(0, len(tokens))}{text[tokens[-1].end :]}"

    def _write(self, start: int, end: int, pieces: list[str]) -> None:
        tokens, text = self._text.tokens, str(self._text)
        place = start
        while place < end:
            if place > start:
                pieces.append(text[tokens[place - 1].end : tokens[place].start])
            anew = max((found for found in self._anew.get(place, ()) if found[0] <= end), default=None, key=_end)
            inner = 0 if anew is None else anew[0] - place  # what is shorter belongs into what is written anew
            wraps = [found for found in self._before.get(place, ()) if inner <= found.length <= end - place]
            pieces += [wrap.text for wrap in sorted(wraps, reverse=True)]
            if anew is not None:
                pieces.append(self._once(place, anew))
                place = anew[0]
            else:
                pieces.append(tokens[place].text)
                place += 1
            wraps = [found for found in self._after.get(place, ()) if inner <= found.length <= place - start]
            pieces += [wrap.text for wrap in sorted(wraps)]

    def _once(self, place: int, found: tuple[int, Written]) -> str:
        """Write a node anew, without its own change among those of its parts."""
        known = self._anew[place]
        number = known.index(found)
        del known[number]
        try:
            return found[1]()
        finally:
            known.insert(number, found)


def _end(found: tuple[int, Written]) -> int:
    return found[0]
