"""`adcore compare BASE.json HEAD.json`: the exit status is 1 where a check became worse."""

from __future__ import annotations

import argparse

from adcore.command.usage import CommandError
from pytest_adalloc.report.differences import RunFileError, as_markdown, as_text, checks_of, compared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `main`."""
    parser.add_argument("base", metavar="BASE.json", help="a file of --adalloc-json, or a baseline")
    parser.add_argument("head", metavar="HEAD.json", help="the same of the later run")
    parser.add_argument("--format", choices=("text", "markdown"), default="text")


def run(options: argparse.Namespace) -> int:
    """Print what changed."""
    try:
        found = compared(checks_of(options.base), checks_of(options.head))
    except RunFileError as problem:
        raise CommandError(str(problem)) from None
    print(as_markdown(found) if options.format == "markdown" else as_text(found))
    return int(found.worse)
