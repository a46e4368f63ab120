"""Python objects whose call is a native function: a type with `vectorcall`, made without a C compiler.

    class Handle(NativeCallable):
        def __call__(self, *args): ...     # the general path; also what runs where there is no native one

`NativeCallable` instances hold two words: the native function and the block of words that it reads
(`adcore.runtime.wrappers`). Both stay null until `attach`; then the call goes to native code, which falls back to what
the block names. Everything relies on the layout of CPython's objects; `supported` compares it with the running
interpreter, and where it differs (free-threaded, debug and future builds) every call takes the general path.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.abi.faults import POLL
from adcore.runtime import wrappers
from adcore.runtime.loading import linker
from adcore.runtime.loading.linker import load
from adcore.runtime.loading.small_objects import object_code

HAVE_VECTORCALL, BASETYPE, HAVE_VERSION_TAG = 0x800, 1 << 10, 1 << 18
TYPE_FLAGS, TYPE_VECTORCALL_OFFSET = 168, 56
VECTORCALL, BLOCK, BASICSIZE = 16, 24, 32


def read_word(address: int) -> int:
    """The 8-byte word at an address."""
    return ctypes.c_uint64.from_address(address).value


@functools.cache
def supported() -> bool:
    """Whether this interpreter and this NumPy lay out their objects as the wrappers read them."""
    if sys.implementation.name != "cpython" or sys.version_info < (3, 10) or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    if "t" in getattr(sys, "abiflags", "") or hasattr(sys, "gettotalrefcount") or sys.byteorder != "little":
        return False
    sizes = (object, 16), (float, 24), (tuple, 24), (list, 40)
    return all(cls.__basicsize__ == size for cls, size in sizes) and _arrays_as_expected() and _types_as_expected()


def _arrays_as_expected() -> bool:
    array = np.arange(6.0).reshape(2, 3)[:, ::2]
    at = id(array)
    if read_word(at + 8) != id(np.ndarray) or read_word(at + 16) != array.__array_interface__["data"][0]:
        return False
    dims, strides, descr = (read_word(at + offset) for offset in (32, 40, 56))
    shape = tuple(read_word(dims + 8 * k) for k in range(2))
    steps = tuple(read_word(strides + 8 * k) for k in range(2))
    flags = ctypes.c_uint32.from_address(at + 64).value
    number, order = ctypes.c_int32.from_address(descr + 28).value, ctypes.c_uint8.from_address(descr + 26).value
    return (
        ctypes.c_int32.from_address(at + 24).value == 2
        and (shape, steps) == (array.shape, array.strides)
        and descr == id(array.dtype)
        and (number, order) == (array.dtype.num, ord("="))
        and flags & 0x501 == 0x500
    )


def _types_as_expected() -> bool:
    flags = read_word(id(float) + TYPE_FLAGS)
    return flags == float.__flags__ and float.__basicsize__ == read_word(id(float) + 32)


class _TypeSlot(ctypes.Structure):
    _fields_ = (("slot", ctypes.c_int), ("function", ctypes.c_void_p))


class _Spec(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(_TypeSlot)),
    )


class _Member(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_TP_MEMBERS, _TP_CALL = 72, 50
_SSIZE, _READ_ONLY = 19, 1
_made: list[Any] = []
"""What CPython keeps pointers into: never freed."""


def _make_base() -> type:
    members = (_Member * 2)(_Member(b"__vectorcalloffset__", _SSIZE, VECTORCALL, _READ_ONLY, None), _Member())
    call = ctypes.cast(ctypes.pythonapi.PyVectorcall_Call, ctypes.c_void_p).value
    slots = (_TypeSlot * 3)(_TypeSlot(_TP_MEMBERS, ctypes.addressof(members)), _TypeSlot(_TP_CALL, call), _TypeSlot())
    flags = HAVE_VECTORCALL | BASETYPE | HAVE_VERSION_TAG
    spec = _Spec(b"adcore.runtime.native_types.NativeCallable", BASICSIZE, 0, flags, slots)
    from_spec = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p)(("PyType_FromSpec", ctypes.pythonapi))
    _made.extend([members, slots, spec])
    base: type = from_spec(ctypes.addressof(spec))
    return base


def _enable(cls: type) -> None:
    """Let calls of `cls` go through its instances' native function, although it defines `__call__`.

    A null native function sends a call to `__call__`: CPython's own rule for types with this flag.
    """
    ctypes.c_uint64.from_address(id(cls) + TYPE_FLAGS).value |= HAVE_VECTORCALL
    ctypes.c_int64.from_address(id(cls) + TYPE_VECTORCALL_OFFSET).value = VECTORCALL


class _Plain:
    """The base where native calls are not supported."""


_Base: Any = _make_base() if supported() else _Plain


class NativeCallable(_Base):  # type: ignore[misc]
    """Base of compiled handles and bound calls. Subclasses define `__call__`, the general path."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if supported():
            _enable(cls)

    def _attach(self, function: int, block: Block) -> None:
        """Send calls to the native `function` from now on; `block` is kept."""
        self._block = block
        ctypes.c_uint64.from_address(id(self) + BLOCK).value = block.address
        ctypes.c_uint64.from_address(id(self) + VECTORCALL).value = function

    @property
    def is_attached(self) -> bool:
        """Whether calls go to native code."""
        return supported() and ctypes.c_uint64.from_address(id(self) + VECTORCALL).value != 0

    def _detach(self) -> None:
        """Send calls to `__call__` again."""
        if supported():
            ctypes.c_uint64.from_address(id(self) + VECTORCALL).value = 0


