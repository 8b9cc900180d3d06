"""What a scope's Delta table shows, as its log says: which files, by which manifest version, and what it let go lately.

A value, made by reading the log or by adding to it. Files that were let go stay for those who opened an older version.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile


@dataclass(frozen=True)
class Vector:
    """A deletion vector of the log: the name of its file by a UUID, and where in it the bitmap is.

    `digest` tells the rows; it is empty where somebody else has written it, or it was let go.
    """

    id: str
    offset: int
    bytes: int
    cardinality: int
    digest: str = ""

    @property
    def path(self) -> str:
        """Its file in the scope's folder."""
        return f"deletion_vector_{self.id}.bin"


@dataclass(frozen=True)
class PublishedFile:
    """A batch as the log names it. `stats` is the log's text."""

    path: str
    bytes: int
    written_ms: int
    stats: str
    vector: Vector | None = None

    @property
    def live_rows(self) -> int | None:
        """Its rows without the dead ones; None when nobody says."""
        rows = json.loads(self.stats).get("numRecords") if self.stats else None
        return None if rows is None else int(rows) - (0 if self.vector is None else self.vector.cardinality)

    @property
    def names(self) -> tuple[str, ...]:
        """The files that a reader of it needs."""
        return (self.path,) if self.vector is None else (self.path, self.vector.path)


@dataclass(frozen=True)
class LetGo:
    """A batch that the log named until some time, in milliseconds since 1970."""

    file: PublishedFile
    at_ms: int

    @classmethod
    def of(cls, file: PublishedFile, at_ms: int) -> "LetGo":
        """A file that is let go; nobody needs to know what was in it."""
        vector = None if file.vector is None else replace(file.vector, digest="")
        return cls(replace(file, written_ms=0, stats="", vector=vector), at_ms)


@dataclass(frozen=True)
class Published:
    """A Delta table at a version; `version` -1 is none yet.

    `manifest` is the version of the manifest that it shows, `definition` that of the table's definition. `metadata` and
    `protocol` are as the log has them, empty before the first version. `let_go` is what left, the oldest first.
    """

    version: int = -1
    manifest: int = -1
    definition: int = -1
    at_ms: int = 0
    metadata: str = ""
    protocol: str = ""
    files: Mapping[str, PublishedFile] = field(default_factory=dict)
    let_go: tuple[LetGo, ...] = ()
    checkpoint: int = -1

    @cached_property
    def rows(self) -> int | None:
        """How many rows it shows; None when somebody else's file does not say."""
        counts = [file.live_rows for file in self.files.values()]
        return None if None in counts else sum(filter(None, counts))

    def held(self, since_ms: int) -> frozenset[str]:
        """The files that it names, and those that it named at some moment since then."""
        late = (name for one in self.let_go if one.at_ms >= since_ms for name in one.file.names)
        return frozenset(name for file in self.files.values() for name in file.names).union(late)

    def expired(self, since_ms: int) -> tuple[frozenset[str], "Published"]:
        """The deletion vectors that nobody was promised any more, and what is left when they are gone."""
        gone = tuple(takewhile(lambda one: one.at_ms < since_ms, self.let_go))
        if not gone:
            return frozenset(), self
        left = replace(self, let_go=self.let_go[len(gone) :])
        vectors = {one.file.vector.path for one in gone if one.file.vector is not None}
        return frozenset(vectors - left.held(since_ms)), left
