"""Numbers in sentences."""


def counted_rows(rows: int) -> str:
    """`1 row`, `1,000 rows`."""
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def duration(seconds: float) -> str:
    """`1.5 ms`, `2.00 s`."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
