"""Tables as they are read and written: one live version per key over hot rows and cold batches.

The path of a write: `rows/offered` (rows of a change, checked) -> `commit/resolve` (older versions found, conflict rule
applied) -> `commit/scope_store` (ids, one RocksDB batch, publication). The path of a read: `snapshot` (what a reader
pins) -> `cold/pruning` (batches that may match) -> `engine/relations` (hot and cold merged, as DataFusion sees it).
"""
