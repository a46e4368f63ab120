"""Arguments of functions of numbers."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.elements import load
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    STRONG,
    Abstract,
    ArrayRef,
    Items,
    ListRef,
    Num,
    Poison,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.narrow import narrow_of
from adcore.frontend.values.numeric.numbers import materialise


def scalar(scope: FunctionScope, value: Abstract) -> Abstract:
    """A 0-d array read as the number that it holds."""
    return load(scope, value, ()) if isinstance(value, ArrayRef) and value.rank == 0 else value


def by_elements(values: list[Abstract]) -> bool:
    """Whether a function of NumPy's has an array among its arguments, or a number whose type NumPy has to be asked for:
    then its result is an array expression, without axes if there is no array. A list or tuple is an array to NumPy."""
    narrow = any(narrow_of(v) is not None for v in values) and any(isinstance(v, Num) for v in values)
    return narrow or any(is_array(v) or isinstance(v, (Items, ListRef)) for v in values)


def scalar_arguments(
    scope: FunctionScope, node: ast.AST, name: str, arguments: list[Abstract]
) -> list[Abstract] | None:
    """The arguments as numbers (0-d arrays loaded); reports what is none."""
    found = [scalar(scope, a) for a in arguments]
    for value in found:
        if isinstance(value, Poison):
            return None
        if isinstance(value, ArrayRef) or is_array(value):
            help = f"call {name} on elements, in a loop" + ("" if name[:3] == "np." else "; np.* functions take arrays")
            scope.error(node, f"{name} is called on an array", help)
            return None
        if not is_scalar(value):
            scope.error(node, f"{name} does not take {describe(value)}")
            return None
    return found


def strong(scope: FunctionScope, value: Abstract) -> Num:
    """A number as one of NumPy's: it no longer adapts to other types."""
    return Num(materialise(scope, value), STRONG, narrow_of(value))
