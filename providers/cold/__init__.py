"""The cold tier as it is read: `files` (opening, checking and caching batch files), `locate` (keys to row positions)."""
