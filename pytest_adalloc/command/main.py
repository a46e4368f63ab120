"""The script `adcore`: the compiler's commands, and those of checks and their figures."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from adcore.command.main import main as compiler_main

COMMANDS = {
    "check": ("pytest_adalloc.command.check", "check a gradient, and count its allocations"),
    "compare": ("pytest_adalloc.command.compare", "what became better and worse between two runs"),
    "baseline": ("pytest_adalloc.command.baseline", "show a baseline, or merge those of several machines"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; see `adcore.command.main`."""
    return compiler_main(argv, COMMANDS)


if __name__ == "__main__":
    sys.exit(main())
