"""Function pointers with fixed arguments as kernels, so that native code can call them without Python in between.

``as_kernel(call, args)`` answers with a compiled ``int32 kernel(void *)`` for a function of ctypes or cffi, for
Numba's ``cfunc`` and for what ``njit`` compiles (see ``jitted``), for anything else that offers a C function of its own
as ``.ctypes``, and for SciPy's ``LowLevelCallable``; with None for every other callable, and for signatures that are
not made of numbers, arrays and pointers alone.
"""

from __future__ import annotations

import ctypes
import re
import struct
import sys
from _ctypes import CFuncPtr
from collections.abc import Sequence
from contextlib import suppress
from ctypes import c_void_p
from dataclasses import dataclass
from typing import Any

from pytest_adalloc.hooks.count.native_calls import NativeCall, literal
from pytest_adalloc.hooks.install.process import hook_addresses, installed

PYTHON_API = 4  # ctypes' flag of functions that need the interpreter's lock


@dataclass(frozen=True)
class _Pointer:
    """A native function: its address and the LLVM types of result and parameters."""

    address: int
    result: str
    parameters: tuple[str, ...]
    needs_interpreter: bool = False


def as_kernel(call: object, args: Sequence[object]) -> NativeCall | None:
    """The call as a kernel, or None when Python has to make it."""
    if type(call).__module__.partition(".")[0] == "adcore":
        return None  # what its .ctypes takes is a frame, and not the arguments of the call
    # Numba's cfunc offers the function as .ctypes, SciPy's wrapper keeps it as .function.
    for own in (call, getattr(call, "ctypes", None), getattr(call, "function", None)):
        if isinstance(own, CFuncPtr):
            with suppress(TypeError, ctypes.ArgumentError):  # the call itself will say what is wrong
                return _from_ctypes(own, args)
            return None
    pointer = _cffi_pointer(call) or _low_level_pointer(call)
    if pointer:
        return _compiled(pointer, args, kept=(call,))
    if "numba" not in sys.modules:
        return None
    # Imported here: the hooks themselves work without NumPy.
    from pytest_adalloc.hooks.count.jitted import numba_kernel

    return numba_kernel(call, args)


def _from_ctypes(call: Any, args: Sequence[object]) -> NativeCall | None:
    types = call.argtypes if call.argtypes is not None else [_default_type(arg) for arg in args]
    result = _ctypes_type(call.restype)
    parameters = [_ctypes_type(kind) for kind in types]
    if result is None or None in parameters or len(parameters) != len(args) or call.errcheck is not None:
        return None
    address = ctypes.cast(call, c_void_p).value
    converted = [_converted(kind, arg) for kind, arg in zip(types, args, strict=True)]
    pointer = _Pointer(address or 0, result, tuple(map(str, parameters)), bool(call._flags_ & PYTHON_API))
    return _compiled(pointer, converted, kept=(call, *args, *converted))


def _default_type(arg: object) -> Any:
    """What ctypes makes of an argument without a declared type."""
    known: dict[type, Any] = {
        int: ctypes.c_int,
        bytes: ctypes.c_char_p,
        type(None): c_void_p,
        type(ctypes.byref(c_void_p())): c_void_p,
    }
    return known.get(type(arg), type(arg))


def _ctypes_type(kind: Any) -> str | None:
    if kind is None:
        return "void"
    code = getattr(kind, "_type_", None)
    if isinstance(code, str):
        if code in "PzZO":
            return "ptr" if code != "O" else None
        return {"d": "double", "f": "float"}.get(code) or _integer(ctypes.sizeof(kind), code)
    is_pointer = isinstance(kind, type) and issubclass(kind, (ctypes._Pointer, ctypes.Array, CFuncPtr))
    # NumPy's ndpointer is a class of its own that ctypes passes as an address.
    return "ptr" if is_pointer or hasattr(kind, "_ndim_") or hasattr(kind, "_shape_") else None


def _integer(size: int, code: str) -> str | None:
    return f"i{8 * size}" if code in "bBhHiIlLqQ?cu" else None


