"""Arithmetic of moments, days, times and spans: what Python computes is what the server computes."""

import datetime as dt
import decimal
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from flightserver.dialect import types
from flightserver.dialect.upsert import insert

SPAN = dt.timedelta(days=1, hours=2, microseconds=4)
HOUR, WEEK = dt.timedelta(hours=1), dt.timedelta(days=7)
TS, TS2 = dt.datetime(2024, 3, 1, 12), dt.datetime(2024, 2, 29, 11, 0, 0, 500000)
DAY, TIME = dt.date(2024, 3, 1), dt.time(12)
MIDNIGHT = dt.datetime.combine(DAY, dt.time())
TZ = TS.replace(tzinfo=dt.UTC)

METADATA = sa.MetaData()
TABLE = sa.Table(
    "moments",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("ts", sa.DateTime),
    sa.Column("ts2", sa.DateTime),
    sa.Column("tz", sa.DateTime(timezone=True)),
    sa.Column("fine", types.TIMESTAMP(9)),
    sa.Column("day", sa.Date),
    sa.Column("time", sa.Time),
    sa.Column("span", sa.Interval),
    sa.Column("emulated", sa.Interval(native=False)),
    sa.Column("n", sa.Integer),
)
ROW = {
    "id": 1,
    "ts": TS,
    "ts2": TS2,
    "tz": TZ,
    "fine": TS,
    "day": DAY,
    "time": TIME,
    "span": SPAN,
    "emulated": SPAN,
    "n": 2,
}
C = TABLE.c

