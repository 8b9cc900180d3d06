"""Loads a year of flights into a fresh server, flushes, corrects, deletes, asks, and shows what each query read."""

import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
from adbc_driver_flightsql import dbapi

from demo import screen
from demo.nycflights import TABLES, Table, frame
from demo.server import running_server

CHUNK_ROWS = 32_768
MONTHS_PER_STREAM = 2

KEY = "year = 2013 AND month = 7 AND day = 4 AND carrier = 'AA' AND flight = 701 AND origin = 'JFK'"
FLIGHT = f"SELECT count(*) AS times_seen, min(arr_delay) AS arr_delay FROM flights WHERE {KEY}"
TOTAL = "SELECT count(*) AS flights FROM flights"
CORRECTION = "UPDATE flights SET arr_delay = arr_delay - 3 WHERE month = 7 AND day = 4 AND carrier = 'AA'"
REMOVAL = "DELETE FROM flights WHERE dep_time IS NULL AND month = 2 AND day IN (8, 9)"
ANALYSES = {
    "Which airline is late, over the whole year?": """
        SELECT a.name AS airline, count(*) AS flights, avg(f.arr_delay) AS mean_delay_min,
               100.0 * count(*) FILTER (WHERE f.arr_delay > 60) / count(*) AS percent_over_1h
        FROM flights f JOIN airlines a ON a.carrier = f.carrier
        GROUP BY a.name ORDER BY mean_delay_min DESC LIMIT 5""",
    "Does bad sight delay departures? July alone": """
        SELECT f.origin, CASE WHEN w.visib < 5 THEN 'bad' ELSE 'good' END AS sight, count(*) AS flights,
               avg(f.dep_delay) AS mean_delay_min
        FROM flights f JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour
        WHERE f.month = 7 GROUP BY 1, 2 ORDER BY 1, 2""",
    "Where did the biggest planes go around Christmas?": """
        SELECT p.manufacturer, p.model, p.seats, r.name AS destination, count(*) AS flights
        FROM flights f JOIN planes p ON p.tailnum = f.tailnum JOIN airports r ON r.faa = f.dest
        WHERE f.month = 12 AND f.day BETWEEN 22 AND 26 AND p.seats >= 300
        GROUP BY 1, 2, 3, 4 ORDER BY flights DESC, destination, p.model LIMIT 5""",
}
LOOKUP = f"SELECT carrier, flight, origin, dest, dep_delay, arr_delay, tailnum FROM flights WHERE {KEY}"
PLANE = "SELECT month, day, origin, dest FROM flights WHERE tailnum = 'N325AA' ORDER BY month, day"


def main() -> None:
    """Run everything on a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="flightserver-demo-") as folder:
        with running_server(Path(folder) / "data") as uri, dbapi.connect(uri, autocommit=True) as connection:
            screen.say(f"A server listens on {uri}; its data is in a temporary folder.")
            _load(connection)
            _change(connection)
            _analyse(connection)
            _look_up(connection)
        screen.say("\nThe server has stopped cleanly, and its folder is removed.")


def _load(connection: dbapi.Connection) -> None:
    screen.heading("Load: CREATE TABLE, adbc_ingest, FLUSH TABLE")
    for table in TABLES:
        _execute(connection, table.create)
        data = _as_arrow(connection, table)
        if table.name == "flights":
            _ingest_by_months(connection, data)
        else:
            with screen.timed(f"{table.name}: {data.num_rows:,} rows"):
                _ingest(connection, table.name, data)
    with screen.timed("FLUSH TABLE, all five: everything is in Parquet batches now"):
        for table in TABLES:
            _execute(connection, f"FLUSH TABLE {table.name}")


def _as_arrow(connection: dbapi.Connection, table: Table) -> pa.Table:
    """The pandas data in the types of the table that was just made."""
    schema = connection.adbc_get_table_schema(table.name, db_schema_filter="public")
    return pa.Table.from_pandas(frame(table), schema=schema, preserve_index=False)


def _ingest_by_months(connection: dbapi.Connection, flights: pa.Table) -> None:
    """Send flights as they come in over a year, and flush them so, into several batches. Each stream is one commit."""
    months = flights["month"].to_pandas()
    for first in range(1, 13, MONTHS_PER_STREAM):
        part = flights.filter(pa.array(months.between(first, first + MONTHS_PER_STREAM - 1)))
        with screen.timed(f"flights, months {first} and {first + 1}: {part.num_rows:,} rows"):
            _ingest(connection, "flights", part)
        _execute(connection, "FLUSH TABLE flights")
    screen.say(f"flights: {flights.num_rows:,} rows, key (year, month, day, carrier, flight, origin)")


def _ingest(connection: dbapi.Connection, name: str, data: pa.Table) -> None:
    with connection.cursor() as cursor:
        cursor.adbc_ingest(name, data.to_reader(max_chunksize=CHUNK_ROWS), mode="append")


def _change(connection: dbapi.Connection) -> None:
    screen.heading("Correct and delete rows that are in Parquet files")
    before, flights = pd.read_sql(FLIGHT, connection), pd.read_sql(TOTAL, connection)
    for text in (CORRECTION, REMOVAL):
        screen.statement(text)
        changed = 0

        def outcome() -> str:
            return f"{changed} rows"  # noqa: B023 - called before the next round

        with screen.timed(outcome):
            changed = _execute(connection, text)
    with screen.timed("FLUSH TABLE flights"):
        _execute(connection, "FLUSH TABLE flights")
    after, flights_after = pd.read_sql(FLIGHT, connection), pd.read_sql(TOTAL, connection)
    screen.say("One corrected flight, counted by its key before and after: its old version is gone, it is seen once.")
    states = pd.concat([before.join(flights), after.join(flights_after)], ignore_index=True)
    screen.table(states.assign(state=["before", "after"])[["state", "times_seen", "arr_delay", "flights"]])


def _analyse(connection: dbapi.Connection) -> None:
    for question, query in ANALYSES.items():
        screen.heading(f"{question} (pandas.read_sql)")
        _ask(connection, query)


def _look_up(connection: dbapi.Connection) -> None:
    screen.heading("One flight by its key (an ADBC cursor, the statement prepared)")
    screen.statement(LOOKUP)
    with connection.cursor() as cursor, screen.timed("answered"):
        cursor.execute(LOOKUP)
        found = cursor.fetch_arrow_table()
    screen.table(found.to_pandas())
    _show_pruning(connection, LOOKUP)
    screen.heading("All flights of one plane: no range of tail numbers helps, bloom filters do")
    _ask(connection, PLANE)


def _ask(connection: dbapi.Connection, query: str) -> None:
    """Run a query through pandas; show it, its result, how long it took and what it did not have to read."""
    screen.statement(query)
    with screen.timed("answered"):
        result = pd.read_sql(query, connection)
    screen.table(result)
    _show_pruning(connection, query)


def _show_pruning(connection: dbapi.Connection, query: str) -> None:
    plan = pd.read_sql(f"EXPLAIN {query}", connection)
    for line in plan.loc[plan["plan_type"] == "pruning", "plan"]:
        screen.say(f"  pruning  {line}")


def _execute(connection: dbapi.Connection, text: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return int(cursor.rowcount)


if __name__ == "__main__":
    main()
