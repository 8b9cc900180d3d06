"""DataFusion, and nothing else knows it.

`session` (what a statement may reach and how it is planned), `relations` (a snapshot as a relation), `predicates` (what
an optimized plan says of the rows that it uses), `streaming` (running a plan), `export` (what needs no plan), `errors`
(its failures in our words).
"""
