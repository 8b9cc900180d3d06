"""One value for a statement's text, or for a part of it: cut into tokens once.

It is a string, so that it compares and prints as what the client wrote. Parts keep their share of the tokens, and texts
that are put together of parts keep theirs: nothing is cut twice on its way to the engine. Its tree is made by `queries`
when somebody asks for it, and stays with it.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

from flightserver.sql.text import tree
from flightserver.sql.text.remembered import remembered
from flightserver.sql.text.tokens import Token, tokenize


@remembered
def _tokens_between(text: str) -> tuple[Token, ...]:
    """The tokens of what stands between parts of statements, which is the same in most of them."""
    return tuple(tokenize(text))


class QueryText(str):
    """A text with its tokens, and what they tell. Never changed."""

    @classmethod
    def with_tokens(cls, text: str, tokens: Sequence[Token]) -> "QueryText":
        """A text whose tokens are known."""
        made = cls(text)
        made.__dict__["tokens"] = tuple(tokens)
        return made

    @classmethod
    def joined(cls, parts: Iterable[str]) -> "QueryText":
        """Texts one behind another. Each must begin and end between tokens."""
        tokens: list[Token] = []
        pieces: list[str] = []
        length = 0
        for part in parts:
            own = part.tokens if isinstance(part, QueryText) else _tokens_between(part)
            tokens += [t._replace(start=t.start + length, end=t.end + length) for t in own]
            pieces.append(part)
            length += len(part)
        return cls.with_tokens("".join(pieces), tokens)

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """Its tokens, without space and comments."""
        return tuple(tokenize(self))

    @cached_property
    def keys(self) -> frozenset[str]:
        """What grammar compares of its tokens: words in upper case, and symbols."""
        return frozenset(token.key for token in self.tokens)

    def part(self, start: int, end: int) -> "QueryText":
        """The text from one token to before another, without the space around it."""
        if start >= end:
            return QueryText.with_tokens("", ())
        own = self.tokens[start:end]
        first, last = own[0].start, own[-1].end
        moved = [t._replace(start=t.start - first, end=t.end - first) for t in own] if first else own
        return QueryText.with_tokens(str(self)[first:last], moved)

    def of(self, node: tree.Node) -> str:
        """What the client wrote for a node."""
        return str(self)[self.tokens[node.start].start : self.tokens[node.end - 1].end]


@remembered
def recurring(text: str) -> QueryText:
    """The value of a text of the server's own that is asked again and again: its tokens and its tree are made once."""
    return QueryText(text)
