"""Reads a token list from left to right: the hand tool of the grammar modules.

Every method either consumes what it says or raises a SYNTAX error with the place; nothing is skipped silently.
"""

from collections.abc import Callable
from typing import TypeVar

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, check_name
from flightserver.sql.statements import TableRef
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, Token, depth_change, error_at, identifier_name, is_identifier

Item = TypeVar("Item")
Stop = Callable[["Cursor"], bool]


class Cursor:
    """A position in the tokens of one statement."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.position = 0
        self._end = Token(Kind.END, "", len(text), len(text), "")

    def peek(self, ahead: int = 0) -> Token:
        """Return a token without consuming it; END behind the last."""
        index = self.position + ahead
        return self.tokens[index] if 0 <= index < len(self.tokens) else self._end

    def next(self) -> Token:
        """Consume one token."""
        token = self.peek()
        self.position += 1
        return token

    def at(self, *keys: str) -> bool:
        """Tell whether the next tokens are these words and symbols."""
        return all(self.peek(ahead).key == key for ahead, key in enumerate(keys))

    def at_any(self, *keys: str) -> bool:
        """Tell whether the next token is one of these."""
        return self.peek().key in keys

    def at_end(self) -> bool:
        """Tell whether everything is consumed."""
        return self.peek().kind is Kind.END

    def accept(self, *keys: str) -> bool:
        """Consume these words and symbols if they come next."""
        if not self.at(*keys):
            return False
        self.position += len(keys)
        return True

    def accept_any(self, *keys: str) -> bool:
        """Consume one token if it is one of these."""
        if not self.at_any(*keys):
            return False
        self.position += 1
        return True

    def accept_before(self, key: str, following: str) -> bool:
        """Consume a word if it comes next and `following` comes right behind it."""
        return self.at(key, following) and self.accept(key)

    def expect(self, *keys: str) -> None:
        """Consume these words and symbols, which must come next."""
        for key in keys:
            if not self.accept(key):
                raise self.error(f"expected {key}, found {self.found()}")

    def expect_end(self) -> None:
        """Refuse whatever follows a complete statement."""
        if not self.at_end():
            raise self.error(f"the statement should end before {self.found()}")

    def found(self) -> str:
        """Name the next token for an error message; of a user's password, and what follows it, nothing is said."""
        token = self.peek()
        if self.peek(1 - self.position).key == "USER" and any(
            t.key == "PASSWORD" for t in self.tokens[: self.position]
        ):
            return "something that is not shown, since a password may be in it"
        return "the end of the statement" if token.kind is Kind.END else repr(token.text[:40])

    def error(self, message: str, kind: ErrorKind = ErrorKind.SYNTAX, token: Token | None = None) -> DatabaseError:
        """Make an error at the next token, or at `token`."""
        return error_at(self.text, (token or self.peek()).start, message, kind)

    def unsupported(self, message: str) -> DatabaseError:
        """Make the refusal of a serious request at the next token."""
        return self.error(message, ErrorKind.UNSUPPORTED)

    def name(self, what: str) -> str:
        """Consume a name."""
        token = self.peek()
        if not is_identifier(token):
            raise self.error(f"expected a {what} name, found {self.found()}")
        try:
            name = check_name(what, identifier_name(token))
        except DatabaseError as error:
            raise self.error(error.message, error.kind) from None
        self.position += 1
        return name

    def dotted(self, what: str) -> str:
        """Consume a name with dots in it."""
        parts = [self.name(what)]
        while self.accept("."):
            parts.append(self.name(what))
        return ".".join(parts)

    def names(self, what: str) -> tuple[str, ...]:
        """Consume `(name, …)`."""
        self.expect("(")
        names = self.separated(lambda: self.name(what))
        self.expect(")")
        return names

    def separated(self, item: Callable[[], Item]) -> tuple[Item, ...]:
        """Consume one or more items with commas between them."""
        items = [item()]
        while self.accept(","):
            items.append(item())
        return tuple(items)

    def table(self, what: str = "table") -> TableRef:
        """Consume `[[main.]namespace.]table`."""
        start = self.peek()
        parts = [self.name(what)]
        while self.accept("."):
            parts.append(self.name(what))
        if len(parts) > 3:
            raise self.error(f"a {what} name has at most three parts", token=start)
        if len(parts) == 3 and parts[0] != CATALOG_NAME:
            raise self.error(
                f"there is no catalog {parts[0]!r}; the only one is {CATALOG_NAME}", ErrorKind.NOT_FOUND, start
            )
        return TableRef(parts[-2] if len(parts) > 1 else None, parts[-1])

    def namespace(self) -> str:
        """Consume `[main.]namespace`."""
        start = self.peek()
        name = self.name("namespace")
        if not self.accept("."):
            return name
        if name != CATALOG_NAME:
            raise self.error(
                f"there is no catalog {name!r}; the only one is {CATALOG_NAME}", ErrorKind.NOT_FOUND, start
            )
        return self.name("namespace")

    def optional_alias(self, *stops: str) -> str | None:
        """Consume `[AS] alias` unless a word of `stops` comes next."""
        if self.accept("AS"):
            return self.name("alias")
        token = self.peek()
        return self.name("alias") if is_identifier(token) and token.key not in stops else None

    def part_from(self, first: int) -> QueryText:
        """The text from a position to before this one, with its tokens."""
        return QueryText.with_tokens(self.text, self.tokens).part(first, self.position)

    def slice_until(self, what: str, stop: Stop) -> QueryText:
        """Consume everything up to the end or to where `stop` holds outside brackets; return its source text."""
        first, depth = self.position, 0
        while not self.at_end() and not (depth == 0 and stop(self)):
            depth += depth_change(self.peek())
            if depth < 0:
                break
            self.position += 1
        if depth > 0:
            raise self.error(f"a bracket in this {what} is not closed", token=self.tokens[first])
        if self.position == first:
            raise self.error(f"expected a {what}, found {self.found()}")
        return self.part_from(first)

    def slice_type(self, stop: Stop) -> str:
        """Consume a type, in which `<` and `>` are brackets too, up to `stop`; return its text without comments."""
        text, end, depth = "", self.peek().start, 0
        while not self.at_end() and not (depth == 0 and (self.at(")") or stop(self))):
            token = self.next()
            depth += _type_depth_change(token.key)
            text += token.text if token.start == end else f" {token.text}"
            end = token.end
        return text

    def rest(self, what: str) -> QueryText:
        """Consume everything that is left; return its source text."""
        text = self.slice_until(what, lambda _: False)
        self.expect_end()
        return text


def _type_depth_change(key: str) -> int:
    return (key in {"<", "(", "["}) - (key in {">", ")", "]"})


def stop_at(*keys: str) -> Stop:
    """Stop in front of any of these words or symbols."""
    return lambda cursor: cursor.at_any(*keys)