EXPRESSIONS: list[tuple[str, Callable[[], sa.ColumnElement[Any]], Any]] = [
    ("moment minus span", lambda: C.ts - SPAN, TS - SPAN),
    ("moment plus span", lambda: C.ts + SPAN, TS + SPAN),
    ("span plus moment", lambda: SPAN + C.ts, TS + SPAN),
    ("moment with zone minus span", lambda: C.tz - SPAN, TZ - SPAN),
    ("moment minus column", lambda: C.ts - C.span, TS - SPAN),
    ("column plus moment", lambda: C.span + C.ts, TS + SPAN),
    ("fine moment minus span", lambda: C.fine - SPAN, pd.Timestamp(TS - SPAN)),
    ("day minus span", lambda: C.day - SPAN, MIDNIGHT - SPAN),
    ("day plus span", lambda: C.day + SPAN, MIDNIGHT + SPAN),
    ("span plus day", lambda: SPAN + C.day, MIDNIGHT + SPAN),
    ("day plus days", lambda: C.day + 3, dt.date(2024, 3, 4)),
    ("days plus day", lambda: C.n + C.day, dt.date(2024, 3, 3)),
    ("day minus days", lambda: C.day - 3, dt.date(2024, 2, 27)),
    ("day minus day", lambda: C.day - dt.date(2024, 1, 1), 60),
    ("day plus time", lambda: C.day + C.time, TS),
    ("time plus day", lambda: C.time + C.day, TS),
    ("time plus span", lambda: C.time + HOUR, dt.time(13)),
    ("span plus time", lambda: HOUR + C.time, dt.time(13)),
    ("time minus span", lambda: C.time - HOUR, dt.time(11)),
    ("time minus time", lambda: C.time - dt.time(10, 30), dt.timedelta(minutes=90)),
    ("moment minus moment", lambda: C.ts - C.ts2, TS - TS2),
    ("moment minus parameter", lambda: C.ts - TS2, TS - TS2),
    ("parameter minus moment", lambda: TS - C.ts2, TS - TS2),
    ("day minus moment", lambda: C.day - C.ts2, MIDNIGHT - TS2),
    ("fine moment minus moment", lambda: C.fine - C.ts2, TS - TS2),
    ("a difference is less than a span", lambda: C.ts - C.ts2 < SPAN, True),
    ("a difference equals a span", lambda: C.ts - C.ts2 == TS - TS2, True),
    ("a difference is one of spans", lambda: (C.ts - C.ts2).in_([SPAN, TS - TS2]), True),
    ("a difference is between spans", lambda: (C.ts - C.ts2).between(HOUR, SPAN), True),
    ("a column equals a span", lambda: C.span == SPAN, True),
    ("a column is more than a difference", lambda: C.span > C.ts - C.ts2, True),
    ("span plus span", lambda: C.span + HOUR, SPAN + HOUR),
    ("span minus span", lambda: C.span - HOUR, SPAN - HOUR),
    ("the most", lambda: sa.func.max(C.span), SPAN),
    ("the sum", lambda: sa.func.sum(C.span), SPAN),
    ("the mean of a column", lambda: sa.func.avg(C.span), SPAN),
    ("the mean of differences", lambda: sa.func.avg(C.ts - C.ts2), TS - TS2),
    ("the first that is there", lambda: sa.func.coalesce(C.span, HOUR), SPAN),
    ("an alternative", lambda: sa.case((C.id == 1, C.span), else_=HOUR), SPAN),
    ("now minus a week", lambda: C.ts > sa.func.now() - WEEK, False),
    ("the current moment minus a column", lambda: sa.func.current_timestamp() - C.ts > WEEK, True),
    ("a function of no known type", lambda: sa.func.date_trunc("day", C.ts) - SPAN, MIDNIGHT - SPAN),
    ("the seconds of a difference", lambda: sa.extract("epoch", C.ts - C.ts2), (TS - TS2).total_seconds()),
    ("the days of a span", lambda: sa.extract("day", C.span), 1),
    ("a cast to a number", lambda: sa.cast(C.span, sa.BigInteger), SPAN // dt.timedelta(microseconds=1)),
    ("a moment over a window", lambda: C.ts - sa.func.min(C.ts).over(), dt.timedelta(0)),
]


@pytest.fixture(scope="module")
def filled(engine: sa.Engine) -> Iterator[sa.Engine]:
    """The engine, with a table of one row."""
    METADATA.create_all(engine)
    with engine.begin() as connection:
        connection.execute(TABLE.insert(), ROW)
    yield engine
    METADATA.drop_all(engine)


@pytest.fixture
def connection(filled: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that is rolled back."""
    with filled.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("make", "expected"), [case[1:] for case in EXPRESSIONS], ids=[case[0] for case in EXPRESSIONS]
)
def test_an_expression_is_what_python_computes(
    connection: sa.Connection, make: Callable[[], sa.ColumnElement[Any]], expected: Any
) -> None:
    """With parameters and with literals."""
    statement = sa.select(make())
    assert connection.scalar(statement) == expected
    written_out = str(statement.compile(connection.engine, compile_kwargs={"literal_binds": True}))
    typed = sa.text(written_out.replace(":", "\\:")).columns(sa.column("x", make().type))
    assert connection.scalar(typed) == expected


@pytest.mark.filterwarnings("ignore:.*does not include operator:sqlalchemy.exc.SADeprecationWarning")
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: C.span * 2, SPAN * 2),
        (lambda: 2 * C.span, SPAN * 2),
        (lambda: C.span * 1.5, SPAN * 1.5),
        (lambda: C.span * decimal.Decimal("1.5"), SPAN * 1.5),
        (lambda: C.span * C.n, SPAN * 2),
        (lambda: C.span / 2, SPAN / 2),
        (lambda: (C.ts - C.ts2) / 2.0, (TS - TS2) / 2),
    ],
)
def test_a_span_is_multiplied(
    connection: sa.Connection, make: Callable[[], sa.ColumnElement[Any]], expected: dt.timedelta
) -> None:
    """By whole numbers and others."""
    assert connection.scalar(sa.select(make())) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (C.span + HOUR, SPAN + HOUR),
        (C.ts - C.ts2, TS - TS2),
        (C.fine - C.ts2, TS - TS2),
        (HOUR, HOUR),
        (None, None),
    ],
)
def test_a_span_is_assigned(connection: sa.Connection, value: Any, expected: dt.timedelta | None) -> None:
    """To a column, from what is computed or given."""
    connection.execute(TABLE.update().values(span=value))
    assert connection.scalar(sa.select(C.span)) == expected


def test_a_span_is_upserted(connection: sa.Connection) -> None:
    """As it was offered, or computed with what was there."""
    for change, expected in [(lambda offered: offered, HOUR), (lambda offered: C.span + offered, HOUR + HOUR)]:
        add = insert(TABLE).values(id=1, span=HOUR)
        connection.execute(add.on_conflict_do_update({"span": change(add.excluded.span)}))
        assert connection.scalar(sa.select(C.span)) == expected


def test_spans_pass_through_queries(connection: sa.Connection) -> None:
    """Of columns and of differences alike: sub-queries, common tables, unions, joins, insertions."""
    inner = sa.select(C.span, (C.ts - C.ts2).label("gap")).subquery()
    assert connection.execute(sa.select(inner.c.span, inner.c.gap).where(inner.c.gap < inner.c.span)).all() == [
        (SPAN, TS - TS2)
    ]
    common = sa.select(C.span).cte()
    assert connection.scalar(sa.select(common.c.span - HOUR)) == SPAN - HOUR
    both = sa.union_all(sa.select(C.span), sa.select(C.ts - C.ts2))
    assert sorted(connection.scalars(both)) == [TS - TS2, SPAN]
    other = TABLE.alias()
    assert connection.scalar(sa.select(other.c.span).join(TABLE, other.c.span == C.span)) == SPAN
    connection.execute(TABLE.insert().from_select(["id", "span"], sa.select(C.id + 1, C.span + HOUR)))
    assert connection.scalars(sa.select(C.span).order_by(C.span)).all() == [SPAN, SPAN + HOUR]


def test_old_rows_are_deleted(connection: sa.Connection) -> None:
    """Everything before last week."""
    connection.execute(TABLE.delete().where(C.ts < sa.func.now() - WEEK))
    assert connection.scalar(sa.select(sa.func.count()).select_from(TABLE)) == 0


def test_an_emulated_span_is_a_moment(connection: sa.Connection) -> None:
    """It comes back as it was stored, and nothing is computed with it: the answer would be of 1970."""
    assert connection.scalar(sa.select(C.emulated)) == SPAN
    with pytest.raises(sa.exc.CompileError, match="native=False"):
        connection.execute(sa.select(C.ts - C.emulated))
