"""Random histories of statements against plain dicts: what each gives back, what it refuses, and what it leaves.

Three row sets, of a SHARED table and of two users in a USER table, with a key, UNIQUE over one column and over two, and
CHECK, all of which come and go. Everything that changes rows is said in SQL or comes as a stream, alone or in a
transaction, with RETURNING or without; in between tables are flushed, merged and given other types, and the server is
started anew, with caches and memory as small as they may be. `FLIGHTSERVER_MODEL_EXAMPLES` says how many are tried.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from catalog.roles import Role
from flightserver.execution.executor import TREE_DEPTH_MAX
from tests.rights.house import Answer, House, Person

pytestmark = pytest.mark.proof

PEOPLE = {"root": Role.SYSTEM, "ann": Role.USER, "bob": Role.USER}
sys.setrecursionlimit(max(sys.getrecursionlimit(), TREE_DEPTH_MAX))
"""As the server does; histories are not to find that it changes."""

SCOPES = {"shared": "root", "ann": "ann", "bob": "bob"}
COLUMNS = "(k BIGINT PRIMARY KEY, s TEXT UNIQUE, n BIGINT CHECK (n < 90), g BIGINT, UNIQUE (n, g))"
TYPES = {"BIGINT": pa.int64(), "SMALLINT": pa.int16(), "TINYINT": pa.int8(), "TEXT": pa.string()}
SMALL = {"cache_mb": 16, "manifest_cache_mb": 0, "scopes_max": 1, "memory_limit_mb": 64}


class Row(NamedTuple):
    """A row of a table."""

    k: int
    s: str | None
    n: int | None
    g: int | None


Contents = dict[int, Row]
ROW = st.builds(
    Row,
    st.integers(0, 15),
    st.one_of(st.none(), st.sampled_from("abcdefghijklmnopqrst")),
    st.one_of(st.none(), st.integers(0, 20), st.integers(0, 20), st.just(95)),
    st.one_of(st.none(), st.integers(0, 9), st.integers(0, 9), st.just(150)),
)
ROWS = st.lists(ROW, min_size=1, max_size=5)
DISTINCT = st.lists(ROW, min_size=1, max_size=5, unique_by=lambda row: row.k)
SCOPE = st.sampled_from(sorted(SCOPES))


class RefusedError(Exception):
    """A statement that breaks something, in the model."""


class Expected(NamedTuple):
    """What a statement gives back and leaves."""

    returned: list[Row]
    after: Contents


def written(rows: Iterable[Row]) -> str:
    """Rows as VALUES has them."""
    return ", ".join(f"({', '.join('NULL' if value is None else repr(value) for value in row)})" for row in rows)


def new(contents: Contents, rows: Iterable[Row]) -> Contents:
    """Contents with rows whose keys are new, each."""
    after = dict(contents)
    for row in rows:
        if row.k in after:
            raise RefusedError
        after[row.k] = row
    return after


class StatementModel(RuleBasedStateMachine):
    """The server's inside, and what its tables should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="model-"))
        self.committed: dict[str, Contents] = {scope: {} for scope in SCOPES}
        self.inside: dict[str, tuple[Person, Contents]] = {}
        self.type = {"shared": "BIGINT", "private": "BIGINT"}
        self.extra: set[str] = set()

    @initialize(small=st.booleans())
    def create(self, small: bool) -> None:
        """Both tables."""
        self.settings = SMALL if small else {}
        self.open()
        self.people["root"].ok(f"CREATE TABLE shared {COLUMNS}")
        self.people["root"].ok(f"CREATE USER TABLE private {COLUMNS}")

    def open(self) -> None:
        """Serve what is there."""
        self.house = House(self.root / "data", PEOPLE, settings=self.settings)
        self.house.database.start()
        self.people = {name: self.house.person(name) for name in PEOPLE}

    def teardown(self) -> None:
        """Leave no folder behind."""
        if hasattr(self, "house"):
            self.house.close()
        shutil.rmtree(self.root)

    # -- the model

    @staticmethod
    def table(scope: str) -> str:
        """The table of a scope."""
        return "shared" if scope == "shared" else "private"

    def contents(self, scope: str) -> Contents:
        """What the next statement in a scope finds."""
        return self.inside[scope][1] if scope in self.inside else self.committed[scope]

    def kept(self, table: str, offered: Iterable[Row], after: Contents) -> Contents:
        """What is left of offered rows that may be broken, and of contents that may be; RefusedError when they are."""
        limits = {"SMALLINT": 1 << 15, "TINYINT": 1 << 7}
        most = limits.get(self.type[table], 1 << 62)
        for row in [*offered, *after.values()]:
            if (row.g or 0) >= most or (row.n or 0) >= 90 or (row.n == 7 and f"c of {table}" in self.extra):
                raise RefusedError
        if not self.is_unique(table, after):
            raise RefusedError
        return after

    def is_unique(self, table: str, after: Contents) -> bool:
        """Tell whether no value is there twice that may not be."""
        of_each: list[list[object]] = [
            [row.s for row in after.values() if row.s is not None],
            [(row.n, row.g) for row in after.values() if row.n is not None and row.g is not None],
        ]
        if f"u of {table}" in self.extra:
            of_each.append([row.g for row in after.values() if row.g is not None])
        return all(len(set(values)) == len(values) for values in of_each)

    def change(self, scope: str, sql: str, expected: Callable[[], Expected], returning: str = "") -> None:
        """Run a statement, with RETURNING where there is something to return, and hold it against the model."""
        person = self.inside[scope][0] if scope in self.inside else self.people[SCOPES[scope]]
        text = sql.format(t=self.table(scope)) + returning
        self.compare(scope, person.query(text) if returning else person.update(text), expected, text)

    def compare(self, scope: str, answer: Answer, expected: Callable[[], Expected], text: str) -> None:
        """Hold an answer against the model, and go on with what it leaves."""
        before = self.contents(scope)
        try:
            found = expected()
        except RefusedError:
            assert answer.error is not None, f"{text}: {answer}"
            assert answer.error.split(":")[0] in {"INVALID", "ALREADY_EXISTS"}, f"{text}: {answer.error}"
            return
        assert answer.error is None, f"{text}: {answer.error}, upon {before}"
        if answer.rows is not None:
            rows = [self.read(row) for row in answer.rows.to_pylist()]
            assert sorted(rows, key=repr) == sorted(found.returned, key=repr), text
        else:
            assert answer.affected == len(found.returned), text
        if scope in self.inside:
            self.inside[scope] = (self.inside[scope][0], found.after)
        else:
            self.committed[scope] = found.after

    @staticmethod
    def read(row: dict[str, Any]) -> Row:
        """A row as the model has it, whatever type its column has."""
        return Row(row["k"], row["s"], row["n"], None if row["g"] is None else int(row["g"]))

    # -- statements

    @rule(scope=SCOPE, rows=ROWS, returning=st.booleans())
    def insert(self, scope: str, rows: list[Row], returning: bool) -> None:
        """INSERT: all rows, or none."""

        def expected() -> Expected:
            return Expected(rows, self.kept(self.table(scope), rows, new(self.contents(scope), rows)))

        self.change(scope, f"INSERT INTO {{t}} VALUES {written(rows)}", expected, " RETURNING *" if returning else "")

    @rule(scope=SCOPE, rows=ROWS, key_only=st.booleans(), returning=st.booleans())
    def insert_or_nothing(self, scope: str, rows: list[Row], key_only: bool, returning: bool) -> None:
        """ON CONFLICT DO NOTHING, about the key or about everything that is unique."""

        def expected() -> Expected:
            after, taken = dict(self.contents(scope)), []
            for row in rows:
                fits = row.k not in after and (key_only or self.is_unique(self.table(scope), {**after, row.k: row}))
                if fits:
                    after[row.k] = row
                    taken.append(row)
            return Expected(taken, self.kept(self.table(scope), rows, after))

        target = "(k) " if key_only else ""
        sql = f"INSERT INTO {{t}} VALUES {written(rows)} ON CONFLICT {target}DO NOTHING"
        self.change(scope, sql, expected, " RETURNING *" if returning else "")

    @rule(scope=SCOPE, rows=DISTINCT, returning=st.booleans())
    def upsert(self, scope: str, rows: list[Row], returning: bool) -> None:
        """ON CONFLICT DO UPDATE of two columns."""

        def expected() -> Expected:
            before = self.contents(scope)
            stored = [before[row.k]._replace(n=row.n, g=row.g) if row.k in before else row for row in rows]
            after = {**before, **{row.k: row for row in stored}}
            return Expected(stored, self.kept(self.table(scope), rows, after))

        sql = f"INSERT INTO {{t}} VALUES {written(rows)} ON CONFLICT (k) DO UPDATE SET n = excluded.n, g = excluded.g"
        self.change(scope, sql, expected, " RETURNING *" if returning else "")

    @rule(scope=SCOPE, rows=DISTINCT)
    def replace(self, scope: str, rows: list[Row]) -> None:
        """INSERT OR REPLACE."""

        def expected() -> Expected:
            after = {**self.contents(scope), **{row.k: row for row in rows}}
            return Expected(rows, self.kept(self.table(scope), rows, after))

        self.change(scope, f"INSERT OR REPLACE INTO {{t}} VALUES {written(rows)}", expected)

    @rule(scope=SCOPE, rows=DISTINCT)
    def stream(self, scope: str, rows: list[Row]) -> None:
        """An ingest, whose rows take the place of others with their keys."""
        if scope in self.inside:
            return

        def expected() -> Expected:
            after = {**self.contents(scope), **{row.k: row for row in rows}}
            return Expected(rows, self.kept(self.table(scope), rows, after))

        data_type = TYPES[self.type[self.table(scope)]]
        values = [None if row.g is None else str(row.g) if pa.types.is_string(data_type) else row.g for row in rows]
        part = pa.table(
            {
                "k": pa.array([row.k for row in rows], pa.int64()),
                "s": pa.array([row.s for row in rows], pa.string()),
                "n": pa.array([row.n for row in rows], pa.int64()),
                "g": pa.array(values, pa.string() if pa.types.is_string(data_type) else pa.int64()),
            }
        )
        answer = self.people[SCOPES[scope]].ingest(self.table(scope), part)
        self.compare(scope, answer, expected, f"a stream of {rows}")

    @rule(scope=SCOPE, low=st.integers(0, 15), step=st.integers(1, 7), returning=st.booleans())
    def update(self, scope: str, low: int, step: int, returning: bool) -> None:
        """UPDATE: rows may exchange values that are unique."""

        def expected() -> Expected:
            before = self.contents(scope)
            changed = [
                row._replace(n=None if row.n is None else (row.n * step + 1) % 23)
                for row in before.values()
                if row.k >= low
            ]
            after = {**before, **{row.k: row for row in changed}}
            return Expected(changed, self.kept(self.table(scope), changed, after))

        sql = f"UPDATE {{t}} SET n = (n * {step} + 1) % 23 WHERE k >= {low}"
        self.change(scope, sql, expected, " RETURNING *" if returning else "")

    @rule(scope=SCOPE, keys=st.sets(st.integers(0, 15), min_size=1, max_size=4), returning=st.booleans())
    def delete(self, scope: str, keys: set[int], returning: bool) -> None:
        """DELETE gives back what was there."""

        def expected() -> Expected:
            before = self.contents(scope)
            gone = [row for row in before.values() if row.k in keys]
            return Expected(gone, {key: row for key, row in before.items() if key not in keys})

        sql = f"DELETE FROM {{t}} WHERE k IN ({', '.join(map(str, sorted(keys)))})"
        self.change(scope, sql, expected, " RETURNING *" if returning else "")

    @rule(scope=SCOPE, rows=DISTINCT, returning=st.booleans())
    def merge(self, scope: str, rows: list[Row], returning: bool) -> None:
        """MERGE: some rows go, some change, some come, and nothing becomes of the rest."""

        def expected() -> Expected:
            before = self.contents(scope)
            after, stored, offered = dict(before), [], []
            for row in rows:
                there = before.get(row.k)
                if there is not None and row.n is not None and row.n < 6:
                    stored.append(after.pop(row.k))
                elif there is not None or row.s is not None:
                    after[row.k] = row
                    stored.append(row)
                    offered.append(row)
            return Expected(stored, self.kept(self.table(scope), offered, after))

        sql = (
            f"MERGE INTO {{t}} AS t USING (VALUES (0, '', 0, 0), {written(rows)}) AS o(k, s, n, g)"
            " ON t.k = o.k AND o.s IS DISTINCT FROM ''"
            " WHEN MATCHED AND o.n < 6 THEN DELETE WHEN MATCHED THEN UPDATE SET s = o.s, n = o.n, g = o.g"
            " WHEN NOT MATCHED AND o.s <> '' THEN INSERT VALUES (o.k, o.s, o.n, o.g)"
        )
        self.change(scope, sql, expected, " RETURNING t.k, t.s, t.n, t.g" if returning else "")

    # -- transactions

    @precondition(lambda self: hasattr(self, "house"))
    @rule(scope=SCOPE)
    def begin(self, scope: str) -> None:
        """From now on, what is done in a scope is done inside; others do not see it."""
        if scope not in self.inside:
            person = self.house.person(SCOPES[scope])
            person.ok("BEGIN")
            person.ok(f"SELECT count(*) FROM {self.table(scope)}")
            self.inside[scope] = (person, dict(self.committed[scope]))

    @precondition(lambda self: self.inside)
    @rule(commits=st.booleans(), data=st.data())
    def end(self, commits: bool, data: st.DataObject) -> None:
        """All of it becomes visible, or it never was."""
        scope = data.draw(st.sampled_from(sorted(self.inside)))
        person, contents = self.inside.pop(scope)
        person.ok("COMMIT" if commits else "ROLLBACK")
        if commits:
            self.committed[scope] = contents

    # -- definitions, and what else happens to a table

    @precondition(lambda self: not self.inside)
    @rule(data_type=st.sampled_from(sorted(TYPES)))
    def set_type(self, data_type: str) -> None:
        """ALTER COLUMN TYPE: every value fits, or nothing happens."""
        answer = self.people["root"].update(f"ALTER TABLE shared ALTER g TYPE {data_type}")
        before, self.type["shared"] = self.type["shared"], data_type
        try:
            self.kept("shared", [], self.committed["shared"])
        except RefusedError:
            assert answer.error is not None
            assert answer.error.startswith("INVALID")
            self.type["shared"] = before
        else:
            assert answer.error is None, answer.error

    @precondition(lambda self: not self.inside)
    @rule(table=st.sampled_from(["shared", "private"]), name=st.sampled_from(["c", "u"]))
    def set_constraint(self, table: str, name: str) -> None:
        """ADD CONSTRAINT, if everybody's rows satisfy it, and DROP."""
        wanted = f"{name} of {table}"
        if wanted in self.extra:
            self.people["root"].ok(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            self.extra.remove(wanted)
            return
        what = "CHECK (n <> 7)" if name == "c" else "UNIQUE (g)"
        answer = self.people["root"].update(f"ALTER TABLE {table} ADD CONSTRAINT {name} {what}")
        self.extra.add(wanted)
        try:
            for scope in (scope for scope in SCOPES if self.table(scope) == table):
                self.kept(table, [], self.committed[scope])
        except RefusedError:
            assert answer.error is not None
            self.extra.remove(wanted)
        else:
            assert answer.error is None, answer.error

    @precondition(lambda self: hasattr(self, "house"))
    @rule(table=st.sampled_from(["shared", "private"]), kind=st.sampled_from(["FLUSH", "FLUSH", "COMPACT"]))
    def tidy(self, table: str, kind: str) -> None:
        """Rows go to files, or files are merged."""
        self.people["root"].ok(f"{kind} TABLE {table}")

    @precondition(lambda self: hasattr(self, "house"))
    @rule(small=st.booleans())
    def restart(self, small: bool) -> None:
        """Everything comes from disk again, perhaps into less memory; transactions are gone."""
        self.inside.clear()
        self.people.clear()
        self.house.close()
        self.settings = SMALL if small else {}
        self.open()

    # -- what always holds

    @invariant()
    def holds(self) -> None:
        """Every row set is that of the model, for everybody, and for who is inside."""
        if not hasattr(self, "house"):
            return
        for scope, who in SCOPES.items():
            self.look(self.people[who], self.table(scope), self.committed[scope])
            if scope in self.inside:
                self.look(self.inside[scope][0], self.table(scope), self.inside[scope][1])

    def look(self, person: Person, table: str, contents: Contents) -> None:
        """All rows, their number, and one by what it has that is unique."""
        rows = [self.read(row) for row in person.ok(f"SELECT k, s, n, g FROM {table} ORDER BY k")]
        assert rows == [contents[key] for key in sorted(contents)]
        assert person.tuples(f"SELECT count(*), count(DISTINCT s) FROM {table} WHERE s IS NOT NULL") == [
            (sum(row.s is not None for row in rows),) * 2
        ]


TestStatementModel = StatementModel.TestCase
TestStatementModel.settings = settings(
    max_examples=int(os.environ.get("FLIGHTSERVER_MODEL_EXAMPLES", "8")),
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
