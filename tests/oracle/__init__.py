"""Random statements, each asked twice: of the server and of DuckDB, whose answers must be the same.

`kinds`, `forms` and `tree` are the language, `generator` and `worlds` write statements and tables in it, `databases`
runs them, `answers` compares, `differences` lists what two right databases may answer differently, `duel` finds where
they differ, and `reduction` makes what was found small. `python -m tests.oracle.run --help` runs it by hand.
"""
