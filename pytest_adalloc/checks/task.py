"""What one check is asked to do: the function, where, whose gradient, and under which options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_adalloc.checks.inputs.flat import FlatFunction, in_a_row, signature_of
from pytest_adalloc.checks.inputs.instances import unbound
from pytest_adalloc.checks.workspace_limit import SizeFormula
from pytest_adalloc.options import NAMES, CheckOptions, Progress, silent, unknown

NAMEABLE = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class CheckTask:
    """A check of the gradient of `function` at the row `args`.

    `grad`: the gradient that is checked; None: the compiler's. `counted`: whether its allocations are counted, and its
    limits held. `known`: its entry in the baseline. `fault`: what a diagnostic says of a wrong derivative, where the
    compiler is not to blame.
    """

    function: FlatFunction
    args: tuple[Any, ...]
    grad: Callable[..., Any] | None
    options: CheckOptions
    counted: bool = True
    known: Mapping[str, Any] | None = None
    progress: Progress = silent
    fault: str = ""


def task_of(
    f: Callable[..., Any],
    args: Sequence[Any],
    given: Mapping[str, Any],
    *,
    grad: Callable[..., Any] | None = None,
    counted: bool = True,
    unbind: bool = True,
) -> CheckTask:
    """The task of a check at `args`, with options and arguments of `f` by name in `given`.

    A method is a function of its object, whose floats are differentiated too, unless `unbind` is off. Raises TypeError
    where `f` can't be called with these arguments, or a name means nothing, ValueError for options that make no sense.
    """
    __tracebackhide__ = True
    options = {name: value for name, value in given.items() if name in NAMES}
    named = {name: value for name, value in given.items() if name not in NAMES}
    signature = signature_of(f)
    if signature is not None:
        _require_known(f, signature, named)
    chosen = options_of(options)
    f, args, wrt = unbound(f, tuple(args), chosen.wrt) if unbind else (f, tuple(args), chosen.wrt)
    try:
        function, row, wrt = in_a_row(f, args, named, wrt)
    except TypeError as problem:
        both = [name for name in options if signature is not None and name in signature.parameters]
        if not both:
            raise
        raise TypeError(f"{problem}; {both[0]!r} is an option here: give that argument by position") from None
    return CheckTask(function, row, grad, replace(chosen, wrt=wrt), counted)


def options_of(given: Mapping[str, Any]) -> CheckOptions:
    """Checked options. Raises TypeError and ValueError for what makes no sense."""
    options = CheckOptions.of(dict(given))
    if isinstance(options.max_workspace, str):
        SizeFormula.of(options.max_workspace)
    return options


def _require_known(f: Callable[..., Any], signature: inspect.Signature, named: Mapping[str, Any]) -> None:
    """Raise TypeError for a name that is neither an option nor a parameter, with the one that was meant."""
    __tracebackhide__ = True
    kinds = {parameter.name: parameter.kind for parameter in signature.parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds.values():
        return
    by_name = [n for n, kind in kinds.items() if kind in NAMEABLE]
    for name in named:
        if name not in by_name:
            called = f"{getattr(f, '__name__', f)}{signature}"
            raise TypeError(f"{name!r} is no argument of {called}, and {unknown(name, by_name)}")
