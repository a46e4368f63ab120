"""Which function is called, and with which values its parameters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from adcore.driver.shared import keep
from adcore.errors import ArgumentError, Diagnostic
from adcore.instances import class_entry, is_object
from adcore.runtime.values.arguments import refuse


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
    """Names and values of all parameters, defaults filled in. Raises TypeError as a call would.

    What `*rest` and `**options` collect are parameters of their own: `rest[0]`, `rest[1]`, ... and each keyword.
    """
    signature = _signature(function)
    if signature is None:
        return [f"arg{k}" for k in range(len(args))], list(args)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return _flat(signature, bound.arguments)


def omitted(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> frozenset[str]:
    """The parameters that such a call leaves to their defaults."""
    names, _ = bind(function, args, kwargs)
    signature = _signature(function)
    if signature is None:
        return frozenset()
    given, _ = _flat(signature, signature.bind(*args, **kwargs).arguments)
    return frozenset(names) - frozenset(given)


def default_of(function: Callable[..., Any], name: str) -> Any:
    """The default of a parameter; `inspect.Parameter.empty` where it has none."""
    signature = _signature(function)
    parameter = signature.parameters.get(name) if signature is not None else None
    return inspect.Parameter.empty if parameter is None else parameter.default


def _flat(signature: inspect.Signature, arguments: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    names: list[str] = []
    values: list[Any] = []
    for name, value in arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            names += [f"{name}[{k}]" for k in range(len(value))]
            values += value
        elif kind is inspect.Parameter.VAR_KEYWORD:
            names += value
            values += value.values()
        else:
            names.append(name)
            values.append(value)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        refuse(f"`{twice}` is a positional parameter and a keyword at once", help="give the keyword another name")
    return names, values


class _Known(NamedTuple):
    """A signature, and what it was read from: reloading puts other code and defaults into the same function."""

    signature: inspect.Signature
    code: object
    defaults: object
    keyword_defaults: tuple[tuple[str, Any], ...]


MOST_SIGNATURES = 256

_known: dict[FunctionType, _Known] = {}


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """The parameters of a function as it is now; None for what has no signature."""
    if not isinstance(function, FunctionType):
        return _read_signature(function)
    known, keywords = _known.get(function), tuple((function.__kwdefaults__ or {}).items())
    if known is not None and known.code is function.__code__ and known.defaults is function.__defaults__:
        earlier = known.keyword_defaults
        if len(keywords) == len(earlier) and all(
            name == before and value is old for (name, value), (before, old) in zip(keywords, earlier, strict=True)
        ):
            return known.signature
    signature = inspect.signature(function, follow_wrapped=False)
    keep(_known, function, _Known(signature, function.__code__, function.__defaults__, keywords), MOST_SIGNATURES)
    return signature


def _read_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


__all__ = ["bind", "called", "default_of", "omitted", "python_function"]
