"""Which rows of a scope's batches are live, told from the files alone. Pure: arrays in, arrays out.

The rules, each of which can only kill a row and never raise one:
- a version is known by its `_seq`, which compaction preserves: dead in one batch is dead in all;
- of the versions of one key, in any batch or hot record, only the one with the largest `_seq` can be live, be that
  version itself dead or alive;
- a batch that an output of a compaction lists among its inputs, or that was retired, is *replaced*: its rows count as
  evidence by the two rules above, but are not part of the table;
- should one version stand in several batches that are not replaced, the one in the largest batch number is live.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from manifest.dead_rows import DeadRows

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FoundBatch:
    """What a batch's files say. `keys` holds equal numbers for equal keys, over all batches and hot versions."""

    batch: int
    inputs: tuple[int, ...]
    retired: bool
    keys: Numbers
    seqs: Numbers
    dead: DeadRows


def replaced_batches(found: Sequence[FoundBatch]) -> frozenset[int]:
    """Numbers of the batches whose live rows stand in other batches, or nowhere any more."""
    inputs = {number for batch in found for number in batch.inputs}
    return frozenset(inputs | {batch.batch for batch in found if batch.retired})


def dead_rows_of(found: Sequence[FoundBatch], hot_keys: Numbers, hot_seqs: Numbers) -> Mapping[int, DeadRows]:
    """The dead rows of every batch that is not replaced. `hot_*` are all hot versions, tombstones included."""
    replaced = replaced_batches(found)
    newest = _newest_by_key(
        _concat([*(batch.keys for batch in found), hot_keys]), _concat([*(batch.seqs for batch in found), hot_seqs])
    )
    dead_seqs = _concat([batch.seqs[batch.dead.to_array()] for batch in found])
    kept = sorted((batch for batch in found if batch.batch not in replaced), key=lambda batch: -batch.batch)
    seqs, keys = _concat([batch.seqs for batch in kept]), _concat([batch.keys for batch in kept])
    repeated = np.ones(len(seqs), dtype=np.bool_)
    repeated[np.unique(seqs, return_index=True)[1]] = False
    gone = np.isin(seqs, dead_seqs) | (seqs < newest[keys]) | repeated
    ends = np.cumsum([len(batch.seqs) for batch in kept])
    parts = np.split(gone, ends[:-1]) if kept else []
    return {
        batch.batch: batch.dead.with_positions(np.flatnonzero(part)) for batch, part in zip(kept, parts, strict=True)
    }


def _newest_by_key(keys: Numbers, seqs: Numbers) -> Numbers:
    """The largest `_seq` of each key, indexed by the key's number."""
    newest = np.zeros(int(keys.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(newest, keys, seqs)
    return newest


def _concat(parts: Sequence[Numbers]) -> Numbers:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])
