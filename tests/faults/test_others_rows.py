"""Commands that reached, or counted, rows that are not their user's."""

from collections.abc import Iterator
from itertools import count

import pyarrow as pa
import pytest

from catalog.roles import Role
from flightserver.protocol.commands import IfExists, IfNotExist, StatementIngest, TableDefinitionOptions
from tests.e2e.client import Client, failure
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

USERS = {"ann": "a", "ben": "b"}

ROLES = dict.fromkeys(USERS, Role.SERVICE)
"""Who may flush and compact, and see no row of others all the same."""

DEFINITION = (
    "CREATE USER TABLE public.{t} (\n    id BIGINT,\n    v BIGINT NOT NULL,\n    s TEXT DEFAULT 'd',\n"
    "    PRIMARY KEY (id)\n) WITH (bloom_columns = 's', bloom_fpp = 0.01)"
)
KEPT = "a replacement keeps the"
REPLACE = TableDefinitionOptions(IfNotExist.FAIL, IfExists.REPLACE)
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with two users beside the admin."""
    with ServerProcess(tmp_path_factory.mktemp("others") / "data", users=USERS, roles=ROLES) as process:
        yield process


@pytest.fixture
def ann(server: ServerProcess) -> Iterator[Client]:
    """A user."""
    with server.connect("ann") as connection:
        yield Client(connection)


@pytest.fixture
def ben(server: ServerProcess) -> Iterator[Client]:
    """Another user."""
    with server.connect("ben") as connection:
        yield Client(connection)


@pytest.fixture
def root(server: ServerProcess) -> Iterator[Client]:
    """The admin."""
    with server.connect() as connection:
        yield Client(connection)


@pytest.fixture
def diary(ann: Client, ben: Client) -> str:
    """A USER table with three rows of ann's, one of them cold, and one of ben's."""
    t = f"diary{next(_NUMBERS)}"
    ann.run(DEFINITION.format(t=t))
    ann.run(f"INSERT INTO {t} (id, v) VALUES (1, 1)")
    ann.run(f"FLUSH TABLE {t}")
    ann.run(f"INSERT INTO {t} (id, v) VALUES (2, 2), (3, 3)")
    ben.run(f"INSERT INTO {t} (id, v) VALUES (1, 100)")
    return t


@pytest.mark.parametrize("size", [2, 60_000])
def test_a_replaced_private_table_stays_private(ann: Client, ben: Client, diary: str, size: int) -> None:
    """Kind, key, NOT NULL, defaults and options stay; the own rows are replaced, and nobody else's."""
    assert ann.ingest(diary, pa.table({"id": range(size), "v": range(size)}), mode="replace") == size
    assert ann.rows(f"SHOW CREATE TABLE {diary}") == [(f"public.{diary}", DEFINITION.format(t=diary))]
    assert ann.rows(f"SELECT count(*), min(s), max(v) FROM {diary}") == [(size, "d", size - 1)]
    assert ben.rows(f"SELECT id, v FROM {diary}") == [(1, 100)]
    ben.ingest(diary, pa.table({"id": [2], "v": [200]}), mode="replace")
    assert ben.rows(f"SELECT id, v FROM {diary}") == [(2, 200)]
    assert ann.count(diary) == size


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ({"id": [1], "v": [1], "extra": [1]}, f"{KEPT} columns of public.{{t}}, and there is no 'extra'"),
        ({"id": [1], "v": ["text"]}, "column v of public.{t} has type BIGINT"),
        ({"id": [1]}, "column v of public.{t} is NOT NULL"),
        ({"v": [1]}, "column id of public.{t} is in the key"),
    ],
)
def test_a_replacement_that_does_not_fit_is_refused(
    ann: Client, diary: str, stream: dict[str, list[object]], message: str
) -> None:
    """What does not go into the table as it is replaces nothing."""
    assert message.format(t=diary) in failure(lambda: ann.ingest(diary, pa.table(stream), mode="replace"))
    assert ann.column(f"SELECT id FROM {diary} ORDER BY id") == [1, 2, 3]


def test_a_replacement_asks_for_the_key_that_there_is(server: ServerProcess, ann: Client, diary: str) -> None:
    """The option primary_key may say it again, and nothing else."""
    rows = pa.table({"id": [9], "v": [9]})
    with Wire(server, "ann") as wire:
        with pytest.raises(pa.ArrowInvalid, match=KEPT):
            wire.put(StatementIngest(diary, REPLACE, options={"primary_key": "v"}), rows.schema, rows.to_batches())
        assert ann.count(diary) == 3
        wire.put(StatementIngest(diary, REPLACE, options={"primary_key": "id"}), rows.schema, rows.to_batches())
    assert ann.column(f"SELECT id FROM {diary}") == [9]


def test_a_replacement_by_no_rows_leaves_none(server: ServerProcess, ann: Client, ben: Client, diary: str) -> None:
    """The table stays as it is defined."""
    with Wire(server, "ann") as wire:
        assert wire.put(StatementIngest(diary, REPLACE), pa.schema([("id", pa.int64())]), []) == 0
    assert (ann.count(diary), ben.count(diary)) == (0, 1)
    assert ann.rows(f"SHOW CREATE TABLE {diary}") == [(f"public.{diary}", DEFINITION.format(t=diary))]


def test_storage_commands_count_the_users_own_rows(ann: Client, ben: Client, root: Client, diary: str) -> None:
    """FLUSH and COMPACT of a user are about what the user sees; an admin's are about everybody."""
    assert ben.update(f"FLUSH TABLE {diary}") == 1
    assert ben.update(f"FLUSH TABLE {diary}") == 0
    assert [row[1] for row in ben.rows(f"SHOW MANIFEST FOR {diary}")] == [1]
    assert [row[1] for row in ann.rows(f"SHOW MANIFEST FOR {diary}")] == [1]
    ben.run("FLUSH ALL")
    assert ben.update("FLUSH ALL") == 0
    assert root.update(f"FLUSH TABLE {diary}") == 2
    ben.run(f"INSERT INTO {diary} (id, v) VALUES (2, 200)")
    ben.run(f"FLUSH TABLE {diary}")
    assert ann.update(f"COMPACT TABLE {diary}") == 2
    assert ann.update(f"COMPACT TABLE {diary}") == 0
    assert root.update(f"COMPACT TABLE {diary}") == 2
    assert [client.count(diary) for client in (ann, ben, root)] == [3, 2, 0]


@pytest.mark.parametrize("size", [1, 60_000])
def test_names_of_requests_are_everybodys_own(
    server: ServerProcess, ann: Client, ben: Client, root: Client, size: int
) -> None:
    """Also those for rows that are everybody's: nobody finds out, or uses up, what another has sent."""
    t = f"shared{next(_NUMBERS)}"
    ann.run(f"CREATE TABLE {t} (id BIGINT PRIMARY KEY)")
    root.run(f"GRANT ALL ON {t} TO ben")
    sent = 0
    for user, first in (("ann", 0), ("ben", size)):
        with Wire(server, user) as wire:
            rows = pa.table({"id": range(first, first + size)})
            named = StatementIngest(t, options={"idempotency_key": "load-1"})
            assert [wire.put(named, rows.schema, rows.to_batches()) for _ in range(2)] == [size, size]
        sent += size
        assert root.count(t) == sent
