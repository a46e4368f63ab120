"""Globals and closure variables that a compiled function reads.

Python looks them up at each call. Numbers, tuples and functions are baked into the code, together with how to read them
again, so that whoever calls the code can notice a change and compile anew; arrays become extra parameters.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adcore.ir.types import NUMPY_NAMES
from adcore.signature import ArrayArg


class Probe(NamedTuple):
    """Where the value of a capture stands, so that one look tells that nobody has replaced it: the entry `name` of a
    namespace, an attribute `name` of a function, or (no name) the content of a cell. `before`: a namespace that must
    not have the name, because it would be found there first."""

    owner: Any
    name: str = ""
    before: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Capture:
    """One outside variable. `arg` is given for an array, which is the next extra parameter; otherwise `value` is baked
    in. `fetch()` reads the variable as Python would now (and raises what Python raises).

    `key` says where it stands, and is the same for the same variable: the identity of a namespace and a name in it, or
    that of a closure's cell, and then steps: a subscript, a field's name, ("key", k) for that entry of a dict, or
    `len`, `type`, `dict` (its keys), `CodeType` for that of the value so far."""

    path: str
    fetch: Callable[[], Any]
    value: Any
    arg: ArrayArg | None = None
    key: tuple[object, ...] = ()
    probe: Probe | None = None

    def unchanged(self) -> bool:
        """Whether code that was compiled with this capture still means what Python means."""
        try:
            now = self.fetch()
        except (LookupError, NameError, AttributeError, TypeError, ValueError):
            return False
        if self.arg is not None:
            return array_arg(now) == self.arg
        return same_value(now, self.value)


def quick_look(captures: Sequence[Capture]) -> Callable[[], bool]:
    """A function that is True only if nothing has changed, and is made for being called before every call.

    Most captures are names of functions and modules, which nobody ever replaces: to see that takes one comparison each,
    in one expression that is compiled for them.
    """
    terms: list[str] = []
    scope: dict[str, Any] = {}
    slow: list[Capture] = []
    for k, capture in enumerate(captures):
        if capture.probe is None or capture.arg is not None:
            slow.append(capture)
            continue
        owner, name, before = capture.probe
        scope |= {f"o{k}": owner, f"v{k}": capture.value, f"b{k}": before}
        if before is not None:
            terms.append(f"{name!r} not in b{k}")
        place = f"o{k}.cell_contents" if not name else f"o{k}[{name!r}]" if isinstance(owner, dict) else f"o{k}.{name}"
        terms.append(f"{place} is v{k}")
    look: Callable[[], bool] = eval(f"lambda: {' and '.join(terms) or True}", scope)

    def current() -> bool:
        try:
            if look() and (not slow or all(capture.unchanged() for capture in slow)):
                return True
        except (KeyError, AttributeError, ValueError):
            pass
        return all(capture.unchanged() for capture in captures)

    return current


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
    if isinstance(a, (int, str, bytes, frozenset)):
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
