"""Files of facts from the command line: `python -m tests.faults.run FILE.slt … [--only NAME] [--uri grpc://…]`.

Without `--uri` they run on a server that is started for them. The exit status is 1 when a block fails.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client
from tests.faults.records import Block, blocks
from tests.faults.replay import replay
from tests.server_process import ServerProcess


@contextmanager
def uri_of(given: str | None) -> Iterator[str]:
    """The server that was named, or one that ends with the run."""
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder) / "data") as process:
        yield process.uri


def failures(uri: str, block: Block) -> list[str]:
    """What failed in a block, on a session of its own; a lost server is a failure too."""
    try:
        with dbapi.connect(uri, autocommit=True) as connection:
            return [str(mismatch) for mismatch in replay(Client(connection), block)]
    except dbapi.Error as error:
        return [str(error)]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--only", multiple=True, help="Names of blocks; all by default.")
@click.option("--uri", help="A running server.")
def main(files: tuple[Path, ...], only: tuple[str, ...], uri: str | None) -> None:
    """Print ok or FAIL for each block, with what was got and what was wanted."""
    found = [block for file in files for block in blocks(file.read_text()) if not only or block.name in only]
    failed = 0
    with uri_of(uri) as server:
        for block in found:
            wrong = failures(server, block)
            failed += bool(wrong)
            click.echo(f"{'FAIL' if wrong else 'ok  '} {block.name}: {block.title}")
            for text in wrong:
                click.echo("  " + text.replace("\n", "\n  "))
    click.echo(f"{len(found) - failed} ok, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