def _plain_function(call: Callable[..., Any]) -> Callable[..., Any]:
    """What 3.10's wrappers can call is a plain Python function and nothing else; a bound method would crash."""
    if isinstance(call, types.FunctionType):
        return call
    return lambda *args, **kwargs: call(*args, **kwargs)


class Block:
    """The words that a native wrapper reads, and the Python objects whose addresses stand in them.

    `frame`: address and number of words of the frame that each call copies."""

    def __init__(
        self,
        kernel: int,
        frame: tuple[int, int],
        fallback: Callable[..., Any],
        on_fault: Callable[[int, int], Any],
        finish: Callable[[int], Any],
        returns: tuple[int, int, int],
        entries: Sequence[Sequence[int]],
        keep: Any,
    ) -> None:
        called_back = tuple(_plain_function(call) for call in (fallback, on_fault, finish))
        head = [kernel, *frame, *map(id, called_back), *returns, len(entries), 0]
        self.words = np.array([*head, *(word for entry in entries for word in entry)], np.uint64)
        self.address: int = self.words.__array_interface__["data"][0]
        self._keep = (called_back, keep)


@functools.cache
def wrapper_addresses() -> dict[str, int]:
    """Addresses of the wrappers and of `take` and `give`, compiled (or read from the cache) at first use."""
    names = ("bound", "called", "take", "give", "poll", "error")
    code = object_code(lambda: wrappers.wrapper_ir(sys.version_info >= (3, 12)), "wrappers")
    loaded = load(code, [*names, "table"])
    _made.append(loaded)
    values = _table_values()
    ctypes.memmove(loaded.addresses["table"], (ctypes.c_uint64 * len(values))(*values), 8 * len(values))
    return {name: loaded.addresses[name] for name in names}


linker.PROVIDED[POLL] = lambda: wrapper_addresses()["poll"]


def interruption() -> BaseException:
    """What the handler of a signal has raised while a kernel was running, which was told to leave."""
    waiting = (ctypes.c_void_p * 3).from_address(wrapper_addresses()["error"])
    error, waiting[:] = [ctypes.c_void_p(word) for word in waiting], [None, None, None]
    if error[0].value is None:
        return KeyboardInterrupt()
    try:
        # What it restores is raised as soon as the call is over.
        ctypes.PYFUNCTYPE(None, *[ctypes.c_void_p] * 3)(("PyErr_Restore", ctypes.pythonapi))(*error)
    except BaseException as raised:
        return raised
    raise AssertionError("unreachable")


_pool = np.zeros(1, np.uint64)
"""The first node of the list of workspaces that no call is using; 0 for none."""


def _table_values() -> list[int]:
    """What `wrappers.TABLE` names, as addresses."""

    def function(name: str) -> int:
        return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0

    # 3.10 has no exported PyObject_Vectorcall; all that is called through it are plain Python functions.
    vectorcall = "PyObject_Vectorcall" if sys.version_info >= (3, 11) else "_PyFunction_Vectorcall"
    objects = {"None": None, "True": True, "False": False, "float": float, "int": int,
               "float64": np.float64, "ndarray": np.ndarray}  # fmt: skip
    names = {"vectorcall": vectorcall}
    addresses = {name: id(value) for name, value in objects.items()}
    addresses["clock_gettime"] = linker.resolve("clock_gettime")
    addresses["pool"] = _pool.__array_interface__["data"][0]
    return [addresses.get(name) or function(names.get(name, name)) for name in wrappers.TABLE]
