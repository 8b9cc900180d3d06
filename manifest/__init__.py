"""What is cold: which batches a scope has, what is known of them, and which of their rows are dead.

`layout` (one function for each kind of file), `entries` and `parts` (the manifest as an immutable value), `codec` (its
bytes), `ranges` (column ranges as Arrow arrays, and which batches a predicate rules out), `predicate` (the few forms
of predicate that can rule out anything), `dead_rows` (deletion vectors and their bytes), `files` (durable publishing
and checksums), `rebuild` (a manifest from the files alone).

The atomic replacement of `manifest.json` is the only commit point of cold data: a file that no manifest names does
not exist.
"""
