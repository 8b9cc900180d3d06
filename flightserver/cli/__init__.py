"""The client side of the command line: the SQL shell and the loader, both over ADBC.

    sql, load, rebuild        the commands
    options, errors           what every client command takes, and how it fails: one line, exit code 1
    statements                one connection that runs statements, which Ctrl-C cancels
    shell/                    scripts, backslash commands, the line editor, how results are written
    files/                    files as one stream of record batches
    values/                   values as text, and text as values: every type comes back as it went
    counts, names, printable  small words for people

Nothing here is imported by the server, and of the server's nothing is imported here except the SQL lexer; `rebuild`,
which works on a stopped server's files, is the exception.
"""
