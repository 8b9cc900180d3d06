"""Handles: opaque, of one user, and only for as long as the ledger keeps what they stand for."""

import math

import pytest

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.entries import Kind, LedgerLimits, Rule
from flightserver.activity.ledger import Account, Ending, Ledger
from flightserver.service.handles import Handles

HANDLES_MAX = 100


@pytest.fixture
def ledger() -> Ledger:
    """A ledger in which each user may have a hundred of everything."""
    rules = {kind: Rule(math.inf, HANDLES_MAX, gives_way_after=0.0) for kind in Kind}
    return Ledger(LedgerLimits(1 << 20, 1 << 20, rules))


@pytest.fixture
def ann(ledger: Ledger) -> Account:
    """A session of ann's."""
    return ledger.account("ann", "1")


@pytest.fixture
def handles() -> Handles[str]:
    """Handles of results."""
    return Handles(Kind.RESULT)


def lost(handles: Handles[str], user: str, handle: bytes) -> bool:
    """Tell whether a handle leads nowhere."""
    try:
        handles.get(user, handle)
    except DatabaseError as error:
        return (error.kind, error.message) == (ErrorKind.NOT_FOUND, "the result does not exist or has expired")
    return False


def test_a_handle_finds_what_was_put(handles: Handles[str], ann: Account) -> None:
    """As often as it is asked, until it is removed; then nothing is kept."""
    handle, _ = handles.put(ann, "hers", 10)
    assert [handles.get("ann", handle).item for _ in range(2)] == ["hers", "hers"]
    handles.remove("ann", handle)
    assert lost(handles, "ann", handle)
    assert ann.bytes == 0


def test_a_handle_cannot_be_guessed(handles: Handles[str], ann: Account) -> None:
    """It is random and long, and says nothing of what it leads to."""
    given = {handles.put(ann, "same")[0] for _ in range(100)}
    assert {len(handle) for handle in given} == {16}
    assert len(given) == 100


def test_a_handle_ends_with_its_entry(handles: Handles[str], ann: Account) -> None:
    """What the ledger has ended leads nowhere, and hears of it."""
    endings: list[Ending] = []
    handle, _ = handles.put(ann, "hers", ended=endings.append)
    ann.close()
    assert lost(handles, "ann", handle)
    assert endings == [Ending.SESSION]
    assert not handles._held


@pytest.mark.parametrize("user", ["bob", "", "Ann"])
def test_a_handle_is_of_one_user(handles: Handles[str], ann: Account, user: str) -> None:
    """Another can neither use nor remove it, and learns nothing from trying."""
    handle, _ = handles.put(ann, "hers")
    assert lost(handles, user, handle)
    handles.remove(user, handle)
    assert handles.get("ann", handle).item == "hers"


def test_a_user_holds_a_bounded_number(handles: Handles[str], ledger: Ledger, ann: Account) -> None:
    """The ones unused for longest go first, and nobody else's."""
    other, _ = handles.put(ledger.account("bob", "2"), "his")
    first, second = (handles.put(ann, name)[0] for name in ("first", "second"))
    handles.get("ann", first)
    for _ in range(HANDLES_MAX - 1):
        handles.put(ann, "more")
    assert handles.get("ann", first).item == "first"
    assert lost(handles, "ann", second)
    assert handles.get("bob", other).item == "his"
