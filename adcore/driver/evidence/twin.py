"""Twins: a function and its gradient as native code in other numbers than the program's own.

The same IR with every float in 80 bits says what the program computes but for rounding, and how much the program's own
numbers lose: for arrays that are too large to be run over jets (`adcore.jets`). The gradient's twin shares its rules
with the gradient; the twin of the function does not, so differences of the one are held against the other first.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adcore.abi.frame import FrameLayout
from adcore.driver.calls.binding import bind, python_function
from adcore.driver.calls.call import Call
from adcore.driver.evidence.no_reference import NoReference
from adcore.driver.request import Options, Variant, standard_ops
from adcore.driver.specialisations import PrimalSpecialisation
from adcore.ir.core import Function, walk
from adcore.ir.types import F32, F64, F80, Scalar
from adcore.runtime.calls import Kernel
from adcore.runtime.values.leaves import LeafValue, flatten

NUMPY: Mapping[str, Any] = {"f80": np.longdouble, "f64": np.float64, "f32": np.float32}
KINDS: Mapping[str, Scalar] = {"f80": F80, "f64": F64, "f32": F32}
WITHOUT = frozenset({"polygamma", "round_decimal", "native"})
"""Ops that have no 80-bit version."""


_kernels: weakref.WeakKeyDictionary[PrimalSpecialisation, dict[Any, Kernel]] = weakref.WeakKeyDictionary()


def has_long_double() -> bool:
    """Whether this machine has 80-bit arithmetic that NumPy knows."""
    import platform

    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return x86 and sys.platform.startswith("linux") and int(np.finfo(np.longdouble).nmant) == 63


class Twin:
    """A function at arguments, in other numbers. `numbers`: see `evidence.reference`; `chosen`: the arguments by
    which derivatives are taken. Raises NoReference where there is none, and what compiling raises."""

    def __init__(
        self, function: Callable[..., Any], args: Sequence[Any], numbers: Sequence[Any], chosen: Sequence[int]
    ) -> None:
        if not has_long_double():
            raise NoReference("this machine has no 80-bit numbers")
        python = python_function(function)
        names, arguments = bind(python, tuple(args), {})
        call = Call(python, names, arguments, Options(), chosen)
        if call.groups:
            raise NoReference(f"arguments of {python.__name__} share memory that it writes into")
        self._call = call
        marks = flatten(call.signature.args, numbers).values
        self._marks = [*marks, *[None] * (len(call.values) - len(marks))]
        self.single = any(
            isinstance(v.type, Scalar) and v.type == F32 for i in walk(call.primal.function.region) for v in i.results
        )

    def value(self, vector: Any) -> Any:
        """The function's value at a vector of long doubles, in long double."""
        out = np.zeros(len(self._call.result_types), np.longdouble)
        self._kernel("value", F80)([*self._values(vector, np.longdouble), out])
        return out[0]

    def rounded_value(self, vector: Any) -> float:
        """The same in the program's own numbers, each operation rounded as Python rounds it."""
        to = F32 if self.single else F64
        out = np.zeros(len(self._call.result_types), NUMPY[to.name])
        self._kernel("value", to)([*self._values(vector, NUMPY[to.name]), out])
        return float(out[0])

    def gradient(self, vector: Any, kind: str = "f80") -> Any:
        """The gradient by the compiler's own reverse mode, in numbers of a kind ("f80", "f64", "f32")."""
        call, dtype = self._call, NUMPY[kind]
        values = self._values(vector, dtype)
        shadows = {k: _map(np.zeros_like, values[k]) for k in call.duplicated}
        out = np.zeros(len(call.result_types) + len(values), dtype)
        self._kernel("gradient", KINDS[kind])([*values, *shadows.values(), np.ones(1, dtype), out])
        found = np.zeros(len(vector), dtype)
        active = iter(out[len(call.result_types) :])
        for k, kind_of in enumerate(call.kinds):
            if kind_of == "duplicated":
                for shadow, mark in zip(_parts(shadows[k]), _parts(self._marks[k]), strict=True):
                    self._collect(found, shadow, mark)
            elif kind_of == "active":
                self._collect(found, np.array([next(active)], dtype), np.array([self._marks[k]]))
        return found

    def _collect(self, found: Any, shadow: Any, mark: Any) -> None:
        places = np.asarray(mark).reshape(-1).astype(np.int64)
        found[places[places > 0] - 1] = shadow.reshape(-1)[places > 0]

    def _values(self, vector: Any, dtype: Any) -> list[Any]:
        """The leaves with `vector` in the place of what moves; fresh copies, as the function may write into them."""
        return [_filled(v, m, vector, dtype) for v, m in zip(self._call.values, self._marks, strict=True)]

    def _kernel(self, what: str, to: Scalar) -> Kernel:
        """Compiled once for all checks of this function with these kinds of arguments."""
        made = _kernels.setdefault(self._call.primal, {})
        key = (what, to.name, self._call.kinds if what == "gradient" else ())
        if key not in made:
            function = self._gradient_ir() if what == "gradient" else self._call.primal.function
            made[key] = _compiled(function, to, as_python=what == "value" and to != F80)
        return made[key]

    def _gradient_ir(self) -> Function:
        from adcore.driver.pipeline import GRADIENT, compile_request

        call = self._call
        origin = call.primal.origin
        # Attributes that the function assigns are results as well, and not what is differentiated.
        seeds = [k < len(call.returned_types) for k in range(len(call.result_types))]
        request = origin.request(Variant((call.reverse(seeds),)))
        return compile_request(request, origin.build, until=GRADIENT).product(GRADIENT)


