"""Commands that compile a function and print something of it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from adcore.command.functions import function_and_arguments

MODES = ("reverse", "forward", "primal")


def add_options(parser: argparse.ArgumentParser) -> None:
    """How it is compiled."""
    parser.add_argument("--mode", choices=MODES, default="reverse")
    parser.add_argument("--workspace", default="auto", metavar="BYTES", help='a limit in bytes, "auto" or "heap"')
    parser.add_argument("--fastmath", action="store_true", help="let sums be reordered")


def printed(options: argparse.Namespace, *stages: str) -> int:
    """Print stages of the compiled function; 1 and the reason where it can't be compiled."""
    import adcore as ad
    from adcore.command.functions import annotation

    function, values = function_and_arguments(options)
    modes = {"reverse": ad.Reverse, "forward": ad.Forward, "primal": ad.Primal}
    try:
        handle = ad.compile(
            function,
            *(annotation(value, options.mode) for value in values),
            mode=modes[options.mode],
            workspace=int(options.workspace) if options.workspace.isdigit() else options.workspace,
            fastmath=options.fastmath,
        )
    except (ad.CompileError, ad.WorkspaceError, ad.ArgumentError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 1
    for stage in stages:
        print(shown(handle, stage))
    return 0


def shown(handle: Any, name: str) -> str:
    """One thing to print."""
    if name == "certificate":
        return str(handle.certificate)
    if name == "times":
        return "\n".join(f"{stage:>12} {1e3 * seconds:8.2f} ms" for stage, seconds in handle.seconds.items())
    return str(handle.stage(name))
