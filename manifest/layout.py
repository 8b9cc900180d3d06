"""Names of files and folders. Nothing else builds or parses a path below `tables/`.

```
<tables>/<namespace>/<table>.<table id>/            a SHARED table's scope
<tables>/<namespace>/<table>.<table id>/<user>/     one user's scope of a USER table
    manifest.json   part-<P>.<version>.json
    batch-<N>.parquet   batch-<N>.bloom   batch-<N>.<version>.dv   batch-<N>.retired
    deletion_vector_<uuid>.bin   _delta_log/     of what other engines read
                    batch-<N>.arrow     (in the place of the Parquet file: a segment, a batch as it came)
```
A file that is still being written, or that no manifest is about to name, has the suffix `.tmp`; one that is written
anew, `.restored`; one that was damaged and is kept aside, `.damaged-<n>`.

The table id keeps a dropped table's files apart from those of its successor. User folders begin with `u-`.
"""

import re
from functools import lru_cache
from pathlib import Path

from catalog.definition import Scope, TableDef
from catalog.identifiers import TableName, path_component

MANIFEST_NAME = "manifest.json"
DELTA_LOG = "_delta_log"
"""Folder of the log by which other engines read a scope."""

_PART_FILE = re.compile(r"part-(\d+)\.(\d+)\.json(?:\.restored)?\Z")
_BATCH_FILE = re.compile(r"batch-(\d+)\.(?:parquet|arrow|bloom|retired|(\d+)\.dv)(?:\.tmp|\.restored)?\Z")


def table_folder(tables: Path, table: TableDef) -> Path:
    """Folder of all scopes of a table, by the name that it was made by."""
    return _folder_of(tables, table.stored_as, table.id)


@lru_cache(maxsize=1_024)
def _folder_of(tables: Path, name: TableName, table_id: int) -> Path:
    return tables / path_component(name.namespace) / f"{path_component(name.table)}.{table_id}"


def scope_folder(tables: Path, table: TableDef, scope: Scope) -> Path:
    """Folder of one scope's files."""
    folder = table_folder(tables, table)
    return folder if scope.user is None else folder / f"u-{path_component(scope.user)}"


def batch_name(batch: int) -> str:
    """File of a batch's rows."""
    return f"batch-{batch}.parquet"


def segment_name(batch: int) -> str:
    """File of a batch's rows as they came."""
    return f"batch-{batch}.arrow"


def is_segment(name: str) -> bool:
    """Tell whether a file, staged or published, holds the rows of a batch as they came."""
    return published_name(name).endswith(".arrow")


def holds_rows(name: str) -> bool:
    """Tell whether a file, staged or published, holds the rows of a batch."""
    return is_segment(name) or published_name(name).endswith(".parquet")


def bloom_name(batch: int) -> str:
    """File of a batch's bloom filters."""
    return f"batch-{batch}.bloom"


def part_name(part: int, version: int) -> str:
    """File of a part of a manifest, as of a version of it."""
    return f"part-{part}.{version}.json"


def deletion_name(batch: int, version: int) -> str:
    """File of a batch's dead rows as of a manifest version."""
    return f"batch-{batch}.{version}.dv"


def retired_name(batch: int) -> str:
    """Empty file that says of a batch that a published manifest has left it out."""
    return f"batch-{batch}.retired"


def staged_name(name: str) -> str:
    """Name of a batch's file until a manifest is about to name it."""
    return f"{name}.tmp"


def restored_name(name: str) -> str:
    """Name of a file that is written anew, until it takes the place of what was damaged."""
    return f"{name}.restored"


def aside_name(name: str, number: int) -> str:
    """Name that a damaged file is kept under, where others of its name are kept already."""
    return f"{name}.damaged-{number}"


def published_name(name: str) -> str:
    """Name that a staged file gets; others keep theirs."""
    return name.removesuffix(".tmp")


def batch_of_file(name: str) -> int | None:
    """Batch number that a file name carries, or None when it is no file of a batch."""
    match = _BATCH_FILE.match(name)
    return int(match.group(1)) if match else None


def is_part(name: str) -> bool:
    """Tell whether a file has a part of a manifest."""
    return _PART_FILE.match(name) is not None


def version_of_file(name: str) -> int | None:
    """Manifest version that the name of a deletion file or of a part's file carries, or None for other files."""
    match = _BATCH_FILE.match(name) or _PART_FILE.match(name)
    return int(match.group(2)) if match and match.group(2) else None


def table_id_of_folder(name: str) -> int | None:
    """Table id that a table folder's name carries, or None when it is no table folder."""
    _, separator, table_id = name.rpartition(".")
    return int(table_id) if separator and table_id.isascii() and table_id.isdigit() else None
