"""What the server remembers between calls.

`session` (one client: its options, transactions, temporary tables), `directory` (all sessions, by token, cookie or
connection), `statement` and `statements` (what runs and what ran), `options` (what SET takes), `control` (statements
about the session itself), `system_tables` (all of it as tables).
"""
