"""How fast somebody may send."""

from flightserver.activity.pace import FORGOTTEN_AT, Pace

RATES = {"slow": 100, "quick": 1_000_000}


def paced() -> Pace:
    """Two users with a limit; all others have none."""
    return Pace(RATES.get)


def test_what_comes_first_does_not_wait() -> None:
    """However large it is: it has come already."""
    assert paced().wait_seconds("slow", 10_000, now=5.0) == 0


def test_what_comes_next_waits_for_what_came_before() -> None:
    """As long as that would have taken, less what has passed."""
    pace = paced()
    pace.wait_seconds("slow", 200, now=5.0)
    assert pace.wait_seconds("slow", 100, now=5.5) == 1.5
    assert pace.wait_seconds("slow", 1, now=8.0) == 0


def test_users_do_not_wait_for_each_other() -> None:
    """And who has no limit waits for nobody."""
    pace = paced()
    pace.wait_seconds("slow", 1_000, now=0.0)
    assert pace.wait_seconds("quick", 1_000, now=0.0) == 0
    assert [pace.wait_seconds("free", 1 << 40, now=0.0) for _ in range(2)] == [0, 0]


def test_those_who_owe_nothing_are_forgotten() -> None:
    """Their number is bounded."""
    pace = Pace(lambda _: 1_000)
    for number in range(10 * FORGOTTEN_AT):
        pace.wait_seconds(f"u{number}", 1, now=float(number))
    assert len(pace._free_at) <= FORGOTTEN_AT + 1
