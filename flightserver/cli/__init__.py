"""The client side of the command line: the SQL shell and the loader, both over ADBC.

    options, errors     what every client command takes, and how it fails: one line, exit code 1
    statements          one connection that runs statements, which Ctrl-C cancels
    formats, values     results as readable tables, CSV or JSON lines
    script, meta, shell scripts, backslash commands and the interactive loop; `sql` is the command
    sources             files as streams of record batches; `load` is the command

Nothing here is imported by the server, and nothing of the server's is imported here except the SQL lexer.
"""
