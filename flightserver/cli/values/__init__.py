"""Values as text, and text as values: the one form in which the shell writes every type and the loader reads it.

    moments    dates, times, timestamps and spans of time, also where Arrow's own text is wrong or missing
    written    columns as text and as JSON
    parsed     text and JSON as columns of a type
    guessed    the type that text seems to have

What `written` makes of a storable type `parsed` reads back as the same values. Everything works on a column at a time
and touches no file.
"""
