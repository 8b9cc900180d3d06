"""Arrow's own files and streams."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from flightserver.cli.files.form import Rows

_FILE_MAGIC = b"ARROW1"


class ArrowFile:
    """An Arrow file, or a stream in a file. What is read is checked: a damaged batch could end the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as raw:
            self._is_stream = raw.read(len(_FILE_MAGIC)) != _FILE_MAGIC
        with pa.OSFile(str(path)) as source:
            self.schema = (ipc.open_stream(source) if self._is_stream else ipc.open_file(source)).schema

    def rows(self) -> Iterator[Rows]:
        """All batches."""
        with pa.OSFile(str(self._path)) as source:
            for batch in ipc.open_stream(source) if self._is_stream else _batches(ipc.open_file(source)):
                batch.validate(full=True)
                yield Rows(batch, source.tell())


def _batches(reader: ipc.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    return (reader.get_batch(index) for index in range(reader.num_record_batches))
