"""Files of this machine as one stream of record batches of one schema. No file is read as a whole.

    form                    what the command line says of text files
    text                    a file's text as UTF-8, unzipped and in pieces
    delimited, json_lines   text files: their columns, types and rows, and the line of a value that is wrong
    parquet, arrow          files that know their types
    kinds                   which of these a file is, by its name
    source                  several files as one stream

Whatever is wrong with a file is a `CommandError` that names it.
"""
