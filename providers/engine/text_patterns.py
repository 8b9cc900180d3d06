"""Patterns of LIKE and SIMILAR TO in other words: with a backslash as escape, and as a regular expression.

A pattern must not end with its escape; an escape is one letter, or none.
"""

from catalog.errors import DatabaseError, ErrorKind

_SPECIAL = frozenset(".^$\\#&~-")
"""What means something in a regular expression and nothing in SIMILAR TO."""


def like_pattern(pattern: str, escape: str) -> str:
    """The pattern of a LIKE whose escape is the backslash. INVALID for one that is none."""
    written = []
    for letter, is_escaped in _letters(pattern, escape):
        written.append(f"\\{letter}" if letter == "\\" or (is_escaped and letter in "%_") else letter)
    return "".join(written)


def similar_pattern(pattern: str, escape: str) -> str:
    """The regular expression that a whole text has to match. INVALID for a pattern that is none."""
    written = []
    is_in_class = False
    for letter, is_escaped in _letters(pattern, escape):
        written.append(_letter_of_class(letter) if is_in_class else _letter(letter, is_escaped=is_escaped))
        is_in_class = letter != "]" if is_in_class else letter == "[" and not is_escaped
    return f"(?s)\\A(?:{''.join(written)})\\z"


def _letter(letter: str, *, is_escaped: bool) -> str:
    if is_escaped:
        return letter if letter.isalnum() or letter in " _%" else f"\\{letter}"
    if letter in "%_":
        return ".*" if letter == "%" else "."
    return f"\\{letter}" if letter in _SPECIAL else letter


def _letter_of_class(letter: str) -> str:
    return f"\\{letter}" if letter in "\\[&~" else letter


def _letters(pattern: str, escape: str) -> list[tuple[str, bool]]:
    """The letters of a pattern, and whether each was escaped."""
    if len(escape) > 1:
        raise DatabaseError(ErrorKind.INVALID, "an ESCAPE is one letter, or none")
    found: list[tuple[str, bool]] = []
    is_escaped = False
    for letter in pattern:
        if not is_escaped and letter == escape:
            is_escaped = True
        else:
            found.append((letter, is_escaped))
            is_escaped = False
    if is_escaped:
        raise DatabaseError(ErrorKind.INVALID, "a pattern must not end with its escape")
    return found
