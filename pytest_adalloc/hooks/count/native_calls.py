"""One call with fixed arguments as native code, and its arguments as constants of LLVM's language."""

from __future__ import annotations

import ctypes
import struct
import sys
from _ctypes import CFuncPtr
from ctypes import c_void_p
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NativeCall:
    """Native code that makes one call with fixed arguments; ``kept`` owns what the arguments point to."""

    address: int
    needs_interpreter: bool
    kept: tuple[object, ...]


def literal(kind: str, value: object) -> str | None:
    """An argument as a constant of LLVM's language; None for what cannot be one."""
    plain = getattr(value, "value", value) if kind != "ptr" else value
    if kind == "double" and isinstance(plain, (int, float)):
        return f"0x{struct.unpack('>Q', struct.pack('>d', plain))[0]:016X}"
    if kind == "float" and isinstance(plain, (int, float)):
        rounded = struct.unpack(">f", struct.pack(">f", plain))[0]
        return f"0x{struct.unpack('>Q', struct.pack('>d', rounded))[0]:016X}"
    if kind.startswith("i"):
        number = ord(plain) if isinstance(plain, (bytes, str)) and len(plain) == 1 else plain
        return str(int(number)) if isinstance(number, int) else None
    address = _address(value)
    return None if address is None else f"inttoptr (i64 {address} to ptr)"


def _address(value: object) -> int | None:
    """Where an argument of pointer type points; None for what has no lasting address."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    if isinstance(value, bytes):
        return ctypes.cast(ctypes.c_char_p(value), c_void_p).value
    if isinstance(value, (ctypes.Array, ctypes.Structure)):
        return ctypes.addressof(value)
    if isinstance(value, (ctypes._Pointer, CFuncPtr, c_void_p, ctypes.c_char_p)):
        return ctypes.cast(value, c_void_p).value or 0
    interface = getattr(value, "__array_interface__", None)
    if interface:
        return int(interface["data"][0])
    return _cffi_address(value) if "_cffi_backend" in sys.modules else _passed_address(value)


def _cffi_address(value: object) -> int | None:
    backend: Any = sys.modules["_cffi_backend"]
    if not isinstance(value, backend._CDataBase):
        return _passed_address(value)
    return int(backend.cast(backend.new_primitive_type("uintptr_t"), value))


def _passed_address(value: object) -> int | None:
    """The address inside ``byref(...)`` and inside what NumPy's pointer types convert an array to."""
    target = getattr(value, "_obj", None)
    if isinstance(target, (ctypes._SimpleCData, ctypes.Structure, ctypes.Array)):
        return ctypes.addressof(target)
    passed = getattr(value, "_as_parameter_", None)
    return _address(passed) if isinstance(passed, (int, c_void_p)) else None
