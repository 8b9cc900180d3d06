"""Whether what is stored is what was written, and what can be done where it is not.

`scopes` looks at the files and records of a scope, `records` at what else RocksDB has, `findings` is what both tell.
`deriving` works out what a lost file held, from what is left; `repair` puts back what is derived, byte for byte, and
leaves out what is lost when somebody asks for that.
"""
