"""What the demo shows: headings, statements, tables, timings."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import dedent

import pandas as pd
from rich.console import Console
from rich.table import Table

console = Console(highlight=False, width=None if Console().is_terminal else 120)


def heading(text: str) -> None:
    """Begin a chapter."""
    console.print()
    console.rule(f"[bold]{text}", align="left")


def say(text: str) -> None:
    """A line of explanation."""
    console.print(text, markup=False)


def statement(text: str) -> None:
    """Show SQL before it runs."""
    console.print(dedent(text).strip(), style="cyan", markup=False)


def table(frame: pd.DataFrame) -> None:
    """Show a result."""
    shown = Table(header_style="bold")
    for name, column in frame.items():
        shown.add_column(str(name), justify="right" if pd.api.types.is_numeric_dtype(column.dtype) else "left")
    for row in frame.itertuples(index=False):
        shown.add_row(*("NULL" if pd.isna(value) else _text(value) for value in row))
    console.print(shown)


@contextmanager
def timed(describe: Callable[[], str] | str) -> Iterator[None]:
    """Run a step and say how long it took; the description may depend on what happened in it."""
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    took = f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
    console.print(f"{describe if isinstance(describe, str) else describe()} [green]({took})[/green]")


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return str(value)
