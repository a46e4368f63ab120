"""Compile IR text and run it natively beside the interpreter."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from adcore.ir import Function, interpret, parse_function, verify
from adcore.lower import Lowered, emit, lower
from adcore.ops import TABLE
from adcore.runtime.loading.linker import Loaded, load
from tests.lower.calling import call, pack


class Native:
    """A compiled function that is called with NumPy arguments."""

    def __init__(self, function: Function | str, **options: Any) -> None:
        self.function = parse_function(function) if isinstance(function, str) else function
        verify(self.function, TABLE)
        self.lowered: Lowered = lower(self.function, **options)
        self.artifact = emit(self.lowered)
        exports = [self.lowered.name, *(s.symbol for s in self.lowered.allocation_sites)]
        self.loaded: Loaded = load(self.artifact.object_code, exports)
        self.workspace_used = -1

    def __call__(self, *arguments: Any, workspace: int = 1 << 20) -> tuple[Any, ...]:
        frame = pack(self.lowered.layout, arguments, workspace)
        try:
            return call(self.loaded[self.lowered.name], self.lowered, frame)
        finally:
            self.workspace_used = frame.workspace_used


def same(a: Any, b: Any, tolerance: float) -> bool:
    """Equal, NaN included; floats within `tolerance` units of the last place of float64 (relative)."""
    return bool(np.all(np.isclose(a, b, rtol=tolerance, atol=0.0, equal_nan=True) | (np.asarray(a) == np.asarray(b))))


def agree(program: str | Native, *arguments: Any, tolerance: float = 1e-14, **options: Any) -> Native:
    """Run `program` natively and in the interpreter on copies of `arguments`; results, writes and errors must agree."""
    native = program if isinstance(program, Native) else Native(program, **options)
    mine, theirs = copy.deepcopy(arguments), copy.deepcopy(arguments)
    expected, expected_error = _outcome(lambda: interpret(native.function, TABLE, theirs))
    actual, actual_error = _outcome(lambda: native(*mine))
    assert type(actual_error) is type(expected_error), (actual_error, expected_error)
    assert str(actual_error) == str(expected_error)
    for a, b in zip((*actual, *mine), (*expected, *theirs), strict=True):
        pairs = zip(a, b, strict=True) if isinstance(a, list) else ((a, b),)
        assert all(same(p, q, tolerance) for p, q in pairs), (a, b)
    return native


def _outcome(run: Any) -> tuple[tuple[Any, ...], Exception | None]:
    try:
        return run(), None
    except (ArithmeticError, IndexError, ValueError) as error:
        return (), error
