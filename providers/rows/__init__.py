"""Rows as values, whatever tier they are in: vectorised, without files.

`offered` (what a client sends, in a table's form), `change` (what a commit takes), `keys` and `hash_index` (which rows
have which keys), `sequence` (`_seq`), `defaults` (values for what was not given).
"""
