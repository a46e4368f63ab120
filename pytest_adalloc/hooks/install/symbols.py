"""What the loader knows of an address: the library and the symbol."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from ctypes import c_char_p, c_void_p
from typing import Any

from pytest_adalloc.hooks.reports import StackFrame


def named(address: int) -> StackFrame:
    """A return address by the library and symbol that the loader finds for its call."""
    library, symbol, offset = _dladdr(address - 1)
    return StackFrame(address, library, demangled(symbol), offset + 1 if library else 0)


class _DlInfo(ctypes.Structure):
    _fields_ = (("file", c_char_p), ("base", c_void_p), ("symbol", c_char_p), ("start", c_void_p))


@functools.lru_cache(maxsize=4096)
def _dladdr(address: int) -> tuple[str, str, int]:
    info = _DlInfo()
    if not _process().dladdr(c_void_p(address), ctypes.byref(info)):
        return "", "", 0
    library = (info.file or b"").decode("utf-8", "replace").rsplit("/", 1)[-1]
    symbol = (info.symbol or b"").decode("utf-8", "replace")
    return library, symbol, address - ((info.start if symbol else info.base) or 0)


def demangled(symbol: str) -> str:
    """The name that a C++ programmer wrote; every other name as it is, and all where no C++ library is loaded."""
    demangle = _demangler() if symbol.startswith("_Z") else None
    if demangle is None:
        return symbol
    status = ctypes.c_int()
    text = demangle(symbol.encode(), None, None, ctypes.byref(status))
    if not text:
        return symbol
    try:
        return ctypes.string_at(text).decode("utf-8", "replace")
    finally:
        _process().free(c_void_p(text))


def _demangler() -> Any:
    # C++ code that was called has loaded this library; it is only looked up, so that nothing new is loaded here.
    with contextlib.suppress(OSError, AttributeError):
        function = ctypes.CDLL("libstdc++.so.6", mode=os.RTLD_NOLOAD | os.RTLD_LAZY).__cxa_demangle
        function.restype = c_void_p
        return function
    return None


def forget() -> None:
    """Drop remembered names: libraries came or went, and an address may now mean another function."""
    _dladdr.cache_clear()


@functools.cache
def _process() -> Any:
    return ctypes.PyDLL(None)
