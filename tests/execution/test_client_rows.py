"""Results in the types that clients get."""

import pyarrow as pa
import pytest

from flightserver.execution import rows

TEXTS = ["a" * 30, None, "b" * 40, "c" * 50, "d" * 60]


def test_texts_that_do_not_go_into_one_array_come_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow casts views of more than 2 GiB to texts without an error, and to nonsense."""
    monkeypatch.setattr(rows, "MESSAGE_BYTES_MAX", 80)
    monkeypatch.setattr(rows, "_TARGET_BYTES", 40)
    schema = pa.schema([("s", pa.string()), ("n", pa.int64())])
    views = pa.record_batch([pa.array(TEXTS, pa.string_view()), pa.array(range(5))], names=["s", "n"])
    found = list(rows.to_client(iter([views]), schema))
    assert len(found) > 1
    assert pa.Table.from_batches(found, schema).to_pydict() == {"s": TEXTS, "n": [0, 1, 2, 3, 4]}