def _converted(kind: Any, value: object) -> object:
    """The argument as ctypes would pass it: a number or something with an address."""
    if isinstance(value, (int, float, bytes)) or value is None:
        return value
    convert = getattr(kind, "from_param", None)
    return convert(value) if convert and not isinstance(value, kind) else value


def _cffi_pointer(call: object) -> _Pointer | None:
    backend = sys.modules.get("_cffi_backend")
    if backend is None or not isinstance(call, backend._CDataBase):
        return None
    kind = backend.typeof(call)
    if kind.kind != "function" or kind.ellipsis:
        return None
    result, parameters = _c_type(kind.result.cname), [_c_type(part.cname) for part in kind.args]
    if result is None or None in parameters:
        return None
    address = int(backend.cast(backend.new_primitive_type("uintptr_t"), call))
    return _Pointer(address, result, tuple(map(str, parameters)))


def _low_level_pointer(call: object) -> _Pointer | None:
    """SciPy's wrapper around a function: it has a C signature as text and a capsule with the address."""
    if type(call).__name__ != "LowLevelCallable" or not isinstance(call, tuple):
        return None
    match = re.fullmatch(r"\s*(.*?)\s*\((.*)\)\s*", str(getattr(call, "signature", "")))
    if match is None:
        return None
    spelled = [part for part in match[2].split(",") if part.strip() not in ("", "void")]
    result, parameters = _c_type(match[1]), [_c_type(part) for part in spelled]
    if result is None or None in parameters:
        return None
    return _Pointer(_capsule_address(tuple.__getitem__(call, 0)), result, tuple(map(str, parameters)))


def _capsule_address(capsule: object) -> int:
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return int(api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule)) or 0)


_SIZES = {
    "char": "b",
    "short": "h",
    "int": "i",
    "long": "l",
    "long long": "q",
    "size_t": "l",
    "ssize_t": "l",
    "intptr_t": "l",
}


def _c_type(spelled: str) -> str | None:
    words = [
        word for word in spelled.replace("*", " * ").split() if word not in ("const", "signed", "unsigned", "restrict")
    ]
    name = " ".join(words)
    if "*" in name or name.endswith("]"):
        return "ptr"
    fixed = re.fullmatch(r"u?int(8|16|32|64)_t", name)
    if fixed:
        return f"i{fixed[1]}"
    known = {"void": "void", "double": "double", "float": "float", "": "i32", "_Bool": "i8", "bool": "i8"}
    name = name.removesuffix(" int") or "int"
    return known.get(name) or (f"i{8 * struct.calcsize(_SIZES[name])}" if name in _SIZES else None)


def _compiled(pointer: _Pointer, args: Sequence[object], kept: tuple[object, ...]) -> NativeCall | None:
    """Generate the call with its arguments as constants."""
    if len(args) != len(pointer.parameters):
        raise TypeError(f"the function takes {len(pointer.parameters)} arguments, not {len(args)}")
    from pytest_adalloc.hooks.install import jit

    literals = [literal(kind, arg) for kind, arg in zip(pointer.parameters, args, strict=True)]
    if None in literals:
        return None
    passed = ", ".join(f"{kind} {literal}" for kind, literal in zip(pointer.parameters, literals, strict=True))
    give = "call void" if pointer.result == "void" else f"%result = call {pointer.result}"
    text = f"""
target triple = "{jit.triple()}"
define i32 @adalloc_call(ptr %frame) nounwind uwtable {{
  {give} inttoptr (i64 {_hooked(pointer.address)} to ptr)({passed})
  ret i32 0
}}
"""
    # Addresses differ from run to run, so the object is not worth keeping.
    address = jit.link([jit.compiled(text)], ["adalloc_call"])["adalloc_call"]
    return NativeCall(address, pointer.needs_interpreter, (*kept, *args))


def _hooked(address: int) -> int:
    """The hook of an allocator entry, and any other address unchanged: the generated call has no slot that could be
    patched.
    """
    hooks = installed()
    entries = {original: name for name, original in hooks.slots.originals.items()}
    return hook_addresses()[entries[address]] if address in entries else address
