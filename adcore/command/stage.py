"""`adcore stage FILE:FUNCTION STAGE`: what the compiler makes of a function."""

from __future__ import annotations

import argparse

from adcore.command.compiling import add_options, printed
from adcore.command.functions import add_function


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `main`."""
    from adcore.driver.pipeline import STAGES

    names = [stage.name for stage in STAGES] + ["certificate", "times"]
    add_function(parser)
    parser.add_argument("stage", nargs="+", choices=names, metavar="STAGE", help=", ".join(names))
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print it; 1 where the function can't be compiled."""
    return printed(options, *options.stage)
