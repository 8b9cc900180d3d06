"""Results for programs: CSV and JSON lines. `flightserver load` reads both back as they were."""

import json
import sys
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightserver.cli.names import distinct
from flightserver.cli.shell.formats import Written
from flightserver.cli.values.written import is_bare, json_values, texts


class CsvWriter:
    """CSV with a header. NULL is nothing at all; text is quoted, so that an empty text is not NULL."""

    def write(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Written:
        """Write a result."""
        sys.stdout.flush()
        header = [_quoted(pa.array([name], pa.string())) for name in schema.names]
        sys.stdout.buffer.write(_lines(header))
        rows = 0
        for batch in batches:
            columns = [texts(each) if is_bare(each.type) else _quoted(texts(each)) for each in batch.columns]
            sys.stdout.buffer.write(_lines(columns))
            rows += batch.num_rows
        sys.stdout.buffer.flush()
        return Written(rows)


class JsonWriter:
    """One JSON object per row and line. A repeated name gets a number."""

    def write(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Written:
        """Write a result."""
        names = distinct(schema.names)
        rows = 0
        for batch in batches:
            columns = [json_values(column) for column in batch.columns]
            for values in zip(*columns, strict=True):
                sys.stdout.write(json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) + "\n")
            rows += batch.num_rows
        return Written(rows)


def _quoted(texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")


def _lines(columns: list[pa.Array]) -> memoryview:
    """Columns of fields as the bytes of lines."""
    fields = pc.binary_join_element_wise(*columns, ",", null_handling="replace", null_replacement="")
    lines = pc.binary_join_element_wise(fields, "\n", "")
    ends = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(lines.buffers()[2] or b"")[ends[0] : ends[-1]]
