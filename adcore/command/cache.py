"""`adcore cache [clear]`: where compiled code is kept, and how much of it."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `main`."""
    parser.add_argument("action", nargs="?", choices=("show", "clear"), default="show")


def run(options: argparse.Namespace) -> int:
    """Print what is there, or remove it."""
    from adcore.runtime.cache.upkeep import cache_use, clear

    if options.action == "clear":
        count = clear()
        print(f"{count:,} {'entry' if count == 1 else 'entries'} removed")
    print(cache_use())
    return 0
