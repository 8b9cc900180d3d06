"""Tables as they are read and written: one live version per key over hot rows and cold batches.

The path of a write: `writes` (rows of a change, checked) -> `resolve` (older versions found, conflict rule applied) ->
`scopes` (ids, one RocksDB batch, publication). The path of a read: `snapshot` (what a reader pins) -> `pruning`
(batches that may match) -> `relation` (hot and cold merged, as DataFusion sees it).
"""
