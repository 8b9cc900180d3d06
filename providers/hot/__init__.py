"""The hot tier: versions that are not in batches yet.

`record` (a commit's bytes in RocksDB), `view` (the live hot rows of a scope as immutable Arrow chunks with a key
index). The view is a cache of the records; a write reaches RocksDB first.
"""
