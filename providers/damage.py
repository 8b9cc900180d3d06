"""What is damaged: found where it is read, named by its table, told in the log once, and listed until it is whole.

What can be written anew byte for byte is, by a job that is decided on when damage is noted (`flush.checking`).

A damaged thing fails by its name, and nothing else does. So damage is a value: whose rows, which part of them, what is
wrong, and what to do about it. `named` turns whatever reading a part may raise into a `DamagedError`; `Damages` is what
a server knows of. Neither says where a file lies.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, unique

import pyarrow as pa

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName

log = logging.getLogger(__name__)

_PUT_BACK = "put it back from a copy of the data folder"
_REBUILD = "stop the server and run `flightserver rebuild {}`"
_REBUILD_NOW = "run REBUILD MANIFEST FOR {}, or "
_BY_ITSELF = "rows are found without it, and it is written anew by itself"


@unique
class DamagedPart(Enum):
    """What of a scope may be damaged; the value names it."""

    MANIFEST = "the manifest"
    DELETIONS = "the deletion file of batch {}"
    HOT_ROWS = "a record of hot rows"
    RECORDS = "a record"
    BLOOM = "the bloom filter of batch {}"
    BATCH = "batch {}"

    @property
    def stops_statements(self) -> bool:
        """Tell whether statements fail by it; without a bloom filter, rows are found all the same."""
        return self is not DamagedPart.BLOOM

    @property
    def stops_loading(self) -> bool:
        """Tell whether nothing of its scope can be read without it."""
        return self not in {DamagedPart.BLOOM, DamagedPart.BATCH}

    @property
    def may_be_derived(self) -> bool:
        """Tell whether what is left may tell what was in it."""
        return self in {DamagedPart.MANIFEST, DamagedPart.DELETIONS, DamagedPart.BLOOM}


@dataclass(frozen=True)
class Damage:
    """A part of a scope that cannot be read, and why not; files of batches have their batch's number."""

    table: TableName
    scope: Scope
    part: DamagedPart
    how: str
    batch: int | None = None

    def __str__(self) -> str:
        whose = f"table {self.table}" if self.scope.user is None else f"user {self.scope.user} in table {self.table}"
        return f"{self.what} of {whose} is damaged: {self.how}; {self.advice}"

    @property
    def what(self) -> str:
        """What of the scope it is."""
        return self.part.value.format(self.batch)

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.part is DamagedPart.BLOOM:
            return _BY_ITSELF
        if self.part is not DamagedPart.MANIFEST:
            return _PUT_BACK
        user = "" if self.scope.user is None else f" --user {self.scope.user}"
        return _REBUILD_NOW.format(self.table) + _REBUILD.format(f"{self.table}{user}")


class DamagedError(DatabaseError):
    """CORRUPT, with what is damaged."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(ErrorKind.CORRUPT, str(damage))
        self.damage = damage


@contextmanager
def named(table: TableDef, scope: Scope, part: DamagedPart, batch: int | None = None) -> Iterator[None]:
    """Raise DamagedError for what cannot be read inside. Want of memory is no damage; other failures pass."""
    try:
        yield
    except (DamagedError, MemoryError):
        raise
    except DatabaseError as error:
        if error.kind is not ErrorKind.CORRUPT:
            raise
        raise DamagedError(Damage(table.name, scope, part, error.message, batch)) from error
    except (OSError, pa.ArrowException, ValueError, LookupError, TypeError) as error:
        raise DamagedError(Damage(table.name, scope, part, "it cannot be read", batch)) from error


class Damages:
    """The damage that a server knows of. Safe for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Scope, DamagedPart, int | None], Damage] = {}
        self._to_repair: set[Scope] = set()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is met inside; it is raised all the same."""
        try:
            yield
        except DamagedError as error:
            self.note(error.damage)
            raise

    def note(self, damage: Damage) -> None:
        """Take damage in, and tell the log when it is new."""
        key = (damage.scope, damage.part, damage.batch)
        with self._lock:
            is_new = self._known.get(key) != damage
            self._known[key] = damage
            if is_new and damage.part.may_be_derived:
                self._to_repair.add(damage.scope)
        if is_new:
            log.error("%s", damage)

    def wish_repair(self, scope: Scope) -> None:
        """Something of a scope that may be derived is damaged, by which nothing fails yet."""
        with self._lock:
            self._to_repair.add(scope)

    def take_repairs(self) -> list[Scope]:
        """The scopes of which something may be written anew, each once."""
        if not self._to_repair:
            return []
        with self._lock:
            taken, self._to_repair = list(self._to_repair), set()
            return taken

    def forget(self, damage: Damage) -> None:
        """Leave out what is whole again, or gone."""
        with self._lock:
            self._known.pop((damage.scope, damage.part, damage.batch), None)

    def note_loaded(self, scope: Scope) -> None:
        """Leave out what would have kept a scope from being loaded."""
        for damage in self.of_scope(scope):
            if damage.part.stops_loading:
                self.forget(damage)

    def of_table(self, table_id: int) -> list[Damage]:
        """What is known of a table's scopes."""
        with self._lock:
            return [damage for damage in self._known.values() if damage.scope.table_id == table_id]

    def of_scope(self, scope: Scope) -> list[Damage]:
        """What is known of one scope."""
        return [damage for damage in self.of_table(scope.table_id) if damage.scope == scope]

    def batches(self, scope: Scope) -> set[int]:
        """The batches of a scope whose rows are damaged."""
        return {
            damage.batch
            for damage in self.of_scope(scope)
            if damage.part is DamagedPart.BATCH and damage.batch is not None
        }
