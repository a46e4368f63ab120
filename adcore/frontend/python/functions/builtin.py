"""How builtins are registered."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from adcore.frontend.numpy.elements import load
from adcore.frontend.registry import CallHandler, python_function
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
)
from adcore.frontend.values.containers.iterables import consume

Named = dict[str, Abstract]


def builtin(
    function: Any,
    least: int = 1,
    most: int | None = 1,
    *keywords: str,
    samples: tuple[str, ...],
    about: str,
    lazy: bool = False,
) -> Callable[[CallHandler], CallHandler]:
    """Register a builtin. It sees numbers for arrays without axes, and uses up the iterators that it is given."""

    def decorate(rule: CallHandler) -> CallHandler:
        def call(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: Named) -> Abstract:
            return rule(scope, node, [_taken(scope, node, a) for a in args], named)

        python_function(function, least=least, most=most, keywords=keywords, samples=samples, about=about, lazy=lazy)(
            call
        )
        return rule

    return decorate


def _taken(scope: FunctionScope, node: ast.Call, value: Abstract) -> Abstract:
    return load(scope, value, ()) if isinstance(value, ArrayRef) and value.rank == 0 else consume(scope, node, value)
