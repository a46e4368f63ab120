"""`adcore baseline show FILE`, `adcore baseline merge FILE... -o FILE`: the figures that runs are held to."""

from __future__ import annotations

import argparse
from typing import Any

from adcore.command.usage import CommandError
from pytest_adalloc.report.baseline import BaselineError, Entries, merged, read, written


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `main`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print the figures, a line for each check")
    show.add_argument("file", metavar="FILE")
    several = actions.add_parser("merge", help="one file out of those of several shards or machines")
    several.add_argument("files", metavar="FILE", nargs="+")
    several.add_argument("-o", "--output", metavar="FILE", required=True)


def run(options: argparse.Namespace) -> int:
    """Print or write it."""
    if options.action == "show":
        for test, entry in sorted(known(options.file).items()):
            print(f"{test}: {_figures(entry)}")
        return 0
    entries, differing = merged([known(file) for file in options.files])
    written(options.output, entries)
    print(f"{options.output}: {len(entries)} checks of {len(options.files)} files")
    for test in differing:
        print(f"  {test} differs between them; the larger figures are kept")
    return 0


def known(path: str) -> Entries:
    """The entries of a baseline. Raises CommandError where there is none."""
    try:
        entries = read(path)
    except BaselineError as problem:
        raise CommandError(str(problem)) from None
    if entries is None:
        raise CommandError(f"{path} does not exist; a run with --adalloc-update-baseline writes it")
    return entries


def _figures(entry: dict[str, Any]) -> str:
    names = (("allocs_per_call", "allocations a call"), ("workspace_bytes", "bytes"), ("stored", "values kept"))
    return ", ".join(f"{entry[name]} {text}" for name, text in names if entry.get(name) is not None)
