"""How tests say that a text is refused."""

from collections.abc import Callable

import pytest

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.parser import parse


def refusal(kind: ErrorKind, action: Callable[[], object]) -> str:
    """Run `action`, which must fail with `kind`, and return its one line."""
    with pytest.raises(DatabaseError) as caught:
        action()
    assert caught.value.kind is kind, caught.value
    assert "\n" not in caught.value.message
    assert "\x1b" not in caught.value.message
    return caught.value.message


def refused(kind: ErrorKind, sql: str) -> str:
    """Parse `sql`, which must fail with `kind`, and return the line."""
    return refusal(kind, lambda: parse(sql))
