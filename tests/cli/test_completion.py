"""What Tab offers."""

import pytest

from catalog.identifiers import TableName
from flightserver.cli.shell.completion import offers
from flightserver.cli.statements import Names

NAMES = Names(
    {
        TableName("public", "orders"): ["id", "customer", "ordered_at"],
        TableName("public", "Odd one"): ["id"],
        TableName("archive", "old_orders"): ["id", "year"],
    },
    ["archive", "public"],
    "public",
)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("sel", ["select"]),
        ("SEL", ["SELECT"]),
        ("SELECT * FROM o", ["orders", '"Odd one"']),
        ("SELECT * FROM ", ["orders", '"Odd one"', "archive", "public"]),
        ("SELECT * FROM archive.", ["old_orders"]),
        ("SELECT orders.c", ["customer"]),
        ("SELECT * FROM orders AS x WHERE x.c", ["customer"]),
        ("SELECT * FROM orders x JOIN archive.old_orders y ON y.", ["id", "year"]),
        ("SELECT * FROM orders WHERE cust", ["customer"]),
        ("SELECT * FROM archive.old_orders WHERE ye", ["year"]),
        ("USE ar", ["archive"]),
        ("\\d", ["\\d", "\\dn", "\\dt"]),
        ("\\d o", ["orders", '"Odd one"']),
        ("\\dt a", ["archive"]),
        ("SELECT 'o", []),
    ],
)
def test_what_can_follow_is_offered(typed: str, found: list[str]):
    """Keywords in the letters that were begun, tables behind FROM, columns of what is named."""
    whole = f"{typed} FROM orders" if typed.startswith("SELECT orders.") else typed
    assert offers(typed, whole, NAMES) == found
