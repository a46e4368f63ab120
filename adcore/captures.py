"""Globals and closure variables that a compiled function reads.

Python looks them up at each call. Numbers, tuples and functions are baked into the code, together with how to read them
again, so that whoever calls the code can notice a change and compile anew; arrays become extra parameters.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adcore.ir.types import NUMPY_NAMES
from adcore.signature import ArrayArg


@dataclass(frozen=True, eq=False)
class Capture:
    """One outside variable. `arg` is given for an array, which is the next extra parameter; otherwise `value` is baked
    in. `fetch()` reads the variable as Python would now (and raises what Python raises).

    `key` says where it stands, and is the same for the same variable: the identity of a namespace and a name in it, or
    that of a closure's cell, and then steps: a subscript, a field's name, or `len`, `type`, `CodeType` for that of the
    value so far."""

    path: str
    fetch: Callable[[], Any]
    value: Any
    arg: ArrayArg | None = None
    key: tuple[object, ...] = ()

    def unchanged(self) -> bool:
        """Whether code that was compiled with this capture still means what Python means."""
        try:
            now = self.fetch()
        except (LookupError, NameError, AttributeError, ValueError):
            return False
        if self.arg is not None:
            return array_arg(now) == self.arg
        return same_value(now, self.value)


def array_arg(value: Any) -> ArrayArg | None:
    """The kind of an array (None for anything else, and for element types that can't be compiled)."""
    import numpy as np

    if not isinstance(value, np.ndarray):
        return None
    name = {numpy_name: name for name, numpy_name in NUMPY_NAMES.items()}.get(value.dtype.name)
    if name is None or not value.dtype.isnative:
        return None
    plain = value.flags.c_contiguous and value.flags.aligned
    return ArrayArg(name, value.ndim, "C" if plain else "S", value.flags.writeable)


def same_value(a: Any, b: Any) -> bool:
    """Same type and, for numbers and tuples of them, same value to the bit; otherwise the same object."""
    if a is b:
        return not isinstance(a, list)
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return bool(a.hex() == b.hex())
    if isinstance(a, (int, str, bytes)):
        return bool(a == b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, types.CodeType):
        return bool(a == b)
    if hasattr(a, "tobytes"):
        return bool(a.tobytes() == b.tobytes())
    return False


def unwrap(function: Any) -> Any:
    """The plain function inside `@differentiable`, Numba and `functools.wraps` wrappers."""
    seen = 0
    while not isinstance(function, types.FunctionType) and seen < 16:
        inner = getattr(function, "py_func", None) or getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function, seen = inner, seen + 1
    return function
