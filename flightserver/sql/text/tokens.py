"""Cuts SQL text into tokens exactly where DataFusion's own lexer cuts it.

Invariants:
- A token knows its place in the source (`text[token.start:token.end] == token.text`), so everything that passes
  through to DataFusion is a verbatim slice of what the client sent, never text that was generated again.
- What starts a string, a quoted identifier, a comment or a dollar quote here starts one in DataFusion, and ends at the
  same character. String prefixes that DataFusion cuts in another way and then refuses (`N'…'`, `B'…'`) are refused.
- Rows of nothing but literals and calls without arguments behind the VALUES of an INSERT become one ROWS token without
  looking at each value in Python: a bulk INSERT of 100,000 rows is split in 0.05 s. Such a token holds no table,
  parameter or operator, and no moment beside one that the engine may not be able to read.
"""

import re
from enum import Enum, unique
from functools import cached_property
from typing import NamedTuple

from catalog.errors import DatabaseError, ErrorKind


@unique
class Kind(Enum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted"
    STRING = "string"
    NUMBER = "number"
    PARAMETER = "parameter"
    SYMBOL = "symbol"
    ROWS = "rows"
    END = "end"


class Token(NamedTuple):
    """A token and its place. `key` is what grammar compares: an upper-case word, a symbol, or nothing."""

    kind: Kind
    text: str
    start: int
    end: int
    key: str


_STRING_BODY = r"'[^']*+(?:''[^']*+)*+'"
_TOKEN = re.compile(
    rf"""\s*+(?:
      (?P<bracket>[(),;*+\[\]{{}}])
    | (?P<number>0x[0-9a-fA-F]++|(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?)
    | (?P<string>{_STRING_BODY})
    | (?P<comment>--[^\n]*+)
    | (?P<block>/\*)
    | (?P<prefix>(?:[bBrR](?=['"])|(?:[nN]?[qQ]|[nN]|[uU]&)(?=')))
    | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*+')
    | (?P<unended_escape>[eE]')
    | (?P<word>[^\W\d][\w$\#@]*+|[@\#][\w$\#@]++)
    | (?P<quoted>"[^"]*+(?:""[^"]*+)*+"|`[^`]*+(?:``[^`]*+)*+`)
    | (?P<dollar>\$(?P<tag>\w*+)\$)
    | (?P<parameter>\$\w++|\?)
    | (?P<unended>['"`])
    | (?P<symbol>\|\||::|<=>|<>|[<>!=]=|->>?|.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")

_LITERAL = rf"""(?:(?:[A-Za-z]++\s++)?{_STRING_BODY}|-?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?
    |(?i:null|true|false)(?!\w)|(?!(?i:current_|session_))[A-Za-z_]\w*+\(\s*+\))"""
_ROWS_OF = r"(?:\(\s*+{0}\s*+(?:,\s*+{0}\s*+)*+\)\s*+,\s*+)++(?=\()"
_LITERAL_ROWS = re.compile(_ROWS_OF.format(_LITERAL), re.VERBOSE)
_ROWS_WITHOUT_MOMENTS = re.compile(_ROWS_OF.format(rf"(?!(?i:timestamp)){_LITERAL}"), re.VERBOSE)
_FAR_MOMENT = re.compile(r"(?i:timestamp\w*+)\s++'\s*+(?!1[7-9]|2[01])")
"""A moment of a year that may be beyond what the engine reads: then all of them are looked at."""

_BULK = frozenset({"INSERT", "VALUES"})
_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
_KINDS = {
    "word": Kind.WORD,
    "string": Kind.STRING,
    "escaped": Kind.STRING,
    "quoted": Kind.QUOTED,
    "number": Kind.NUMBER,
    "parameter": Kind.PARAMETER,
    "bracket": Kind.SYMBOL,
    "symbol": Kind.SYMBOL,
}
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def error_at(text: str, offset: int, message: str, kind: ErrorKind = ErrorKind.SYNTAX) -> DatabaseError:
    """Make an error of one line that begins with the line and column of `offset`."""
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return DatabaseError(kind, f"line {line}:{column}: {message}")


def tokenize(text: str) -> list[Token]:
    """Return the tokens of `text` without space and comments."""
    return _Lexer(text).run()


class _Lexer:
    """One pass over a text. `_rows_depth` is the depth at which VALUES rows may follow, or None."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[Token] = []
        self._depth = 0
        self._rows_depth: int | None = None

    def run(self) -> list[Token]:
        text, tokens, match_token = self._text, self._tokens, _TOKEN.match
        position = 0
        while match := match_token(text, position):
            group = match.lastgroup or ""
            start, position = match.start(group), match.end()
            kind = _KINDS.get(group)
            if kind is None:
                position = self._special(group, match, start)
            elif kind is Kind.SYMBOL:
                position = self._symbol(match[group], start, position)
            else:
                word = match[group]
                key = word.upper() if kind is Kind.WORD else ""
                tokens.append(Token(kind, word, start, position, key))
                if key == "VALUES" and tokens[0].key in _BULK:
                    self._rows_depth = self._depth
                elif self._depth == self._rows_depth:
                    self._rows_depth = None
        return tokens

    @cached_property
    def _literal_rows(self) -> re.Pattern[str]:
        """What rows look like of which no value must be looked at."""
        return _ROWS_WITHOUT_MOMENTS if _FAR_MOMENT.search(self._text) else _LITERAL_ROWS

    def _symbol(self, symbol: str, start: int, end: int) -> int:
        if symbol in _OPENING:
            if self._depth == self._rows_depth and (rows := self._literal_rows.match(self._text, start)):
                self._tokens.append(Token(Kind.ROWS, rows[0], start, rows.end(), ""))
                return rows.end()
            self._depth += 1
        elif symbol in _CLOSING:
            self._depth -= 1
        self._tokens.append(Token(Kind.SYMBOL, symbol, start, end, symbol))
        return end

    def _special(self, group: str, match: re.Match[str], start: int) -> int:
        """Handle what one expression cannot match: comments, dollar quotes and faults."""
        if group == "comment":
            return match.end()
        if group == "block":
            return self._skip_block_comment(match.end(), start)
        if group == "dollar":
            return self._dollar_quoted(match["dollar"], start, match.end())
        if group == "prefix":
            raise self._error(start, f"strings with the prefix {match[group]} are not supported", ErrorKind.UNSUPPORTED)
        what = "quoted identifier" if match[group] in '"`' else "string"
        raise self._error(start, f"this {what} has no end")

    def _skip_block_comment(self, position: int, start: int) -> int:
        depth = 1
        while depth:
            edge = _BLOCK_EDGE.search(self._text, position)
            if edge is None:
                raise self._error(start, "this comment has no end")
            depth += 1 if edge[0] == "/*" else -1
            position = edge.end()
        return position

    def _dollar_quoted(self, delimiter: str, start: int, body: int) -> int:
        close = self._text.find(delimiter, body)
        if close < 0:
            raise self._error(start, f"this string has no closing {delimiter}")
        end = close + len(delimiter)
        self._tokens.append(Token(Kind.STRING, self._text[start:end], start, end, ""))
        return end

    def _error(self, offset: int, message: str, kind: ErrorKind = ErrorKind.SYNTAX) -> DatabaseError:
        return error_at(self._text, offset, message, kind)


def depth_change(token: Token) -> int:
    """Return +1 for an opening bracket, -1 for a closing one, 0 otherwise."""
    if token.key in _OPENING:
        return 1
    return -1 if token.key in _CLOSING else 0


def is_identifier(token: Token) -> bool:
    """Tell whether the token can be a name: a word or a quoted identifier."""
    return token.kind is Kind.WORD or token.kind is Kind.QUOTED


def fold(name: str) -> str:
    """Fold an unquoted name as DataFusion does: ASCII letters only."""
    return name.translate(_ASCII_LOWER)


def identifier_name(token: Token) -> str:
    """Return the name that a word or a quoted identifier stands for."""
    if token.kind is Kind.QUOTED:
        quote = token.text[0]
        return token.text[1:-1].replace(quote * 2, quote)
    return fold(token.text)


def string_value(token: Token) -> str:
    """Return what a string literal means. E'…' strings are not decoded and are refused by callers."""
    if token.text.startswith("$"):
        delimiter = token.text[: token.text.index("$", 1) + 1]
        return token.text[len(delimiter) : -len(delimiter)]
    return token.text[1:-1].replace("''", "'")
