"""`adcore check FILE:FUNCTION`: a check without a test file."""

from __future__ import annotations

import argparse
import ast
import sys
from typing import Any

from adcore.command.functions import add_function, function_and_arguments
from adcore.command.usage import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `main`."""
    add_function(parser)
    parser.add_argument(
        "-o",
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of a check, such as max_workspace=0 or mode=both; may be repeated",
    )
    parser.add_argument("--grad", metavar="FUNCTION", help="a gradient in the same file, to be checked instead of ours")


def run(options: argparse.Namespace) -> int:
    """Print the report; 1 where a step is not met."""
    from pytest_adalloc.checks.verdict.grad_report import CheckFailed
    from pytest_adalloc.integration.checks import check

    function, args = function_and_arguments(options)
    given: dict[str, Any] = dict(_option(text) for text in options.option)
    if options.grad:
        given["grad"] = _in_the_same_place(options)
    try:
        report = check(function, *args, **given)
    except CheckFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except (TypeError, ValueError) as problem:
        raise CommandError(str(problem)) from None
    print(report)
    return 0


def _option(text: str) -> tuple[str, Any]:
    name, given, value = text.partition("=")
    if not given:
        raise CommandError(f"--option {text}: write NAME=VALUE")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _in_the_same_place(options: argparse.Namespace) -> Any:
    from adcore.command.functions import find

    place = options.function.rpartition(":")[0]
    try:
        return find(f"{place}:{options.grad}")[1]
    except LookupError as problem:
        raise CommandError(problem.args[0]) from None
