"""One file, asked of the bare engine and of the server in each state of storage: what came of each record."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from pathlib import Path

from tests.e2e.client import Client
from tests.engine_corpus.answers import Answer
from tests.engine_corpus.bare import BareEngine
from tests.engine_corpus.corpus import Record, read
from tests.engine_corpus.tiers import Served, Tier, changed_table
from tests.faults.replay import is_ordered
from tests.server_process import ServerProcess

_SETTING = re.compile(
    r"\s*(SET|RESET)\s+(datafusion\.(?:sql_parser|execution\.time_zone|catalog)[\w.]*|time\s*zone)"
    r"\s*(?:=|TO\b)?\s*['\"]?([^'\";]*)",
    re.IGNORECASE,
)
"""What changes what a text means: the server has no such settings."""

_ZONE = "datafusion.execution.time_zone"
_AS_THE_SERVER = {
    _ZONE: {"utc", "+00", "+00:00"},
    "datafusion.catalog.default_schema": {"public"},
    "datafusion.sql_parser.default_null_ordering": {"nulls_max"},
    "datafusion.sql_parser.dialect": {"generic"},
    "datafusion.sql_parser.enable_ident_normalization": {"true"},
    "datafusion.sql_parser.parse_float_as_decimal": {"false"},
    "datafusion.sql_parser.support_varchar_with_length": {"true"},
}
"""Values under which texts mean what they mean to the server."""

_OF_NO_MEANING = {"datafusion.catalog.information_schema", "datafusion.sql_parser.map_string_types_to_utf8view"}
"""What says which relations there are, or which of two types carries a text."""

_OF_THE_ENGINE = re.compile(
    r"(?:\s|--[^\n]*\n)*(?:EXPLAIN|COPY|SET|RESET|SHOW|DESCRIBE|DESC|PREPARE|EXECUTE|DEALLOCATE"
    r"|(?:CREATE|DROP)\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|(?:UNBOUNDED\s+)?EXTERNAL|SCHEMA|DATABASE))\b",
    re.IGNORECASE,
)
"""Statements about plans, files, settings and other things that the server has in its own form, or not at all."""

_QUERY = re.compile(r"(?:\s|--[^\n]*\n)*(?:SELECT|WITH|VALUES|TABLE|\()", re.IGNORECASE)

NOT_ASKED = "not asked"


class Verdict(Enum):
    """What came of a record in one state of storage."""

    SAME = "the same rows, or an error as it must be"
    MORE = "answered, where the engine fails"
    NOT_ASKED = "not asked: the engine by itself cannot do it here, or under settings of its own"
    NOT_DETERMINED = "the engine itself answers otherwise when rows come in another order"
    REFUSED = "refused, where the engine answers"
    OTHERWISE = "answered otherwise"


@dataclass(frozen=True)
class Outcome:
    """A record and what came of it."""

    file: str
    record: Record
    tier: Tier
    verdict: Verdict
    ours: Answer
    theirs: Answer

    def __str__(self) -> str:
        ours, theirs = self.ours.error or self.ours.rows[:6], self.theirs.error or self.theirs.rows[:6]
        place = f"{self.file} {self.record.number}, {self.tier.value}"
        return f"{place}: {self.record.sql}\n  server {ours}\n  engine {theirs}"


def replayed(process: ServerProcess, file: Path, tiers: Iterable[Tier] = Tier) -> Iterator[Outcome]:
    """What comes of each record of a file, in each state of storage."""
    with ExitStack() as stack:
        served = {tier: _served(process, stack, file, tier) for tier in tiers}
        yield from _File(file.name, BareEngine(), served).outcomes(read(file))


def _served(process: ServerProcess, stack: ExitStack, file: Path, tier: Tier) -> Served:
    served = Served(Client(stack.enter_context(process.connect())), tier, f"{file.stem}_{tier.value}")
    stack.callback(served.end)
    return served


def _asks(record: Record) -> bool:
    """Tell whether a record asks for rows, and not for how many it changes."""
    if changed_table(record.sql) or is_of_the_engine(record.sql):
        return False
    return record.asks or _QUERY.match(record.sql) is not None


def is_of_the_engine(sql: str) -> bool:
    """Tell whether a statement is the engine's own."""
    return _OF_THE_ENGINE.match(sql) is not None


class _File:
    def __init__(self, name: str, bare: BareEngine, served: dict[Tier, Served]) -> None:
        self._name = name
        self._bare = bare
        self._served = served
        self._settings: set[str] = set()

    def outcomes(self, records: Sequence[Record]) -> Iterator[Outcome]:
        for asks, run in groupby(records, _asks):
            members = list(run)
            for at, record in enumerate(members):
                yield from self._queried(record) if asks else self._changed(record)
                if not asks:
                    self._settle(at, len(members))

    def _settle(self, at: int, count: int) -> None:
        for served in self._served.values():
            if at in (count // 2 - 1, count - 1):
                served.settle(at_end=at == count - 1)

    def _queried(self, record: Record) -> Iterator[Outcome]:
        theirs = self._bare.answer(record.sql)
        for tier, served in self._served.items():
            ours = served.rows(record.sql)
            yield Outcome(self._name, record, tier, self._verdict(record, ours, theirs), ours, theirs)

    def _changed(self, record: Record) -> Iterator[Outcome]:
        theirs = self._bare.answer(record.sql)
        self._note_setting(record.sql)
        for tier, served in self._served.items():
            ours = Answer(error=NOT_ASKED) if is_of_the_engine(record.sql) else served.changed(record.sql)
            if not theirs.error:
                served.make_up(record.sql, ours, self._bare)
            yield Outcome(self._name, record, tier, self._verdict(record, ours, theirs), ours, theirs)

    def _verdict(self, record: Record, ours: Answer, theirs: Answer) -> Verdict:
        if self._settings or is_of_the_engine(record.sql) or (ours.error and theirs.error and not record.fails):
            return Verdict.NOT_ASKED
        if theirs.error and not ours.error:
            return Verdict.MORE
        ordered = is_ordered(record.sql.upper())
        if ours.says_the_same(theirs, ordered=ordered):
            return Verdict.SAME
        if ours.error:
            return Verdict.REFUSED
        takes_any = "LIMIT" in record.sql.upper() and not ordered
        if takes_any or not self._bare.is_determined(record.sql, theirs, ordered=ordered):
            return Verdict.NOT_DETERMINED
        return Verdict.OTHERWISE

    def _note_setting(self, sql: str) -> None:
        found = _SETTING.match(sql)
        if found is None:
            return
        name, value = "".join(found[2].lower().split()), found[3].strip().lower()
        name = _ZONE if name == "timezone" else name
        is_its_own = name in _OF_NO_MEANING or value in _AS_THE_SERVER.get(name, ())
        if found[1].upper() == "SET" and not is_its_own:
            self._settings.add(name)
        else:
            self._settings.discard(name)
