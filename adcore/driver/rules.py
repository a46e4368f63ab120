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
from typing import TYPE_CHECKING, Any

from adcore.captures import unwrap
from adcore.runtime.arguments import refuse
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
    from adcore.frontend.custom_derivatives import Rule, register

    if tangent is None and adjoint is None:
        how = {"primal": primal, "argtypes": argtypes, "restype": restype, "allocates": allocates, "reason": reason}
        return _decorator(function, how)
    body = function if primal is None else primal
    name = re.sub(r"\W", "_", getattr(function, "__name__", "") or "native") or "native"
    made: Rule
    if isinstance(body, int) or _is_pointer(body):
        types = _types(body, argtypes, restype)
        native = _native(name, body, types, allocates, reason)
        call = native.call if isinstance(function, int) else function
        made = Rule(call, name, tangent, adjoint, native=native, types=types)
        count = len(types) - 1
    else:
        plain = unwrap(body)
        if not inspect.isfunction(plain):
            refuse(
                f"{body!r} has no Python source and no address",
                help="give primal=: a Python function that adcore can compile, or a ctypes function pointer",
            )
        made = Rule(function, name, tangent, adjoint, primal=plain)
        count = _count(plain, name)
    for what, given, least, most in (("tangent", tangent, 1, count), ("adjoint", adjoint, 1, 1)):
        _check(what, given, name, count, count + 1 + least, count + 1 + most)
    register(made)
    _generation[0] += 1
    return made


def _decorator(function: Any, options: dict[str, Any]) -> Callable[[type], Any]:
    def decorate(cls: type) -> Any:
        tangent, adjoint = getattr(cls, "tangent", None), getattr(cls, "adjoint", None)
        if tangent is None and adjoint is None:
            name = getattr(cls, "__name__", cls)
            refuse(f"{name} defines neither `tangent` nor `adjoint`", help="define one of them")
        return rule(function, tangent=tangent, adjoint=adjoint, **options)

    return decorate


def _is_pointer(value: Any) -> bool:
    return isinstance(value, ctypes._CFuncPtr)  # type: ignore[attr-defined]


def _types(body: Any, argtypes: Sequence[Any] | None, restype: Any) -> tuple[ScalarArg, ...]:
    if _is_pointer(body):
        argtypes = body.argtypes or getattr(body, "_argtypes_", None)
        restype = body.restype
    if argtypes is None or restype is None:
        refuse(
            "the types of a native function are not known",
            help="set its argtypes and restype, or pass argtypes=[ctypes.c_double], restype=ctypes.c_double",
        )
    unknown = [t for t in (*argtypes, restype) if t not in C_TYPES]
    if unknown or C_TYPES[restype][0] != "f":
        refuse("a rule is for a native function of numbers that returns a float or a double")
    return tuple(ScalarArg(C_TYPES[t], C_TYPES[t] in ("f64", "i64")) for t in (*argtypes, restype))


def _native(name: str, body: Any, types: tuple[ScalarArg, ...], allocates: bool | None, reason: str) -> Native:
    if allocates is False and not reason:
        refuse(f"{name} is declared not to allocate, without a reason", help='say why: reason="..."')
    address = body if isinstance(body, int) else ctypes.cast(body, ctypes.c_void_p).value
    if not address:
        refuse(f"{name} has no address")
    from adcore.ops.define import Native

    # One name for one address: functions of the same name may meet in one object.
    number = _symbols[name] = _symbols.get(name, 0) + 1
    call = body
    if isinstance(body, int):
        named: dict[str, Any] = {ours: theirs for theirs, ours in C_TYPES.items() if theirs not in (float, int)}
        *arguments, result = [named[t.dtype] for t in types]
        call = ctypes.CFUNCTYPE(result, *arguments)(body)
    return Native(f"adcore_rule_{name}{'' if number == 1 else f'_{number}'}", address, call,
                  reason if allocates is False else "")  # fmt: skip


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
