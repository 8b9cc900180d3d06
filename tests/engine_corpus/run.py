"""DataFusion's own files by hand: `python -m tests.engine_corpus.run [--only NAME] [--tier TIER] [--log FILE]`."""

import signal
import sys
import tempfile
from collections import Counter
from contextlib import chdir
from pathlib import Path
from typing import IO

import click

from tests.engine_corpus.corpus import HOW_TO, files
from tests.engine_corpus.explained import WORSE, is_explained, reason
from tests.engine_corpus.replay import Outcome, Verdict, replayed
from tests.engine_corpus.tiers import Tier
from tests.server_process import ServerProcess

PASSES = {Verdict.SAME, Verdict.MORE}


@click.command()
@click.option("--only", default="", help="The files whose name has this in it.")
@click.option("--tier", "tiers", multiple=True, default=[tier.value for tier in Tier], help="Where the rows are.")
@click.option("--part", default=1, help="Which part of the files.")
@click.option("--parts", default=1, help="Of how many.")
@click.option("--log", type=click.File("w"), help="Where to write what is not explained.")
def main(only: str, tiers: tuple[str, ...], part: int, parts: int, log: IO[str] | None) -> None:
    """Print how many records come out as the engine by itself has them, and why the others do not."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server ends with us
    chosen = [file for file in files() if only in file.name][part - 1 :: parts]
    if not chosen:
        sys.exit(f"there are no files: {HOW_TO}")
    tally = Tally(log)
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder) / "data") as process, chdir(folder):
        for file in chosen:
            click.echo(file.name, err=True)
            for outcome in replayed(process, file, map(Tier, tiers)):
                tally.add(outcome)
    click.echo(str(tally))
    sys.exit(tally.unexplained > 0)


class Tally:
    """How many records came out how, and the reasons of those that did not come out as from the engine."""

    def __init__(self, log: IO[str] | None) -> None:
        self._log = log
        self._verdicts: Counter[Verdict] = Counter()
        self._reasons: Counter[str] = Counter()
        self.unexplained = 0

    def add(self, outcome: Outcome) -> None:
        """Count a record; write it down where there is no reason for what came of it."""
        self._verdicts[outcome.verdict] += 1
        if outcome.verdict in WORSE:
            self._reasons[reason(outcome) or "NOT EXPLAINED"] += 1
        if not is_explained(outcome):
            self.unexplained += 1
            if self._log is not None:
                self._log.write(f"{outcome}\n\n")
                self._log.flush()

    def __str__(self) -> str:
        every = sum(self._verdicts.values())
        passed = sum(self._verdicts[verdict] for verdict in PASSES)
        asked = every - self._verdicts[Verdict.NOT_ASKED]
        return "\n".join(
            [
                *(f"{count:6} {verdict.value}" for verdict, count in self._verdicts.most_common()),
                *(f"       {count:6} {why}" for why, count in self._reasons.most_common()),
                f"{passed} of {every} records pass, {asked} were asked, {self.unexplained} are not explained",
            ]
        )


if __name__ == "__main__":
    main()
