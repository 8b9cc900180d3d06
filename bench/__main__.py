"""Runs the figures: `python -m bench [--tiny] [--write] [name …]`."""

import argparse
import contextlib
import datetime as dt
import importlib
import io
import os
import platform
import re
import time
from pathlib import Path

from bench.report import Figure, print_figures
from bench.scale import Scale

NAMES = (
    "tpch",
    "scan",
    "ingest",
    "upsert",
    "lookup",
    "insert",
    "memory",
    "basics",
    "roundtrip",
    "transfer",
    "clients",
    "growth",
    "pruning",
    "manifests",
    "definitions",
    "short",
    "mix",
    "users",
    "rights",
    "backup",
    "upkeep",
    "streams",
    "publish",
    "cluster",
    "criteria",
)
README = Path(__file__).with_name("README.md")
MARKS = "<!-- {name} begins -->", "<!-- {name} ends -->"


def main() -> None:
    """Run what is asked for, everything by default, and print one table at the end."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", choices=[[], *NAMES], help=f"any of {', '.join(NAMES)}")
    parser.add_argument("--tiny", action="store_true", help="only see that everything runs")
    parser.add_argument("--write", action="store_true", help="put the results into README.md")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    for name in arguments.names or NAMES:
        start = time.perf_counter()
        print(f"## {name}\n", flush=True)
        found = importlib.import_module(f"bench.{name}").run(Scale(arguments.tiny))
        print_figures(found)
        print(f"\n{time.perf_counter() - start:.0f} s\n", flush=True)
        figures += found
        if arguments.write and not arguments.tiny:
            write(name, found)
    print("## All\n")
    print_figures(figures)


def write(name: str, figures: list[Figure]) -> None:
    """Replace a question's section of the README by what was measured now."""
    begin, end = (mark.format(name=name) for mark in MARKS)
    table = io.StringIO()
    with contextlib.redirect_stdout(table):
        print_figures(figures)
    now = dt.datetime.now(dt.UTC)
    stamp = (
        f"Measured on {now:%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}."
    )
    section = f"{begin}\n{stamp}\n\n{table.getvalue()}{end}"
    text = README.read_text()
    README.write_text(re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _: section, text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
