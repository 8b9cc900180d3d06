"""Fixtures of the storage tests, and parts of manifests so small that histories of a few batches have many."""

from collections.abc import Iterator

import pytest

from manifest import parts
from tests.storage_fixtures import db, table

__all__ = ["db", "small_parts", "table"]


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    """A few batches make a part, and hardly any of them may stand in the manifest itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART_NUMBERS", 4)
        patch.setattr(parts, "PENDING_MAX", 3)
        yield
