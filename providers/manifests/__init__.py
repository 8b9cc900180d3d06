"""Manifests as they are kept: in memory, in RocksDB, in their files. The files are the truth.

`service` is the one place that loads, publishes, checks and lists them; `cached` is one manifest in memory with what is
known of its file, `sync_state` the table of what may become of it, `records` the bytes in the column family
(docs/formats/manifest-cache.md), `mark` the newest version that a scope has published.
"""
