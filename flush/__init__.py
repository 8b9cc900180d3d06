"""How rows become batches, and batches become fewer.

`batch_writer` (rows to one Parquet file with its bloom; `parquet_file` has the layout), `row_sources`, `ordered_rows`
(many rows in the order of their keys, in bounded memory), `segment_writer` (rows to a file as they came), `publication`
(deletion files and the next manifest), `change` (a change of cold data as a value, and what publishes it), `hot_flush`
(hot rows to batches), `bulk` (a large stream to segments, as one commit), `compaction` (segments to batches, and
batches to fewer, cleaner ones), `truncate` (no batches at all), `reclaim` (deleting files that nobody can reach),
`jobs` (who does all this, and when), `rebuild` (a lost manifest from the other files).
"""
