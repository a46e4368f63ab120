"""What programs may call: functions by object, methods of arrays by name.

A function is registered where it is defined:

    @numpy_function(np.swapaxes, takes="a axis1 axis2", least=3, samples=("A, 0, 1",), about="a view, two axes swapped")
    def swapaxes(scope: FunctionScope, node: ast.Call, found: Bound) -> Abstract: ...

`takes` names the parameters that are supported, of which `least` have to be given; `found` has those that are, by name.
`samples` are arguments that tests call the function with (`tests/frontend/numpy/test_supported.py` says what the names
in them are); they and `about` make the list of what is supported, `docs/supported.md`.
"""

from __future__ import annotations

import ast
import builtins
import functools
import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import POISON, Abstract, Lazy, Poison

BoundArguments = dict[str, Abstract]
"""Arguments by the name of the parameter."""

CallHandler = Callable[[FunctionScope, ast.Call, list[Abstract], dict[str, Abstract]], Abstract]
"""Compiles a call with these positional and keyword arguments."""

FunctionRule = Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]

MethodRule = Callable[[FunctionScope, ast.Call, Abstract, BoundArguments], Abstract]

NumberCall = Callable[[FunctionScope, ast.Call, Any, list[Abstract]], Abstract]
"""Compiles a call of a function that takes numbers, in order."""


@dataclass(frozen=True, eq=False)
class Supported:
    """A function, or a method of arrays, that programs may call.

    `samples` are lists of arguments, the array first for a method. `lazy`: it takes array expressions that are not in
    memory. `numbers`: how many numbers it takes, where it is a function of numbers (of arrays element by element).
    """

    function: Any
    name: str
    call: CallHandler
    about: str
    samples: tuple[str, ...]
    lazy: bool = False
    numbers: int = 0

    @property
    def expressions(self) -> list[str]:
        """The samples as programs write them."""
        if not self.name.startswith("."):
            return [f"{self.name}({sample})" for sample in self.samples]
        calls = [ast.parse(f"f({sample})", mode="eval").body for sample in self.samples]
        return [
            f"({ast.unparse(call.args[0])}){self.name}({', '.join(map(ast.unparse, (*call.args[1:], *call.keywords)))})"
            for call in calls
            if isinstance(call, ast.Call)
        ]


FUNCTIONS: dict[Any, Supported] = {}
METHODS: dict[str, Supported] = {}

OLDER = {"amax": "max", "amin": "min", "bool": "bool_"}
"""What NumPy's functions are called in other versions."""


def spelled(function: Any) -> str:
    """A function's name as programs write it."""
    name: str = function.__name__
    if isinstance(owner := getattr(function, "__self__", None), np.ufunc):
        return f"np.{owner.__name__}.{name}"
    for module, prefix in (
        (builtins, ""),
        (math, "math."),
        (np, "np."),
        (np.linalg, "np.linalg."),
        (functools, "functools."),
        (warnings, "warnings."),
        (logging, "logging."),
    ):
        if getattr(module, name, None) is function:
            return prefix + (OLDER.get(name, name) if module is np else name)
    return f"np.{OLDER.get(name, name)}"


def register(
    function: Any, call: CallHandler, about: str, samples: tuple[str, ...], lazy: bool = False, numbers: int = 0
) -> None:
    """Enter a function in the table, once."""
    assert function not in FUNCTIONS, function
    FUNCTIONS[function] = Supported(function, spelled(function), call, about, samples, lazy, numbers)


# NumPy's functions of arrays ------------------------------------------------------------------------------------------


def parameters(
    scope: FunctionScope,
    node: ast.Call,
    names: Sequence[str],
    args: list[Abstract],
    named: dict[str, Abstract],
    least: int = 1,
) -> BoundArguments | None:
    """Arguments by name; reports those that are not supported."""
    function = ast.unparse(node.func)
    found = dict(zip(names, args, strict=False))
    for key, value in named.items():
        if key not in names or key in found:
            scope.error(node, f"{function}(..., {key}=...) is not supported", f"leave `{key}=` out")
            return None
        found[key] = value
    if len(args) > len(names) or len(found) < least:
        scope.error(node, f"{function} does not take these {len(args)} arguments here")
        return None
    return None if any(isinstance(v, Poison) for v in found.values()) else found


def numpy_call(
    *functions: Any, samples: tuple[str, ...], about: str, method: str = ""
) -> Callable[[CallHandler], CallHandler]:
    """Register NumPy functions that look at their arguments themselves, and the method of arrays that is the same."""

    def decorate(call: CallHandler) -> CallHandler:
        for function in functions:
            register(function, call, about, samples, lazy=True)
        if method:
            METHODS[method] = Supported(method, f".{method}", call, about, samples, lazy=True)
        return call

    return decorate


def numpy_function(
    *functions: Any, takes: str, least: int = 1, samples: tuple[str, ...], about: str, method: str = ""
) -> Callable[[FunctionRule], FunctionRule]:
    """Register NumPy functions of arrays, and the method of arrays that is the same."""
    names = takes.split()

    def decorate(rule: FunctionRule) -> FunctionRule:
        def call(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
            found = parameters(scope, node, names, args, named, least)
            return POISON if found is None else rule(scope, node, found)

        numpy_call(*functions, samples=samples, about=about, method=method)(call)
        return rule

    return decorate


def array_method(
    name: str, *, takes: str = "", samples: tuple[str, ...], about: str
) -> Callable[[MethodRule], MethodRule]:
    """Register a method of arrays that is no function; all its parameters have to be given."""
    names = takes.split()

    def decorate(rule: MethodRule) -> MethodRule:
        def call(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
            owner, *others = args
            found = parameters(scope, node, names, others, named, len(names))
            return POISON if found is None else rule(scope, node, owner, found)

        METHODS[name] = Supported(name, f".{name}", call, about, samples, lazy=True)
        return rule

    return decorate


# Functions of numbers -------------------------------------------------------------------------------------------------


def number_function(
    function: Any, apply: NumberCall, numbers: int, about: str, samples: tuple[str, ...], lazy: bool = True
) -> None:
    """Register a function of numbers, which has no keywords."""

    def call(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        if named:
            return scope.error(node, f"the argument `{next(iter(named))}=` is not supported here", "leave it out")
        result = apply(scope, node, function, args)
        return result.at([]) if isinstance(result, Lazy) and not result.rank else result

    register(function, call, about, samples, lazy, numbers)


def wrong_number(scope: FunctionScope, node: ast.Call, name: str) -> Abstract:
    return scope.error(node, f"{name} is called with a number of arguments that it does not take")


# Python's functions ---------------------------------------------------------------------------------------------------


def python_function(
    *functions: Any,
    least: int = 1,
    most: int | None = 1,
    keywords: tuple[str, ...] = (),
    samples: tuple[str, ...],
    about: str,
    lazy: bool = False,
) -> Callable[[CallHandler], CallHandler]:
    """Register builtins, which take from `least` to `most` arguments (None: any number of them)."""

    def decorate(rule: CallHandler) -> CallHandler:
        def checked(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
            name = ast.unparse(node.func)
            for key in named:
                if key not in keywords:
                    return scope.error(node, f"{name}(..., {key}=...) is not supported", f"leave `{key}` out")
            if len(args) < least or (most is not None and len(args) > most):
                return scope.error(node, f"{name} does not take {len(args)} arguments")
            return rule(scope, node, args, named)

        for function in functions:
            register(function, checked, about, samples, lazy)
        return rule

    return decorate
