"""Background work as values: what is to be done, what became of it, and who decides.

`tasks` (a model for each kind of work), `states` (what a job may become), `job` (a task with its state), `upkeep` (what
a scope needs, by what is known of it), `schedule` (what recurs), `queue` (whose turn it is): all of these without I/O.
`board` (every job that is known), `records` (those that outlive the process), `kinds` (what is done for each kind, the
table that a new kind gets a row in), `scheduler` (looks and decides), `jobs` (the threads, and what others ask for).
"""
