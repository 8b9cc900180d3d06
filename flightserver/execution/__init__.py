"""What statements do.

`reading` (a query planned over pinned snapshots), `rows` (results as clients get them), `dml`, `ingest` and `ddl`
(changes), `show` (tables about tables), `parameters` (types of what a client will bind), `executor` (which statement
goes where).
"""
