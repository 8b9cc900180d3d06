"""Names for columns whose files give them none, or one of them twice."""

from collections.abc import Sequence
from itertools import count


def distinct(names: Sequence[str]) -> list[str]:
    """The names, a repeated one with a number behind it: `a`, `a_2`. None takes the name of another column."""
    taken = set(names)
    seen: set[str] = set()
    found = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        chosen = name if name not in seen else next(each for each in numbered if each not in taken)
        taken.add(chosen)
        seen.add(name)
        found.append(chosen)
    return found


def named(names: Sequence[str]) -> list[str]:
    """Names for all columns, by their position where a header has none: `column_3`."""
    return distinct([name if name.strip() else f"column_{position}" for position, name in enumerate(names, start=1)])
