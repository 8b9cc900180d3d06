"""Runs the figures: `python -m bench [--tiny] [name …]`."""

import argparse
import importlib
import time

from bench.report import Figure, print_figures
from bench.scale import Scale

NAMES = ("tpch", "scan", "ingest", "upsert", "lookup", "insert", "memory", "basics")


def main() -> None:
    """Run what is asked for, everything by default, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", choices=[[], *NAMES], help=f"any of {', '.join(NAMES)}")
    parser.add_argument("--tiny", action="store_true", help="only see that everything runs")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    for name in arguments.names or NAMES:
        start = time.perf_counter()
        print(f"## {name}\n")
        found = importlib.import_module(f"bench.{name}").run(Scale(arguments.tiny))
        print_figures(found)
        print(f"\n{time.perf_counter() - start:.0f} s\n", flush=True)
        figures += found
    print("## All\n")
    print_figures(figures)


if __name__ == "__main__":
    main()
