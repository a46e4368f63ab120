"""Integer subscripts."""

from __future__ import annotations

import ast

from adcore.frontend.numpy.elements import ARRAY_EXPRESSIONS, load
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    Constant,
    Num,
    Poison,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import refused_bool
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64


def integer(scope: FunctionScope, node: ast.AST, value: Abstract) -> Value | None:
    """An integer subscript as an IR value; reports anything else."""
    if isinstance(value, ArrayRef) and value.rank == 0 and value.element.kind in "iu":
        value = load(scope, value, ())
    if isinstance(value, Constant) and as_static_int(value) is None:
        scope.error(node, f"a subscript can't be {describe(value)}")
        return None
    if isinstance(value, ArrayRef):
        scope.error(node, "a subscript that is an array is not supported here", ARRAY_EXPRESSIONS)
        return None
    if not is_scalar(value):
        if not isinstance(value, Poison):
            scope.error(node, f"a subscript can't be {describe(value)}")
        return None
    if isinstance(value, Num) and value.type.kind == "f":
        scope.error(node, "a subscript must be an integer, not a float", "write int(...) around it")
        return None
    if refused_bool(scope, node, "a subscript or a length can't be", value) is not None:
        return None
    if isinstance(value, Num) and value.type == BOOL:
        return scope.emit("cast", value.value, type="i64")
    return materialise(scope, value, I64)


def normalised(scope: FunctionScope, index: Value, length: Abstract, axis: int = 0) -> Value:
    """`index` as Python takes it: negative counts from the end, outside raises IndexError."""
    return scope.emit("index", index, materialise(scope, length, I64), axis=axis)
