"""How refused tokens are counted."""

from flightserver.access.refusals import SECONDS, Refusals


def test_the_first_is_recorded_and_a_flood_is_counted() -> None:
    """Nothing is recorded twice, and nothing is left out but what came last."""
    now = 5.0
    refusals = Refusals(lambda: now)
    assert [refusals.note() for _ in range(100)] == [1, *([None] * 99)]
    now += SECONDS
    assert refusals.note() == 100
    assert refusals.note() is None
