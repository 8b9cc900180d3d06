"""Caps on what a statement may look like, checked on its tokens before anything plans it.

DataFusion 55 plans long operator chains in quadratic time (1,000 terms: 1 s, 5,000: 25 s) and overflows its stack at
20,000, which ends the process; casts (`::`) count as operators. 200 joins take 1.5 s, and the time grows with their
cube. The caps keep every statement below the first of these figures. Long IN lists and long
VALUES are cheap there and pass.
"""

from dataclasses import dataclass

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.text.tokens import Kind, Token, depth_change
from flightserver.sql.text.words import SET_OPERATORS

QUERY_BYTES_MAX = 256 * 1024
INSERT_BYTES_MAX = 16 * 1024 * 1024
NESTING_DEPTH_MAX = 64
OPERATORS_MAX = 1_000
OPERATORS_PER_ROW_MAX = 100
SET_OPERATIONS_MAX = 200
JOINS_MAX = 200
OUTPUT_COLUMNS_MAX = 2_000

_OPERATOR_SYMBOLS = frozenset(
    {
        "+",
        "-",
        "*",
        "/",
        "%",
        "||",
        "=",
        "==",
        "!=",
        "<>",
        "<",
        ">",
        "<=",
        ">=",
        "<=>",
        "->",
        "->>",
        "&",
        "|",
        "^",
        "~",
        "::",
    }
)
_OPERATOR_WORDS = frozenset({"AND", "OR", "XOR", "LIKE", "ILIKE", "BETWEEN", "IS", "IN", "NOT", "DIV", "ZONE"})
_LIST_ENDS = frozenset({"FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "QUALIFY", *SET_OPERATORS})


def check_text_size(text: str) -> None:
    """Refuse a text that no statement may have, before it is cut into tokens."""
    if len(text) > INSERT_BYTES_MAX or len(text.encode(errors="replace")) > INSERT_BYTES_MAX:
        raise _too_much(f"a statement has at most {INSERT_BYTES_MAX} bytes; load more rows with a record batch stream")


def check_limits(tokens: list[Token]) -> None:
    """Raise RESOURCES when the tokens of one statement are beyond a cap."""
    _check_size(tokens)
    counts = _Counts()
    for token in tokens:
        counts.add(token)


def _check_size(tokens: list[Token]) -> None:
    size = tokens[-1].end - tokens[0].start
    bulk = tokens[0].key == "INSERT" and any(token.key == "VALUES" for token in tokens[:10_000])
    if size > QUERY_BYTES_MAX and not bulk:
        raise _too_much(f"a statement other than INSERT … VALUES has at most {QUERY_BYTES_MAX} bytes, not {size}")


@dataclass
class _Counts:
    """What has been counted so far. `rows_depth` is the depth outside of VALUES rows that are being read."""

    depth: int = 0
    operators: int = 0
    row_operators: int = 0
    set_operations: int = 0
    joins: int = 0
    rows_depth: int | None = None
    follows_operand: bool = False

    def __post_init__(self) -> None:
        self.list_lengths: list[int | None] = [None]

    def add(self, token: Token) -> None:
        """Count one token."""
        change = depth_change(token)
        if change:
            self._nest(change)
        key = token.key
        if key == ",":
            self._comma()
        elif key == "VALUES":
            self.rows_depth, self.row_operators = self.depth, 0
        elif token.kind is Kind.WORD:
            self._word(key)
        if self.rows_depth == self.depth and key not in {"VALUES", ",", ")", ""}:
            self.rows_depth = None
        if key in _OPERATOR_WORDS or (key in _OPERATOR_SYMBOLS and self._is_binary(key)):
            self._operator()
        self.follows_operand = key in {")", "]"} or (token.kind is not Kind.SYMBOL and key not in _OPERATOR_WORDS)

    def _is_binary(self, key: str) -> bool:
        return self.follows_operand or key not in {"-", "+"}

    def _nest(self, change: int) -> None:
        self.depth += change
        if self.depth > NESTING_DEPTH_MAX:
            raise _too_much(f"brackets nest deeper than {NESTING_DEPTH_MAX} levels")
        if change > 0:
            self.list_lengths.append(None)
        elif len(self.list_lengths) > 1:
            self.list_lengths.pop()

    def _comma(self) -> None:
        if self.depth == self.rows_depth:
            self.row_operators = 0
        length = self.list_lengths[-1]
        if length is not None:
            self.list_lengths[-1] = length + 1
            if length >= OUTPUT_COLUMNS_MAX:
                raise _too_much(f"a query has at most {OUTPUT_COLUMNS_MAX} output columns")

    def _word(self, key: str) -> None:
        if key == "SELECT":
            self.list_lengths[-1] = 1
        elif key in _LIST_ENDS:
            self.list_lengths[-1] = None
        if key == "JOIN":
            self.joins += 1
            if self.joins > JOINS_MAX:
                raise _too_much(f"a statement has at most {JOINS_MAX} JOIN")
        if key in SET_OPERATORS:
            self.set_operations += 1
            if self.set_operations > SET_OPERATIONS_MAX:
                raise _too_much(f"a query has at most {SET_OPERATIONS_MAX} UNION, INTERSECT and EXCEPT")

    def _operator(self) -> None:
        if self.rows_depth is None:
            self.operators += 1
        else:
            self.row_operators += 1
        if self.operators > OPERATORS_MAX:
            raise _too_much(f"a statement has at most {OPERATORS_MAX} operators; use IN (…) or VALUES for long lists")
        if self.row_operators > OPERATORS_PER_ROW_MAX:
            raise _too_much(f"a row of VALUES has at most {OPERATORS_PER_ROW_MAX} operators")


def _too_much(message: str) -> DatabaseError:
    return DatabaseError(ErrorKind.RESOURCES, message)
