"""What a value is where a number or a truth is wanted."""

from __future__ import annotations

import ast
import types

from adcore.frontend.numpy.elements import load
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import (
    FALSE,
    TRUE,
    Abstract,
    Array,
    Conflict,
    Const,
    Num,
    Poison,
    is_array,
    is_scalar,
)
from adcore.frontend.values.scalars import compare, truth
from adcore.frontend.values.sequences import is_sequence, sequence_length


def scalar(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    """A 0-d array read as the number that it holds."""
    return load(frame, value, ()) if isinstance(value, Array) and value.rank == 0 else value


def condition(frame: Frame, node: ast.AST, value: Abstract) -> Const | Num:
    """The truth of a value, as a bool; reports what has none."""
    value = scalar(frame, node, value)
    if isinstance(value, (Poison, Conflict)):
        return FALSE
    if isinstance(value, Const) and not is_scalar(value):
        return Const(bool(value.value)) if not isinstance(value.value, types.ModuleType) else TRUE
    if is_scalar(value):
        result = truth(frame, value)
        assert isinstance(result, (Const, Num))
        return result
    if is_array(value):
        frame.error(node, "the truth of an array is ambiguous", "compare an element, or use len(x) > 0")
        return FALSE
    if is_sequence(value):
        result = compare(frame, node, ast.NotEq, sequence_length(frame, value), Const(0))
        assert isinstance(result, (Const, Num))
        return result
    return TRUE
