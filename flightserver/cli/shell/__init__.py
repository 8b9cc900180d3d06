"""The SQL shell.

    script, meta         text cut into statements and backslash commands; what the latter do
    shell                runs them, from a script or from a person
    prompt, completion   the line editor, and what Tab offers in it
    formats              how results are written: tables for people, exports for programs

Statements go through the one connection of `flightserver.cli.statements`.
"""
