"""The server: Flight SQL outside, tables inside.

`protocol/` (Flight SQL bytes and values, no I/O), `sql/` (statements from text, no I/O), `execution/` (what statements
do), `settings`, `database` (the composition root of storage), `session`, `transport/` (pyarrow.flight), `cli/`.
"""
