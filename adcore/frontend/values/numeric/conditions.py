"""What a value is where a number or a truth is wanted."""

from __future__ import annotations

import ast
import types

from adcore.frontend.numpy.elements import load
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    FALSE,
    TRUE,
    Abstract,
    ArrayRef,
    Conflict,
    Constant,
    DictRef,
    Num,
    ObjectRef,
    OutsideDict,
    Poison,
    PossiblyNone,
    Record,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.dicts import keys_of
from adcore.frontend.values.containers.growing import as_list
from adcore.frontend.values.containers.sequences import is_sequence, sequence_length
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import compare, truth
from adcore.ir.types import BOOL


def scalar(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """A 0-d array read as the number that it holds."""
    return load(scope, value, ()) if isinstance(value, ArrayRef) and value.rank == 0 else value


def condition(scope: FunctionScope, node: ast.AST, value: Abstract) -> Constant | Num:
    """The truth of a value, as a bool; reports what has none."""
    value = scalar(scope, node, as_list(scope, value))
    if isinstance(value, PossiblyNone):
        inside = condition(scope, node, value.inner)
        there = materialise(scope, value.bound, BOOL)
        return Num(scope.emit("and", there, materialise(scope, inside, BOOL)))
    if isinstance(value, (Poison, Conflict)):
        return FALSE
    if isinstance(value, Constant) and not is_scalar(value):
        return Constant(bool(value.value)) if not isinstance(value.value, types.ModuleType) else TRUE
    if isinstance(value, (ObjectRef, Record)):
        for name in ("__bool__", "__len__"):
            found = scope.special(node, value, name)
            if found is not None:
                return condition(scope, node, found)
    if is_scalar(value):
        result = truth(scope, value)
        assert isinstance(result, (Constant, Num))
        return result
    if is_array(value):
        scope.error(node, "the truth of an array is ambiguous", "compare an element, or use len(x) > 0")
        return FALSE
    if isinstance(value, (DictRef, OutsideDict)):
        return Constant(bool(keys_of(scope, value)))
    if is_sequence(value):
        result = compare(scope, node, ast.NotEq, sequence_length(scope, value), Constant(0))
        assert isinstance(result, (Constant, Num))
        return result
    return TRUE
