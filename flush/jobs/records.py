"""Jobs that outlive the process: what was asked for or scheduled, and what failed (docs/formats/job.md).

What the server decides by itself it would decide again, so that a record of each flush would be a write for nothing. A
record is durable before its job is begun, so that a job whose server ended is known to have been begun.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from catalog import checksummed
from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from flush.jobs.job import Job, Origin
from flush.jobs.states import JobState
from flush.jobs.tasks import Task

log = logging.getLogger(__name__)

NUMBERS_AT_ONCE = 1_000
_NEXT_NUMBER = b"next_job"
_NUMBER_BYTES = 8
_END = b"\xff" * (_NUMBER_BYTES + 1)

MakeTask = Callable[[str, dict[str, object]], Task]


class JobRecords:
    """The records, and the numbers of jobs. Any thread may use it."""

    def __init__(self, keyvalue: KeyValueStore, make_task: MakeTask, history_max: int) -> None:
        self._keyvalue = keyvalue
        self._make_task = make_task
        self._history_max = history_max
        self._lock = threading.Lock()
        self._ended: deque[int] = deque()
        """Numbers of the jobs on record that have ended, oldest first."""
        stored = keyvalue.get(Family.META, _NEXT_NUMBER)
        self._next = self._reserved = int(stored) if stored else 1

    def next_number(self) -> int:
        """A number that no job has or had of which there is a record."""
        with self._lock:
            if self._next == self._reserved:
                batch = AtomicWrite()
                batch.put(Family.META, _NEXT_NUMBER, str(self._reserved + NUMBERS_AT_ONCE).encode())
                self._keyvalue.append(batch)
                self._reserved += NUMBERS_AT_ONCE
            number, self._next = self._next, self._next + 1
            return number

    def load(self) -> list[Job]:
        """All jobs on record, by their numbers; what cannot be read is told in the log and left where it is."""
        found = []
        try:
            for key, value in self._keyvalue.scan(Family.JOBS, b"", _END):
                try:
                    found.append(self._decode(key, value))
                except DatabaseError as error:
                    log.warning("a record of a job is left as it is: %s", error.message)
        except DatabaseError as error:
            log.warning("not all records of jobs can be read: %s", error.message)
        self._ended.extend(job.number for job in found if job.state.is_final)
        return found

    def put(self, job: Job, *, instead_of: int | None = None, durable: bool = True) -> None:
        """Write a job down, in the place of an older one perhaps; the oldest that have ended make room for it."""
        batch = AtomicWrite()
        batch.put(Family.JOBS, _key(job.number), encode_job(job))
        with self._lock:
            gone = [] if instead_of is None else [instead_of]
            with suppress(ValueError):
                self._ended.remove(instead_of or 0)
            if job.state.is_final:
                self._ended.append(job.number)
                gone += [self._ended.popleft() for _ in range(len(self._ended) - self._history_max)]
            for number in gone:
                batch.delete(Family.JOBS, _key(number))
        ticket = self._keyvalue.append(batch)
        if durable:
            self._keyvalue.wait_durable(ticket)

    def _decode(self, key: bytes, value: bytes) -> Job:
        raw = checksummed.decode(value, f"job {int.from_bytes(key, 'big')}")
        try:
            return _from_json(raw, self._make_task)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatabaseError(ErrorKind.CORRUPT, f"job {int.from_bytes(key, 'big')} is damaged") from error


def encode_job(job: Job) -> bytes:
    """A job as its record has it."""
    return checksummed.encode(
        {
            "number": job.number,
            "kind": job.task.kind,
            "parameters": job.task.parameters,
            "origin": job.origin.value,
            "asked_by": job.asked_by,
            "state": job.state.value,
            "attempt": job.attempt,
            "failures": job.failures,
            "created_at": job.created_at.isoformat(),
            "started_at": _moment(job.started_at),
            "finished_at": _moment(job.finished_at),
            "rows": job.rows,
            "bytes": job.bytes,
            "rows_total": job.rows_total,
            "message": job.message,
        }
    )


def _from_json(raw: dict[str, Any], make_task: MakeTask) -> Job:
    return Job(
        number=int(raw["number"]),
        task=make_task(raw["kind"], raw["parameters"]),
        origin=Origin(raw["origin"]),
        created_at=datetime.fromisoformat(raw["created_at"]),
        asked_by=str(raw["asked_by"]),
        state=JobState(raw["state"]),
        attempt=int(raw["attempt"]),
        failures=int(raw["failures"]),
        started_at=_read_moment(raw["started_at"]),
        finished_at=_read_moment(raw["finished_at"]),
        rows=int(raw["rows"]),
        bytes=int(raw["bytes"]),
        rows_total=raw["rows_total"],
        message=raw["message"],
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _read_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _key(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big")
