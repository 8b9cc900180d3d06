"""Scopes as other engines read them: the Delta table in a scope's folder, of the very files that are there.

`columns`, `statistics`, `vectors` and `actions` say what is to be said, `log` and `checkpoint` write it down, and
`publish` does it for a scope.
"""
