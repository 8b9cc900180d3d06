"""The engine by itself, in this process: what a record is compared with, and what tables hold after a statement."""

from collections.abc import Iterator

import pyarrow as pa
from datafusion import SessionConfig, SessionContext

from tests.engine_corpus.answers import Answer, of_table

_ZONE = {"datafusion.execution.time_zone": "UTC"}
"""The server's; without it the engine has none."""

_PIECES_MAX = 1000


class BareEngine:
    """A context of DataFusion's with the tables of one file."""

    def __init__(self) -> None:
        self._context = _context()

    def answer(self, sql: str) -> Answer:
        """Run a statement."""
        return _answer(self._context, sql)

    def table(self, name: str) -> pa.Table | None:
        """What a table or view holds, if there is one."""
        try:
            return self._context.table(name).to_arrow_table()
        except BaseException as error:  # noqa: BLE001 - a panic of the engine is no Exception
            return _none_unless_asked_to_stop(error)

    def is_determined(self, sql: str, was: Answer, *, ordered: bool) -> bool:
        """Tell whether a query has one answer: the same over the same tables with their rows the other way round."""
        turned = _context()
        for name in self._context.catalog().schema().names():
            rows = self.table(name)
            if rows is not None:
                turned.register_record_batches(name, [list(_turned(rows))])
        return _answer(turned, sql).says_the_same(was, ordered=ordered)


def _context() -> SessionContext:
    return SessionContext(SessionConfig(_ZONE).with_target_partitions(4))


def _turned(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """Pieces of a table from its end to its start, of one row each if it is short."""
    size = 1 + len(rows) // _PIECES_MAX
    for start in range(len(rows) - 1, -1, -size):
        first = max(0, start - size + 1)
        yield from rows.slice(first, start + 1 - first).to_batches()
    if not rows:
        yield pa.RecordBatch.from_pylist([], schema=rows.schema)


def _answer(context: SessionContext, sql: str) -> Answer:
    try:
        return of_table(context.sql(sql).to_arrow_table())
    except BaseException as error:  # noqa: BLE001 - a panic of the engine is no Exception
        _none_unless_asked_to_stop(error)
        return Answer(error=str(error) or type(error).__name__)


def _none_unless_asked_to_stop(error: BaseException) -> None:
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        raise error
