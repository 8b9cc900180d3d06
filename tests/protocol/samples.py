"""One telling value of every command and action, shared by the tests of this folder."""

from flightserver.protocol import actions, commands, flight

INFO = flight.FlightInfo(
    schema=b"\xff\xff",
    flight_descriptor=flight.FlightDescriptor(flight.DescriptorType.CMD, b"cmd", ()),
    endpoint=(
        flight.FlightEndpoint(
            flight.Ticket(b"one"), (flight.Location("grpc://a:1"),), flight.Timestamp(1_700_000_000, 5), b"meta"
        ),
        flight.FlightEndpoint(flight.Ticket(b"")),
    ),
    total_records=-1,
    total_bytes=-1,
    ordered=True,
    app_metadata=b"app",
)

PLAN = commands.SubstraitPlan(b"\x00\x01", "0.12.0")

INGEST = commands.StatementIngest(
    table="flights",
    table_definition_options=commands.TableDefinitionOptions(commands.IfNotExist.CREATE, commands.IfExists.APPEND),
    schema="public",
    catalog="main",
    temporary=True,
    transaction_id=b"tx",
    options={"mode": "upsert"},
)

COMMANDS: tuple[commands.Command, ...] = (
    commands.PlainSql("SELECT 1"),
    commands.StatementQuery("SELECT 1", b"tx"),
    commands.StatementUpdate("DELETE FROM t", b""),
    commands.StatementSubstraitPlan(PLAN, b"tx"),
    commands.PreparedStatementQuery(b"handle"),
    commands.PreparedStatementUpdate(b"handle"),
    commands.TicketStatementQuery(b"handle"),
    INGEST,
    commands.GetSqlInfo((8, 0, 576)),
    commands.GetXdbcTypeInfo(-5),
    commands.GetCatalogs(),
    commands.GetDbSchemas("main", "pub%"),
    commands.GetTables("main", "pub%", "t_", ("TABLE", "VIEW"), True),
    commands.GetTableTypes(),
    commands.GetPrimaryKeys("t", "main", "public"),
    commands.GetExportedKeys("t", "main", "public"),
    commands.GetImportedKeys("t", "main", "public"),
    commands.GetCrossReference("p", "f", "a", "b", "c", "d"),
)

ACTIONS: tuple[actions.Action, ...] = (
    actions.CreatePreparedStatement("SELECT ?", b"tx"),
    actions.CreatePreparedSubstraitPlan(PLAN, b"tx"),
    actions.ClosePreparedStatement(b"handle"),
    actions.BeginTransaction(),
    actions.EndTransaction(b"tx", actions.TransactionEnd.COMMIT),
    actions.BeginSavepoint(b"tx", "before"),
    actions.EndSavepoint(b"sp", actions.SavepointEnd.ROLLBACK),
    actions.CancelQuery(INFO),
    actions.CancelFlightInfo(INFO),
    actions.RenewFlightEndpoint(INFO.endpoint[0]),
    actions.SetSessionOptions({"schema": "public", "on": True, "n": -1, "x": 0.5, "l": ("a", "b"), "gone": None}),
    actions.GetSessionOptions(),
    actions.CloseSession(),
)
