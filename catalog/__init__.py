"""Definitions: what a table is, not what is in it.

`errors` (kinds of failure), `types` (SQL type names and Arrow types), `plain` (values without Arrow's encodings),
`identifiers` (names and quoting),
`definition` (tables, columns, scopes), `evolution` (ALTER TABLE as a pure function), `registry` (all definitions as
one immutable value), `keyvalue` (RocksDB: durable batches and checked scans), `store` (the registry, made durable).
"""