def _compiled(function: Function, to: Scalar, as_python: bool = False) -> Kernel:
    """`as_python`: product and sum are rounded one by one, not as one fused operation."""
    from adcore.lower import lower
    from adcore.lower.long_double import with_literals
    from adcore.lower.objects.object_code import EmitOptions, emit
    from adcore.lower.vector_math import NO_VECTOR_MATH
    from adcore.ops.messages import silenced
    from adcore.runtime.loading import linker
    from adcore.transform.canonical.inline import expand
    from adcore.transform.expansion import expand_bulk
    from adcore.transform.retyping import retyped

    ops = standard_ops()
    plain = silenced(expand_bulk(expand(function, everything=True), ops), ops.effects)
    without = {instr.op for instr in walk(plain.region)} & WITHOUT
    if without and to == F80:
        raise NoReference(f"{', '.join(without)} has no 80-bit version")
    wide = retyped(plain, to, ops)
    lowered = lower(wide, name="kernel", ops=ops, vector_math=NO_VECTOR_MATH)
    if to == F80:
        lowered = replace(lowered, text=with_literals(lowered.text))
    if as_python:
        lowered = replace(lowered, text=lowered.text.replace(" contract ", " "))
    natives = {symbol: native.address for symbol, native in lowered.natives.items()}
    loaded = linker.load(emit(lowered, EmitOptions(level=1)).object_code, ["kernel"], natives)
    layout = FrameLayout.of([v.type for v in wide.params], [])
    return Kernel(loaded["kernel"], layout, lowered.faults, function.name, frozenset(), loaded)


def _parts(value: LeafValue) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (value,)


def _map(function: Callable[[Any], Any], value: LeafValue) -> LeafValue:
    return tuple(function(v) for v in value) if isinstance(value, tuple) else function(value)


def _filled(value: LeafValue, marks: Any, vector: Any, dtype: Any) -> LeafValue:
    if isinstance(value, tuple):
        given = marks if marks is not None else [None] * len(value)
        return tuple(_filled(v, m, vector, dtype) for v, m in zip(value, given, strict=True))
    if isinstance(value, np.ndarray):
        if value.dtype.kind != "f":
            return value.copy()
        made = np.array(value, dtype, order="C")
        if marks is not None:
            places = np.asarray(marks).reshape(-1).astype(np.int64)
            made.reshape(-1)[places > 0] = vector[places[places > 0] - 1].astype(dtype)
        return made
    if isinstance(value, (float, np.floating)):
        return np.array([vector[int(marks) - 1] if marks else value]).astype(dtype)
    return value


__all__ = ["Twin", "has_long_double"]
