"""Which function is called, and with which values its parameters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any

from adcore.errors import ArgumentError, Diagnostic
from adcore.instances import class_entry, is_object
from adcore.runtime.arguments import refuse


def python_function(function: Any) -> Callable[..., Any]:
    """The Python function behind a jitted or marked one. Raises ArgumentError for what is no function."""
    inner = getattr(function, "py_func", function)
    derivative = getattr(inner, "__adcore_derivative__", None)
    if derivative:
        help = "use ad.hessian, ad.hvp or ad.jacobian of the function itself"
        refuse(f"{inner.__name__} is the {derivative} of a function, which is not differentiated once more", help=help)
    if isinstance(inner, type) or not callable(inner):
        raise ArgumentError([Diagnostic(f"{inner!r} is not a function", None, help="pass a Python function")])
    return inner  # type: ignore[no-any-return]


Called = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], int]


def called(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Called:
    """What a call of `function` calls: the Python function, all arguments that it gets, and how many of the first ones
    a bound method, a callable object or a partial adds. Raises ArgumentError for what is no function."""
    given, named, taken = tuple(args), dict(kwargs), 0
    for _ in range(MOST_WRAPPERS):
        if isinstance(function, functools.partial):
            given, named = (*function.args, *given), {**function.keywords, **named}
            taken, function = taken + len(function.args), function.func
        elif isinstance(function, MethodType):
            given, taken, function = (function.__self__, *given), taken + 1, function.__func__
        elif is_object(function):
            method = class_entry(type(function), "__call__")
            if not isinstance(method, FunctionType):
                break
            given, taken, function = (function, *given), taken + 1, method
        else:
            break
    return python_function(function), given, named, taken


MOST_WRAPPERS = 64
"""Partials of methods of callable objects, and so on."""


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


__all__ = ["bind", "called", "python_function"]
