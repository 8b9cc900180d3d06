"""What a stream means for its table, in this process."""

from pathlib import Path

import pyarrow as pa
import pytest

from catalog.errors import DatabaseError, ErrorKind
from catalog.roles import Role
from flightserver.access.principal import Principal
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.executor import Executor
from flightserver.protocol.commands import IfExists, IfNotExist, StatementIngest, TableDefinitionOptions
from flightserver.service.table_load import Stream, TableLoad
from flightserver.settings import Settings


def test_a_stream_that_ends_before_its_schema_replaces_nothing(tmp_path: Path) -> None:
    """It was broken off, and does not say that there shall be no rows."""
    database = Database(Settings(data_dir=tmp_path / "data"))
    try:
        executor = Executor(database, {})
        load, context = (
            TableLoad(database, executor.ddl, executor.dml.guard),
            Context(Principal.of("root", Role.SYSTEM), database.autocommit),
        )
        rows = pa.table({"id": [1, 2]})

        def run(mode: IfExists, stream: Stream) -> int:
            return load.run(StatementIngest("t", TableDefinitionOptions(IfNotExist.CREATE, mode)), context, stream)

        run(IfExists.FAIL, Stream(lambda: rows.schema, iter(rows.to_batches()), "root"))
        with pytest.raises(DatabaseError, match="no schema") as caught:
            run(IfExists.REPLACE, Stream(lambda: None, iter([]), "root"))
        assert caught.value.kind is ErrorKind.INVALID
        assert run(IfExists.APPEND, Stream(lambda: None, iter([]), "root")) == 0
        (table,) = database.catalog.registry.tables.values()
        assert database.store.snapshot(table, None).live_count == 2
    finally:
        database.close()
