"""SQLAlchemy on a flightserver: `create_engine("flightserver://user:password@host:31337/namespace")`.

A client, not part of the server: nothing else here imports it, and it speaks to the server over ADBC like any other
program. `dialect` (connections, transactions), `compiler` (SQL and DDL text), `types` (column types and values),
`reflection` (what is there), `keys` (numbers for keys that nobody gave), `upsert` (INSERT … ON CONFLICT).
"""
