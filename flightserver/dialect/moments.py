"""Arithmetic of moments, days, times of day and spans, as SQLAlchemy types it and PostgreSQL computes it.

The engine adds spans to moments alone: a day is its midnight, a time of day takes the engine's other kind of interval,
and a span is multiplied as a number of microseconds. A difference is a span of microseconds, whatever it was taken of.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import exc
from sqlalchemy import types as sa
from sqlalchemy.sql import compiler, operators
from sqlalchemy.sql.elements import ColumnElement

from flightserver.dialect.values import SPAN, is_span


def span_of(text: str) -> str:
    """A difference, or a number of microseconds, as a span."""
    return f"arrow_cast({text}, '{SPAN}')"


def _microseconds(text: str) -> str:
    return f"CAST({text} AS BIGINT)"


def _midnight(text: str) -> str:
    return f"CAST({text} AS TIMESTAMP(6))"


def _interval(text: str) -> str:
    return f"arrow_cast({text}, 'Interval(MonthDayNano)')"


Form = Callable[[str, str], str]

_ADDED: dict[tuple[Any, Any], Form] = {
    (sa.Date, sa.Interval): lambda day, span: f"{_midnight(day)} + {span}",
    (sa.Interval, sa.Date): lambda span, day: f"{span} + {_midnight(day)}",
    (sa.Time, sa.Interval): lambda time, span: f"{time} + {_interval(span)}",
    (sa.Interval, sa.Time): lambda span, time: f"{time} + {_interval(span)}",
    (sa.Date, sa.Time): lambda day, time: _midnight(f"{day} + {time}"),
    (sa.Time, sa.Date): lambda time, day: _midnight(f"{day} + {time}"),
    (sa.Date, sa.Integer): lambda day, days: f"{day} + {_microseconds(days)}",
    (sa.Integer, sa.Date): lambda days, day: f"{day} + {_microseconds(days)}",
}

_SUBTRACTED: dict[tuple[Any, Any], Form] = {
    (sa.Date, sa.Interval): lambda day, span: f"{_midnight(day)} - {span}",
    (sa.Time, sa.Interval): lambda time, span: f"{time} - {_interval(span)}",
    (sa.Date, sa.Integer): lambda day, days: f"{day} - {_microseconds(days)}",
    **{
        (left, right): lambda later, earlier: span_of(f"{later} - {earlier}")
        for left, right in [
            (sa.DateTime, sa.DateTime),
            (sa.DateTime, sa.Date),
            (sa.Date, sa.DateTime),
            (sa.Time, sa.Time),
        ]
    },
}


def _rounded(number: str) -> str:
    return span_of(_microseconds(f"round({number})"))


_MULTIPLIED: dict[tuple[Any, Any], Form] = {
    (sa.Interval, sa.Integer): lambda span, times: span_of(f"{_microseconds(span)} * {_microseconds(times)}"),
    (sa.Integer, sa.Interval): lambda times, span: span_of(f"{_microseconds(times)} * {_microseconds(span)}"),
    **{
        (sa.Interval, kind): lambda span, times: _rounded(f"{_microseconds(span)} * CAST({times} AS DOUBLE)")
        for kind in (sa.Numeric, sa.Float)
    },
    **{
        (kind, sa.Interval): lambda times, span: _rounded(f"CAST({times} AS DOUBLE) * {_microseconds(span)}")
        for kind in (sa.Numeric, sa.Float)
    },
}

_DIVIDED: dict[tuple[Any, Any], Form] = {
    (sa.Interval, kind): lambda span, parts: _rounded(f"{_microseconds(span)} / CAST({parts} AS DOUBLE)")
    for kind in (sa.Integer, sa.Numeric, sa.Float)
}

_FORMS: dict[Any, dict[tuple[Any, Any], Form]] = {
    operators.add: _ADDED,
    operators.sub: _SUBTRACTED,
    operators.mul: _MULTIPLIED,
    operators.truediv: _DIVIDED,
}


class MomentCompiler(compiler.SQLCompiler):
    """The operators that moments and spans have."""

    def visit_add_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """A moment later, or numbers."""
        return self._arithmetic(binary, operator, **kw)

    def visit_sub_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """A moment earlier, a span between two, or numbers."""
        return self._arithmetic(binary, operator, **kw)

    def visit_mul_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """A span several times, or numbers."""
        return self._arithmetic(binary, operator, **kw)

    def visit_truediv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """A part of a span, or a division with a fraction: integers are divided as floats."""
        affinities = _affinities(binary)
        if affinities in _DIVIDED:
            return self._arithmetic(binary, operator, **kw)
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        has_fraction = set(affinities) & {sa.Numeric, sa.Float}
        return f"{left} / {right}" if has_fraction else f"{left} / CAST({right} AS DOUBLE)"

    def visit_extract(self, extract: Any, **kw: Any) -> str:
        """A field of a moment or a span; the seconds of a span keep their fraction."""
        if extract.field == "epoch" and is_span(extract.expr.type, self.dialect):
            return f"CAST({_microseconds(self.process(extract.expr, **kw))} AS DOUBLE) / 1000000"
        return str(super().visit_extract(extract, **kw))  # type: ignore[no-untyped-call]

    def _arithmetic(self, binary: Any, operator: Any, **kw: Any) -> str:
        for operand in (binary.left, binary.right):
            if operand.type._type_affinity is sa.Interval:
                self._require_span(operand)
        form = _FORMS[operator].get(_affinities(binary))
        if form is None:
            return str(self._generate_generic_binary(binary, compiler.OPERATORS[operator], **kw))
        return form(self.process(binary.left, **kw), self.process(binary.right, **kw))

    def _require_span(self, operand: ColumnElement[Any]) -> None:
        """Refuse moments that stand for spans: the engine would take them for moments."""
        if not is_span(operand.type, self.dialect):
            raise exc.CompileError(
                "an Interval(native=False) is a moment for the server; use Interval() to compute with it"
            )


def _affinities(binary: Any) -> tuple[Any, Any]:
    return binary.left.type._type_affinity, binary.right.type._type_affinity
