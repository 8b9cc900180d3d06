"""What a query means, and how it is written for the engine.

`scopes` (what names stand for), `writing` (one query on its way to the engine: rules that look at its tree and change
its text). Rules of ours: `context_values`, `system_columns`, `output_names`. What the engine gets wrong is repaired in
`repairs`, one file a fault.
"""
