"""Which types NumPy computes with: asked of NumPy itself, as far as it is known whether numbers are weak."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.frontend.numpy.elements import loaded
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    STRONG,
    Abstract,
    Constant,
    Lazy,
    Num,
    Poison,
    is_scalar,
)
from adcore.frontend.values.numeric.narrow import narrow_of, numpy_element, plain
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.scalars import one_type
from adcore.ir.types import BOOL, F64, I64, NUMPY_NAMES, SCALARS, Scalar


def joint_type(scope: FunctionScope, items: Sequence[Abstract]) -> Scalar:
    """The element type of an array that NumPy makes of numbers: Python's floats are float64, whatever stands by."""
    for item in items:
        one_type(scope, item)
    types = [np.dtype(NUMPY_NAMES[numpy_element(item).name]) for item in items]
    return (ir_type(np.result_type(*types)) or F64) if types else F64


def numpy_types(value: Abstract, element: Scalar) -> list[Any]:
    """What NumPy may look at to choose a type: a dtype, or Python's own type of a number, which adapts."""
    dtype = np.dtype(NUMPY_NAMES[element.name])
    if not is_scalar(value) or element == BOOL or weak_type_of(value).never:
        return [dtype]
    own = float if element.kind == "f" else int
    return [own] if weak_type_of(value).always else [own, dtype]


def ir_type(dtype: Any) -> Scalar | None:
    """The IR's type for a dtype (or for `int` and `float`, which stand for numbers that adapt)."""
    name = np.dtype(dtype).name
    return next((SCALARS[ours] for ours, theirs in NUMPY_NAMES.items() if theirs == name), None)


def loop_types(
    scope: FunctionScope, node: ast.AST, function: np.ufunc, values: Sequence[Abstract], parts: Sequence[Lazy]
) -> list[Scalar] | None:
    """The types that NumPy's inner loop takes and gives; reports what has none."""
    try:
        found = agreed(scope, node, values, parts, lambda given: _resolved(function, given))
    except TypeError as error:
        scope.error(node, f"NumPy does not do this: {str(error).splitlines()[0]}")
        return None
    if found is None:
        return None
    types = [ir_type(t) for t in found]
    if None in types:
        name = next(str(np.dtype(t)) for t in found if ir_type(t) is None)
        scope.error(node, f"NumPy computes this in {name}, which is not supported", "convert with .astype(np.float64)")
        return None
    return [t for t in types if t is not None]


def agreed(
    scope: FunctionScope,
    node: ast.AST,
    values: Sequence[Abstract],
    parts: Sequence[Lazy],
    choose: Callable[[Sequence[Any]], tuple[Any, ...]],
) -> tuple[Any, ...] | None:
    """What `choose` makes of the operands' types; reports where only a run tells whether a number is weak."""
    every = itertools.product(*(numpy_types(v, p.element) for v, p in zip(values, parts, strict=True)))
    found, *others = (choose(given) for given in every)
    if any(other != found for other in others):
        scope.error(
            node,
            "a number that is Python's on one path and NumPy's on another decides the type of this array",
            "convert it with float(...) or np.float64(...) before",
        )
        return None
    return found


def _resolved(function: np.ufunc, given: Sequence[Any]) -> tuple[Any, ...]:
    if all(isinstance(t, type) for t in given):
        # Something that is an array but holds Python's numbers: a list.
        given = [np.dtype(given[0]), *given[1:]]
    return function.resolve_dtypes((*given, *[None] * function.nout))


def converted(scope: FunctionScope, value: Abstract, wanted: Scalar) -> Abstract:
    """An element as NumPy's inner loop takes it. Constants stay as they are: they adapt by the rules for numbers."""
    known = isinstance(value, Constant) and (narrow_of(value) is None or wanted.kind in "iu")
    if known or (wanted.kind in "iu" and scalar_type(value) == I64):
        return strong_element(value)
    return Num(materialise(scope, value, I64 if wanted.kind in "iu" else wanted), STRONG)


def element_of(scope: FunctionScope, value: Abstract, wanted: Scalar) -> Abstract:
    """The result of a rule as an element of type `wanted`, in the form in which the frontend computes."""
    if isinstance(value, Poison):
        value = Constant(0)
    if wanted.kind in "iu" and wanted != I64:
        # Narrow integers wrap around.
        return loaded(scope, materialise(scope, Num(materialise(scope, value, I64)), wanted), STRONG)
    return Num(materialise(scope, value, wanted), STRONG)


# Expressions ----------------------------------------------------------------------------------------------------------


def chosen_type(
    scope: FunctionScope, node: ast.AST, values: Sequence[Abstract], parts: Sequence[Lazy]
) -> Scalar | None:
    """The type that holds elements of all operands, as np.where and np.concatenate choose it."""
    adapting = {float: 0.0, int: 0}
    found = agreed(scope, node, values, parts, lambda given: (np.result_type(*(adapting.get(t, t) for t in given)),))
    if found is None:
        return None
    type_ = ir_type(found[0])
    if type_ is None:
        scope.error(node, "NumPy computes this in a type that is not supported", "convert with .astype(np.float64)")
    return type_


def strong_element(value: Abstract) -> Abstract:
    """A number out of an array; what is known stays as it is."""
    return plain(value, STRONG) if isinstance(value, Num) or narrow_of(value) is not None else value
