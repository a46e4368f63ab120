"""`python -m adcore COMMAND ...`: the table of commands.

Each command is a module with `add_arguments(parser)` and `run(options)`, which returns the exit status: 0 where all is
well, 1 where something is not, 2 where the question makes no sense. It is imported when it is asked for.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from adcore.command.usage import CommandError

Commands = Mapping[str, tuple[str, str]]

COMMANDS: Commands = {
    "explain": ("adcore.command.explain", "what the gradient of a function keeps, and why"),
    "stage": ("adcore.command.stage", "stages of the compiler: the program, its gradient, machine code"),
    "cache": ("adcore.command.cache", "show the cache of compiled code, or clear it"),
}


def main(argv: Sequence[str] | None = None, further: Commands | None = None) -> int:
    """Entry point; `further` commands stand beside those of the compiler."""
    given = list(sys.argv[1:] if argv is None else argv)
    short = bool(given) and ":" in given[0]
    given = _spelled_out(given) if short else given
    commands = {**COMMANDS, **(further or {})}
    parser = argparse.ArgumentParser("adcore", description="Gradients that are right and never allocate.")
    parser.add_argument("--version", action="version", version=_version())
    several = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in given if word in commands), None)
    module: Any = None
    for name, (home, text) in commands.items():
        own = several.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == chosen:
            module = import_module(home)
            module.add_arguments(own)
    options = parser.parse_args(given)
    try:
        status: int = module.run(options)
    except CommandError as problem:
        print(f"adcore {options.command}: {problem}", file=sys.stderr)
        return 1 if short else 2
    except BrokenPipeError:  # `adcore stage ... | head`
        sys.stderr.close()
        return 0
    return status


def _spelled_out(given: list[str]) -> list[str]:
    """`FILE:FUNCTION --show STAGE`, the short form, as a command."""
    stages = [after for word, after in itertools.pairwise(given) if word == "--show"] or ["plan"]
    at = [k for k, word in enumerate(given) if word == "--show"]
    rest = [word for k, word in enumerate(given) if k not in at and k - 1 not in at]
    return ["stage", rest[0], *stages, *rest[1:]]


def _version() -> str:
    try:
        return f"adcore {version('pytest-adalloc')}"
    except PackageNotFoundError:
        return "adcore, not installed"
