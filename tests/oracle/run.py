"""Random statements by hand: `python -m tests.oracle.run [--seed N] [--worlds N] [--count N]`."""

import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tests.oracle.answers import Failed
from tests.oracle.databases import Duck, Server
from tests.oracle.duel import Difference, Duel
from tests.oracle.generator import Generator
from tests.oracle.partitions import PartedQueries, Partitions
from tests.oracle.reduction import ATTEMPTS, Reducer
from tests.oracle.rounds import Rounds
from tests.oracle.writing import Dialect, Writer
from tests.server_process import ServerProcess

ANOTHER = "alice"


@contextmanager
def duel(process: ServerProcess, dialect: Dialect = Dialect.SERVER) -> Iterator[Duel]:
    """A server and DuckDB, face to face."""
    with process.connect() as mine, process.connect(ANOTHER) as other:
        server, duck = Server(mine, other, dialect), Duck()
        both = Duel(server, duck)
        yield both
        if process.is_running:
            both.end()
        server.close()
        duck.close()


@contextmanager
def partitions(process: ServerProcess, dialect: Dialect = Dialect.SERVER) -> Iterator[Partitions]:
    """A server, to be asked in two ways."""
    with process.connect() as mine, process.connect(ANOTHER) as other:
        server = Server(mine, other, dialect)
        trial = Partitions(server)
        yield trial
        if process.is_running:
            trial.end()
        server.close()


def report(difference: Difference) -> str:
    """Statements and both answers, to be read."""
    lines = [Writer(Dialect.SERVER).text(step) for step in difference.steps]
    return ";\n".join(lines) + f"\n  first  {str(difference.server)[:600]}\n  second {str(difference.duck)[:600]}\n"


def is_shown(difference: Difference, seldom: bool, mute: tuple[str, ...]) -> bool:
    """Tell whether to make a difference small: values always, errors if they are seldom and nobody knows them."""
    errors = [answer.message for answer in (difference.server, difference.duck) if isinstance(answer, Failed)]
    return not errors or (seldom and not any(words in message for words in mute for message in errors))


@click.command()
@click.option("--seed", default=1, help="The first world.")
@click.option("--worlds", default=5, help="How many worlds.")
@click.option("--count", default=150, help="How many statements over each.")
@click.option("--each", default=2, help="How many differences with the same error are made small and shown.")
@click.option("--mute", multiple=True, help="Words of errors that are not shown.")
@click.option("--attempts", default=ATTEMPTS, help="How many smaller statements are tried; 0: none.")
@click.option("--alone", is_flag=True, help="Compare the server with itself: queries and their parts.")
@click.option("--bare", is_flag=True, help="Write statements with few brackets and blanks.")
def main(
    seed: int, worlds: int, count: int, each: int, mute: tuple[str, ...], attempts: int, *, alone: bool, bare: bool
) -> None:
    """Print what is answered differently, made small."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server ends with us
    shown: Counter[tuple[str, ...]] = Counter()
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder) / "data", users={ANOTHER: "x"}) as process:
        for number in range(seed, seed + worlds):
            dialect = Dialect.BARE if bare else Dialect.SERVER
            with (partitions if alone else duel)(process, dialect) as both:
                started = time.monotonic()
                differences = Rounds(both, number, PartedQueries if alone else Generator).run(count)
                took = time.monotonic() - started
                click.echo(f"-- world {number}: {both.asked} asked in {took:.1f} s, {len(differences)} different")
                click.echo(f"-- {both.explained}")
                for difference in differences:
                    shown[difference.signature] += 1
                    if is_shown(difference, shown[difference.signature] <= each, mute):
                        small = Reducer(both, attempts).reduced(difference)
                        click.echo(f"-- world {number}, {small.signature}\n{report(small)}")
            if not process.is_running:
                click.echo("-- the server ended")
                process.start()
    for signature, times in shown.most_common():
        click.echo(f"{times} {signature}")
    sys.exit(bool(shown))


if __name__ == "__main__":
    main()
