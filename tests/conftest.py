"""Settings of all tests: no test is timed, because machines differ; the JVM's tests run in a process of their own."""

import os

from hypothesis import settings

JDBC_HERE = "JDBC_HERE"
"""Set, this process collects `tests/jdbc`; else `test_jdbc.py` starts one that does."""

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

collect_ignore = [] if os.environ.get(JDBC_HERE) else ["jdbc"]
