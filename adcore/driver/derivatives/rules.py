"""`ad.rule`: derivatives that the user knows better, and functions that only exist as machine code.

    def root(a):                                  # Newton's method: its derivative needs no loop
        x = a
        for _ in range(60):
            x -= (x * x - a) / (2.0 * x)
        return x

    @ad.rule(root)
    class _:
        def adjoint(a, result, cotangent):        # of the arguments, the result, and the result's cotangent
            return cotangent / (2.0 * result)     # one cotangent per float argument, a tuple where there are several

        def tangent(a, result, d_a):              # of the arguments, the result, a tangent per float argument
            return d_a / (2.0 * result)

    libm = ctypes.CDLL("libm.so.6")
    libm.cbrt.argtypes, libm.cbrt.restype = [ctypes.c_double], ctypes.c_double
    cbrt = ad.rule(libm.cbrt, adjoint=lambda x, r, ct: ct * r / (3.0 * x), allocates=False, reason="table look-ups")

One of the two is enough: the other follows, since both are linear in what they propagate. Rules are plain Python
functions, compiled as any other; second derivatives differentiate them, and use the rule again where they call the
function itself. A rule holds wherever compiled code calls the function. What has a rule must be pure: the same numbers
in, the same number out, no other effect; the reverse sweep may call it again.
"""

from __future__ import annotations

import ctypes
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adcore.captures import unwrap
from adcore.runtime.values.arguments import refuse
from adcore.signature import ScalarArg

if TYPE_CHECKING:
    from adcore.frontend.custom_derivatives import Rule
    from adcore.ops.define import Native

# The frontend is imported where a rule is given to it: asking for the `generation` needs none of it.

C_TYPES: dict[Any, str] = {
    ctypes.c_double: "f64", ctypes.c_float: "f32", ctypes.c_int8: "i8", ctypes.c_int16: "i16", ctypes.c_int32: "i32",
    ctypes.c_int64: "i64", ctypes.c_uint8: "u8", ctypes.c_uint16: "u16", ctypes.c_uint32: "u32", ctypes.c_uint64: "u64",
    float: "f64", int: "i64",
}  # fmt: skip
_symbols: dict[str, int] = {}
_generation = [0]


def generation() -> int:
    """Changes with every rule: code compiled before may call a function that has a rule by now."""
    return _generation[0]


def rule(
    function: Any,
    *,
    tangent: Callable[..., Any] | None = None,
    adjoint: Callable[..., Any] | None = None,
    primal: Any = None,
    argtypes: Sequence[Any] | None = None,
    restype: Any = float,
    allocates: bool | None = None,
    reason: str = "",
) -> Any:
    """Give `function` a tangent, an adjoint, or both; returns what can be called in its place.

    `function`: a Python function, a ctypes function pointer, or an address (with `argtypes`, of ctypes types or float
    and int, and `restype`). `primal` stands in for a function that can't be compiled: a Python or a native one.
    Without `tangent` and `adjoint` the result decorates a class that holds them.
    The certificate calls native code not proven unless `allocates=False` is declared with a `reason`.
    Raises ArgumentError for rules that do not fit.
    """
    body = _Body(function if primal is None else primal, argtypes, restype, allocates, reason)
    if tangent is None and adjoint is None:
        return _decorator(function, body)
    return _registered(function, body, tangent, adjoint)


@dataclass(frozen=True)
class _Body:
    """What stands for a function in compiled code: a Python one, or a native one, its types and its promises."""

    function: Any
    argtypes: Sequence[Any] | None
    restype: Any
    allocates: bool | None
    reason: str

    @property
    def is_native(self) -> bool:
        return isinstance(self.function, int) or _is_pointer(self.function)


def _registered(
    function: Any, body: _Body, tangent: Callable[..., Any] | None, adjoint: Callable[..., Any] | None
) -> Rule:
    """The rule, which holds from now on."""
    from adcore.frontend.custom_derivatives import Rule, register

    name = re.sub(r"\W", "_", getattr(function, "__name__", "") or "native") or "native"
    if body.is_native:
        types = _types(body)
        native = _native(name, body, types)
        call = native.call if isinstance(function, int) else function
        made = Rule(call, name, tangent, adjoint, native=native, types=types)
        count = len(types) - 1
    else:
        plain = unwrap(body.function)
        if not inspect.isfunction(plain):
            refuse(
                f"{body.function!r} has no Python source and no address",
                help="give primal=: a Python function that adcore can compile, or a ctypes function pointer",
            )
        made = Rule(function, name, tangent, adjoint, primal=plain)
        count = _count(plain, name)
    for what, given, least, most in (("tangent", tangent, 1, count), ("adjoint", adjoint, 1, 1)):
        _check(what, given, name, count, count + 1 + least, count + 1 + most)
    register(made)
    _generation[0] += 1
    return made


