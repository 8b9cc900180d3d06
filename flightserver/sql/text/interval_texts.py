"""Texts of intervals as PostgreSQL reads them: months, days and microseconds of `1-2`, `3 days 04:05`, `P1DT2H`."""

import re
from fractions import Fraction
from typing import NamedTuple

_MONTHS_OF = {"month": 1, "mon": 1, "quarter": 3, "year": 12, "y": 12, "yr": 12, "decade": 120, "century": 1_200}
_MONTHS_OF |= {"centurie": 1_200, "c": 1_200, "dec": 120, "millennium": 12_000, "mil": 12_000}
_DAYS_OF = {"day": 1, "d": 1, "week": 7, "w": 7}
_MICROSECONDS_OF = {
    **dict.fromkeys(("hour", "h", "hr"), 3_600_000_000),
    **dict.fromkeys(("minute", "min", "m"), 60_000_000),
    **dict.fromkeys(("second", "sec", "s"), 1_000_000),
    **dict.fromkeys(("millisecond", "msec", "ms"), 1_000),
    **dict.fromkeys(("microsecond", "usec", "us"), 1),
}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
_PART = re.compile(
    rf"\s*(?:(?P<sign>[-+]?)(?P<years>\d+)-(?P<months>\d+)(?![-\d:])"
    rf"|(?P<clock>[-+]?\d+:\d+(?::\d+(?:\.\d*)?)?(?:\.\d*)?)"
    rf"|(?P<number>{_NUMBER})\s*(?P<unit>[a-zA-Z]*))"
)
_ISO = re.compile(
    rf"\s*P(?:({_NUMBER})Y)?(?:({_NUMBER})M)?(?:({_NUMBER})W)?(?:({_NUMBER})D)?"
    rf"(?:T(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?\s*\Z"
)
_ISO_UNITS = ("year", "month", "week", "day", "hour", "minute", "second")
_DIGITS_MAX = 12


class IntervalParts(NamedTuple):
    """What an interval is made of."""

    months: int
    days: int
    microseconds: int

    @property
    def sql(self) -> str:
        """The interval as everybody reads it."""
        return f"INTERVAL '{self.months} months {self.days} days {self.microseconds} microseconds'"


def read_interval(text: str, first: str = "", last: str = "") -> IntervalParts | None:
    """The parts of an interval's text, whose fields are said to be from `first` to `last`; None for no interval."""
    if len(text) > 200 or any(len(digits) > _DIGITS_MAX for digits in re.findall(r"\d+", text)):
        return None
    iso = _ISO.match(text)
    if iso is not None and text.strip() not in {"P", ""}:
        return _sum([(Fraction(n), unit) for n, unit in zip(iso.groups(), _ISO_UNITS, strict=True) if n is not None])
    words = text.strip()
    is_ago = words.lower().endswith(" ago")
    amounts = _amounts(words[:-4] if is_ago else words, last or first or "second", is_short=(first, last))
    if not amounts:
        return None
    return _sum([(-amount, unit) if is_ago else (amount, unit) for amount, unit in amounts])


def _amounts(text: str, bare_unit: str, is_short: tuple[str, str]) -> list[tuple[Fraction, str]] | None:
    """Numbers with their units, one by one."""
    found: list[tuple[Fraction, str]] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        part = _PART.match(text, place)
        if part is None or part.end() == place:
            return None
        place = part.end()
        if part["years"] is not None:
            sign = -1 if part["sign"] == "-" else 1
            found += [(Fraction(sign * int(part["years"])), "year"), (Fraction(sign * int(part["months"])), "month")]
        elif part["clock"] is not None:
            found += _clock(part["clock"], of_minutes=is_short == ("minute", "second"))
        else:
            unit = part["unit"].lower()
            if not unit and place < len(text) and is_short == ("day", is_short[1]):
                unit = "day"  # as in '1 02:03' DAY TO MINUTE
            found.append((Fraction(part["number"]), unit or bare_unit))
    return found


def _clock(text: str, *, of_minutes: bool) -> list[tuple[Fraction, str]]:
    sign = -1 if text.startswith("-") else 1
    parts = [Fraction(part.rstrip(".") or "0") for part in text.lstrip("+-").split(":")]
    units = ("minute", "second") if of_minutes and len(parts) == 2 else ("hour", "minute", "second")
    return [(sign * part, unit) for part, unit in zip(parts, units, strict=False)]


def _sum(amounts: list[tuple[Fraction, str]]) -> IntervalParts | None:
    """What amounts are together; a fraction of a month is days, of thirty, and of a day a time."""
    months = days = 0
    microseconds = Fraction(0)
    for amount, name in amounts:
        unit = name if name in _MONTHS_OF | _DAYS_OF | _MICROSECONDS_OF else name.rstrip("s")
        rest = Fraction(0)
        if unit in _MONTHS_OF:
            whole = int(amount * _MONTHS_OF[unit])
            months, rest = months + whole, (amount * _MONTHS_OF[unit] - whole) * 30
        elif unit in _DAYS_OF:
            rest = amount * _DAYS_OF[unit]
        elif unit in _MICROSECONDS_OF:
            microseconds += amount * _MICROSECONDS_OF[unit]
        else:
            return None
        days += int(rest)
        microseconds += (rest - int(rest)) * 86_400_000_000
    if max(abs(months), abs(days)) >= 1 << 31 or abs(microseconds) >= 1 << 63:
        return None
    return IntervalParts(months, days, round(microseconds))
