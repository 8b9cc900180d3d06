"""Arrow Flight SQL bytes <-> frozen Python values, and the Arrow tables that answer metadata commands.

The package is sans-IO: it opens no socket, plans no query and reads no storage. The transport hands it the bytes of a
descriptor, a ticket or an action exactly once; everything above works on the values that come back.

    wire         protobuf parsing and the Any envelope; the only module that handles protobuf failures
    codec        copies between a frozen dataclass and the protobuf message with the same field names
    flight       values of plain Flight: FlightInfo, FlightEndpoint, BasicAuth, the value of a session option
    commands     what travels in FlightDescriptor.cmd and Ticket: `decode_command`, `encode_command`, `encode_ticket`
    actions      what travels in Action.body: `decode_action`, `encode_action`, and which bodies are wrapped
    schemas      the exact result schemas of the metadata commands, and column metadata
    java         the schemas that JDBC's driver has to be told differently
    results      what goes back in Result.body and PutResult.app_metadata: `encode_…_result`
    metadata     the tables for catalogs, schemas, tables and keys, filtered and ordered
    sql_info     the table for GetSqlInfo
    xdbc_types   the table for GetXdbcTypeInfo
    generated    protobuf classes made from `flight.proto` and `flight_sql.proto`

Invariants:
- Bytes that cannot be understood raise `DatabaseError`: INVALID when they are damaged, UNSUPPORTED when they are well
  formed but of a type that this server does not know. No protobuf exception leaves the package.
- "Not given" is None and differs from "given and empty".
- A module imports only modules listed above it, and `generated`.
"""
