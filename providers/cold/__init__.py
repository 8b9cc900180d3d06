"""The cold tier as it is read: `files` (opening, checking, caching), `locate` (from keys to row positions)."""
