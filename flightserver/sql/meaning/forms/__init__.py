"""Forms of SQL that the engine has under other words, or not at all, one file a kind: each is written as what it has.

`FORMS` is the list. Unlike `repairs`, these are no faults: the engine refuses them, or means something of its own by
them. What a form means is what it means in PostgreSQL.
"""

from collections.abc import Callable, Mapping

from flightserver.sql.meaning.forms import (
    asked_values,
    betweens,
    date_parts,
    formats,
    hoisted_values,
    interval_texts,
    json_values,
    letters,
    pages,
    patterns,
    quotients,
    rows_of_nothing,
    single_values,
    zones,
)
from flightserver.sql.meaning.writing import Writing

FORMS: Mapping[str, Callable[[Writing], None]] = {
    "hoisted_values": hoisted_values.write,
    "asked_values": asked_values.write,
    "betweens": betweens.write,
    "date_parts": date_parts.write,
    "formats": formats.write,
    "interval_texts": interval_texts.write,
    "json_values": json_values.write,
    "letters": letters.write,
    "pages": pages.write,
    "patterns": patterns.write,
    "quotients": quotients.write,
    "rows_of_nothing": rows_of_nothing.write,
    "single_values": single_values.write,
    "zones": zones.write,
}
