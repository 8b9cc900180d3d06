"""Single tests of SQLAlchemy's suite that the server cannot pass and that no requirement covers; temporary tables."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.testing.provision import set_default_schema_on_connection, temp_table_keyword_args

from tests.sqlalchemy.suite.requirements import ASKED, UNSUPPORTED_TESTS


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is listed."""
    name = f"{item.nodeid.split('::')[-2].partition('_flightserver')[0]}.{item.name}"
    for prefix, reason in UNSUPPORTED_TESTS.items():
        if name.startswith(prefix):
            pytest.skip(f"{prefix}: {reason}")


@temp_table_keyword_args.for_db("flightserver")
def _temporary(*_: object) -> dict[str, list[str]]:
    """What makes a table of the suite a temporary one."""
    return {"prefixes": ["TEMPORARY"]}


@set_default_schema_on_connection.for_db("flightserver")
def _use(_: object, connection: Any, namespace: str) -> None:
    """Let names without a namespace mean another one."""
    with connection.cursor() as cursor:
        cursor.execute(f'USE "{namespace}"')


@pytest.fixture(scope="session", autouse=True)
def _asked(record_testsuite_property: Callable[[str, object], None]) -> Iterator[None]:
    """Report which requirements the suite asked for."""
    yield
    record_testsuite_property("asked", " ".join(sorted(ASKED)))
