"""The wall clock as text."""

from datetime import UTC, datetime


def timestamp() -> str:
    """Now, in UTC, as manifests and records write it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
