"""How rows become durable and visible: one commit path for everything that writes.

`resolve` (older versions found, the conflict rule applied) -> `apply` (the next snapshot, a pure function) ->
`scope_store` (ids, one RocksDB batch, order of publication) -> `visibility` (when readers see it). `transaction` builds
several of these up (`scope_writes`) and carries them out as one, unless another was first (`conflicts`); `work` is the
view of either that execution knows. `definitions` holds a change against the table as it is by then. `recovery` reads a
scope back, `idempotency` answers a request that comes again. `used_names` and `file_names` see to it that no name of a
file comes back.
"""
