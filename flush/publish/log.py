"""The log of a scope's Delta table, below its folder: read, gone on with, and shortened. Thin: `actions` decides.

A version is a file that is written and synced under another name, and gets its own as a second link: of two writers
one fails. Every so many versions a checkpoint says all that there is, so that a reader has few files to look at.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flush.publish.actions import replayed, whole
from flush.publish.checkpoint import decode_checkpoint, encode_checkpoint
from manifest.layout import DELTA_LOG, staged_name
from manifest.published import Published
from providers.cold.scope_folder import ScopeFolder

LAST_CHECKPOINT = "_last_checkpoint"
CHECKPOINT_VERSIONS = 10
CHECKPOINT_ACTIONS = 32
"""With so many actions for each version in between, a checkpoint is as much to write as those versions."""


def log_of(folder: ScopeFolder) -> ScopeFolder:
    """The folder of a scope's log."""
    return folder.below(DELTA_LOG)


def read_log(folder: ScopeFolder) -> Published:
    """What a scope's Delta table shows; version -1 where there is none."""
    try:
        return _read(log_of(folder))
    except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DatabaseError(
            ErrorKind.CORRUPT,
            "the Delta log cannot be read; SET (publish = 'none') deletes it",
        ) from error


def _read(log: ScopeFolder) -> Published:
    pointer = log.read(LAST_CHECKPOINT)
    found = Published()
    if pointer is not None:
        number = int(json.loads(pointer)["version"])
        data = log.read(_checkpoint_name(number))
        if data is not None:
            found = replace(replayed(found, number, decode_checkpoint(data)), checkpoint=number)
    while (text := log.read(_version_name(found.version + 1))) is not None:
        found = replayed(found, found.version + 1, map(json.loads, text.splitlines()))
    return found


def append(folder: ScopeFolder, after: Published, actions: Iterable[Mapping[str, Any]]) -> None:
    """Make the next version, durably; FileExistsError when somebody else has made one of that number."""
    log, name = log_of(folder), _version_name(after.version)
    log.make()
    text = "".join(json.dumps(action, separators=(",", ":")) + "\n" for action in actions)
    log.unlink(staged_name(name))
    log.write_synced(staged_name(name), text.encode())
    try:
        log.link(staged_name(name), name)
    finally:
        log.unlink(staged_name(name))
    log.sync()


def with_checkpoint(folder: ScopeFolder, published: Published) -> Published:
    """Write a checkpoint where it is time for one."""
    actions_count = len(published.files) + len(published.let_go)
    if published.version - published.checkpoint < max(CHECKPOINT_VERSIONS, actions_count // CHECKPOINT_ACTIONS):
        return published
    log, actions = log_of(folder), list(whole(published))
    name = _checkpoint_name(published.version)
    log.publish(name, encode_checkpoint(actions))
    log.publish(LAST_CHECKPOINT, json.dumps({"version": published.version, "size": len(actions)}).encode())
    return replace(published, checkpoint=published.version)


def shorten(folder: ScopeFolder, published: Published, written_before_s: float) -> int:
    """Delete what the newest checkpoint has made needless and was written before a time; return how many files.

    A reader that begins at the checkpoint needs nothing older.
    """
    log = log_of(folder)
    gone = 0
    for name in sorted(log.names()):
        number = name.partition(".")[0]
        if not number.isdecimal() or int(number) >= published.checkpoint:
            continue
        stamp = log.stamp(name)
        if stamp is not None and stamp[2] >= written_before_s * 1e9:
            break
        log.unlink(name)
        gone += 1
    return gone


def remove_log(folder: ScopeFolder) -> bool:
    """Delete a Delta table, with its deletion vectors and not its batches; tell whether there was one."""
    log = log_of(folder)
    names = log.names()
    vectors = [name for name in folder.names() if name.startswith("deletion_vector_")] if names else []
    for name in (LAST_CHECKPOINT, *sorted(names, reverse=True)):
        log.unlink(name)
    for name in vectors:
        folder.unlink(name)
    log.remove()
    return bool(names)


def _version_name(version: int) -> str:
    return f"{version:020}.json"


def _checkpoint_name(version: int) -> str:
    return f"{version:020}.checkpoint.parquet"
