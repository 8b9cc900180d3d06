"""How rows become batches, and batches become fewer.

`batch_writer` (rows to one Parquet file with its bloom), `publication` (deletion files and the next manifest),
`hot_flush` (hot rows to batches), `bulk` (a large stream straight to batches), `compaction` (batches to fewer, cleaner
ones), `truncate` (no batches at all), `reclaim` (deleting files that nobody can reach), `worker` (the background
thread), `rebuild` (a lost manifest from the other files).
"""
