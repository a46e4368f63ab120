"""Which function is called, and with which values its parameters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

from adcore.errors import ArgumentError, Diagnostic
from adcore.runtime.arguments import refuse


def python_function(function: Any) -> Callable[..., Any]:
    """The Python function behind a jitted or marked one. Raises ArgumentError for what is no function."""
    inner = getattr(function, "py_func", function)
    derivative = getattr(inner, "__adcore_derivative__", None)
    if derivative:
        help = "use ad.hessian, ad.hvp or ad.jacobian of the function itself"
        refuse(f"{inner.__name__} is the {derivative} of a function, which is not differentiated once more", help=help)
    if isinstance(inner, functools.partial):
        help = f"pass {getattr(inner.func, '__name__', 'the function')} itself, and choose arguments by `wrt`"
        refuse("a functools.partial has no source of its own", help=help)
    if isinstance(inner, type) or not callable(inner):
        raise ArgumentError([Diagnostic(f"{inner!r} is not a function", None, help="pass a Python function")])
    return inner  # type: ignore[no-any-return]


def bind(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    """Names and values of all parameters, defaults filled in. Raises TypeError as a call would."""
    try:
        signature = _signature(function)
    except (TypeError, ValueError):
        names = [f"arg{k}" for k in range(len(args))]
        return names, list(args)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return list(bound.arguments), list(bound.arguments.values())


@functools.lru_cache(maxsize=256)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function, follow_wrapped=not isinstance(function, FunctionType))


__all__ = ["bind", "python_function"]
