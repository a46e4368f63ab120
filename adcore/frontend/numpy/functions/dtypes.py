"""Arguments that are dtypes, shapes and constants."""

from __future__ import annotations

import ast

import numpy as np

from adcore.frontend.numpy.indexing.integers import integer
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    Abstract,
    Constant,
    Items,
    ListRef,
    Num,
)
from adcore.frontend.values.containers.sequences import static_items
from adcore.ir.types import NUMPY_NAMES, SCALARS, Scalar


def element_type(scope: FunctionScope, node: ast.AST, dtype: Abstract | None, default: Scalar) -> Scalar | None:
    """The element type that `dtype=` names."""
    if dtype is None or dtype is NONE or (isinstance(dtype, Constant) and dtype.value is None):
        return default
    if isinstance(dtype, Constant):
        try:
            name = np.dtype(dtype.value).name
        except TypeError:
            name = ""
        for ir_name, numpy_name in NUMPY_NAMES.items():
            if numpy_name == name:
                return SCALARS[ir_name]
    scope.error(node, "this dtype is not supported", "use np.float64, np.float32, np.int64 or np.bool_")
    return None


def sizes(scope: FunctionScope, node: ast.AST, shape: Abstract) -> tuple[Abstract, ...] | None:
    """A shape argument as one integer per axis."""
    parts = static_items(scope, shape) if isinstance(shape, (Items, ListRef)) else (shape,)
    found: list[Abstract] = []
    for part in parts:
        value = integer(scope, node, part)
        if value is None:
            return None
        found.append(part if isinstance(part, Constant) else Num(value))
    return tuple(found)


def constant(scope: FunctionScope, node: ast.AST, value: Abstract | None, default: int, what: str) -> int | None:
    """An integer argument that must be known while compiling."""
    if value is None or value is NONE:
        return default
    found = as_static_int(value)
    if found is None:
        scope.error(node, f"`{what}` must be known while compiling", "write it as a number")
    return found
