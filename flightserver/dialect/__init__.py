"""SQLAlchemy on a flightserver: `create_engine("flightserver://user:password@host:31337/namespace")`.

A client, not part of the server: nothing else here imports it, and it speaks to the server over ADBC like any other
program. `dialect` (connections, transactions), `compiler` (SQL and DDL text), `moments` (arithmetic of moments and
spans), `types` (column types), `values` (values on their way), `reflection` (what is there), `keys` (numbers for keys
that nobody gave), `upsert` (INSERT … ON CONFLICT).
"""
