"""The cold tier as it is read.

`scope_folder` (where a scope's files lie), `files` (opening, checking, caching), `rows` and `decoded` (whole columns,
row group by row group), `locate` (from keys to row positions), `pruning` (which batches a query must read).
"""
