"""`adcore explain FILE:FUNCTION`: what its gradient keeps between the sweeps, why, and what would avoid it."""

from __future__ import annotations

import argparse

from adcore.command.compiling import add_options, printed
from adcore.command.functions import add_function


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `main`."""
    add_function(parser)
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print it; 1 where the function can't be compiled."""
    return printed(options, "plan")
