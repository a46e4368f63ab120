"""A rule of `ad.rule` as checks of a function that does nothing but call it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_adalloc.checks.inputs.flat import in_a_row
from pytest_adalloc.checks.task import CheckTask
from pytest_adalloc.options import CheckOptions

RULE = "the rule's tangent or adjoint is not the derivative of the function that it stands for"
"""What a fault is here: the compiler did what the rule says."""


def rule_tasks(rule: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> Iterator[CheckTask]:
    """A check in both modes for each argument that moves alone, and for all of them together.

    Raises TypeError where no argument is a float."""
    __tracebackhide__ = True
    floats = [k for k, value in enumerate(args) if isinstance(value, (float, np.floating))]
    if not floats:
        raise TypeError("check_rule: no argument is a float: there is nothing to differentiate")

    def called(*given: Any) -> Any:
        return rule(*given)

    named = getattr(rule, "function", rule)
    called.__name__ = getattr(named, "__name__", "rule")
    own, row, _ = in_a_row(named, args, {}, floats)
    function = replace(own, function=called, names=own.names[: len(args)], keywords=(), named=())
    for active in [(k,) for k in floats] + [tuple(floats)]:
        chosen = CheckOptions.of({**options, "wrt": active, "mode": "both"})
        yield CheckTask(function, row[: len(args)], None, chosen, counted=False, fault=RULE)
