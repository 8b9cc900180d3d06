"""Handles: opaque, of one user, and only for so long."""

import pytest

from catalog.errors import DatabaseError, ErrorKind
from flightserver.service.handles import HANDLES_PER_USER_MAX, Handles

FOR_GOOD = 3600.0
FOR_NO_TIME = -1.0


def lost(handles: Handles[str], user: str, handle: bytes) -> bool:
    """Tell whether a handle leads nowhere."""
    try:
        handles.get(user, handle)
    except DatabaseError as error:
        return (error.kind, error.message) == (ErrorKind.NOT_FOUND, "the result does not exist or has expired")
    return False


def test_a_handle_finds_what_was_put() -> None:
    """As often as it is asked, until it is removed."""
    handles: Handles[str] = Handles("result", FOR_GOOD)
    handle = handles.put("ann", "hers")
    assert [handles.get("ann", handle) for _ in range(2)] == ["hers", "hers"]
    handles.remove("ann", handle)
    assert lost(handles, "ann", handle)


def test_a_handle_cannot_be_guessed() -> None:
    """It is random and long, and says nothing of what it leads to."""
    handles: Handles[str] = Handles("result", FOR_GOOD)
    given = {handles.put("ann", "same") for _ in range(100)}
    assert {len(handle) for handle in given} == {16}
    assert len(given) == 100


def test_a_stale_handle_leads_nowhere() -> None:
    """What nobody used for its lifetime is forgotten."""
    handles: Handles[str] = Handles("result", FOR_NO_TIME)
    assert lost(handles, "ann", handles.put("ann", "hers"))


@pytest.mark.parametrize("user", ["bob", "", "Ann"])
def test_a_handle_is_of_one_user(user: str) -> None:
    """Another can neither use nor remove it, and learns nothing from trying."""
    handles: Handles[str] = Handles("result", FOR_GOOD)
    handle = handles.put("ann", "hers")
    assert lost(handles, user, handle)
    handles.remove(user, handle)
    assert handles.get("ann", handle) == "hers"


def test_a_user_holds_a_bounded_number() -> None:
    """The ones unused for longest go first, and nobody else's."""
    handles: Handles[str] = Handles("result", FOR_GOOD)
    other = handles.put("bob", "his")
    first, second = handles.put("ann", "first"), handles.put("ann", "second")
    handles.get("ann", first)
    for _ in range(HANDLES_PER_USER_MAX - 1):
        handles.put("ann", "more")
    assert handles.get("ann", first) == "first"
    assert lost(handles, "ann", second)
    assert handles.get("bob", other) == "his"