def _decorator(function: Any, body: _Body) -> Callable[[type], Any]:
    def decorate(cls: type) -> Any:
        tangent, adjoint = getattr(cls, "tangent", None), getattr(cls, "adjoint", None)
        if tangent is None and adjoint is None:
            name = getattr(cls, "__name__", cls)
            refuse(f"{name} defines neither `tangent` nor `adjoint`", help="define one of them")
        return _registered(function, body, tangent, adjoint)

    return decorate


def _is_pointer(value: Any) -> bool:
    return isinstance(value, ctypes._CFuncPtr)  # type: ignore[attr-defined]


def _types(body: _Body) -> tuple[ScalarArg, ...]:
    argtypes, restype = body.argtypes, body.restype
    if _is_pointer(body.function):
        argtypes = body.function.argtypes or getattr(body.function, "_argtypes_", None)
        restype = body.function.restype
    if argtypes is None or restype is None:
        refuse(
            "the types of a native function are not known",
            help="set its argtypes and restype, or pass argtypes=[ctypes.c_double], restype=ctypes.c_double",
        )
    unknown = [t for t in (*argtypes, restype) if t not in C_TYPES]
    if unknown or C_TYPES[restype][0] != "f":
        refuse("a rule is for a native function of numbers that returns a float or a double")
    return tuple(ScalarArg(C_TYPES[t], C_TYPES[t] in ("f64", "i64")) for t in (*argtypes, restype))


NEEDS_GIL = 4
"""What `_flags_` of a ctypes function has where it was made by PYFUNCTYPE or PyDLL: it is called with the GIL held."""


def _native(name: str, body: _Body, types: tuple[ScalarArg, ...]) -> Native:
    if body.allocates is False and not body.reason:
        refuse(f"{name} is declared not to allocate, without a reason", help='say why: reason="..."')
    given = body.function
    if getattr(given, "_flags_", 0) & NEEDS_GIL:
        refuse(
            f"{name} needs the GIL, and kernels that take long run without it",
            help="make it with ctypes.CFUNCTYPE, or load its library with ctypes.CDLL",
        )
    address = given if isinstance(given, int) else ctypes.cast(given, ctypes.c_void_p).value
    if not address:
        refuse(f"{name} has no address")
    from adcore.ops.define import Native

    # One name for one address: functions of the same name may meet in one object.
    number = _symbols[name] = _symbols.get(name, 0) + 1
    call = given
    if isinstance(given, int):
        named: dict[str, Any] = {ours: theirs for theirs, ours in C_TYPES.items() if theirs not in (float, int)}
        *arguments, result = [named[t.dtype] for t in types]
        call = ctypes.CFUNCTYPE(result, *arguments)(given)
    return Native(f"adcore_rule_{name}{'' if number == 1 else f'_{number}'}", address, call,
                  body.reason if body.allocates is False else "")  # fmt: skip


def _count(function: Callable[..., Any], name: str) -> int:
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        refuse(f"{name} takes `*` or `**` arguments: a rule needs to know how many there are")
    return len(parameters)


def _check(what: str, given: Callable[..., Any] | None, name: str, count: int, least: int, most: int) -> None:
    if given is None:
        return
    if not inspect.isfunction(unwrap(given)):
        refuse(f"the {what} of {name} is {given!r}; it must be a Python function")
    found = len(inspect.signature(given).parameters)
    if not least <= found <= most:
        extra = "the result and a tangent per float argument" if what == "tangent" else "the result and its cotangent"
        needed = least if least == most else f"{least} to {most}"
        refuse(
            f"the {what} of {name} takes {found} arguments; it needs {needed}",
            notes=(f"the {count} of {name}, {extra}",),
        )


__all__ = ["generation", "rule"]
