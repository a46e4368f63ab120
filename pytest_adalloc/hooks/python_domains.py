"""What Python itself asks of its own allocators, as columns beside the native count.

Shims stand in front of the three PyMem domains and, where NumPy is loaded, of its data handler, for the length of a
window. The raw domain includes what ``mem`` and ``obj`` pass on to it because it is too large for them. Free lists are
invisible: a float that is taken from one is no request. Free-threaded builds are left alone, because other threads
allocate through these tables without a lock.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_char, c_char_p, c_uint8, c_void_p, py_object
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.report import DomainCount

if TYPE_CHECKING:
    from pytest_adalloc.hooks.install import Hooks

DOMAINS = ("raw", "mem", "obj")
NUMPY_SET_HANDLER, NUMPY_GET_HANDLER = 304, 305  # positions in NumPy's table of C functions, fixed since 1.22


class _Allocator(ctypes.Structure):
    _fields_ = tuple((name, c_void_p) for name in ("context", "malloc", "calloc", "realloc", "free"))


class _NumpyHandler(ctypes.Structure):
    _fields_ = (("name", c_char * 127), ("version", c_uint8), ("allocator", _Allocator))


@dataclass
class DomainColumns:
    """Counts of the domains between ``start`` and ``stop``, and what could not be counted."""

    hooks: Hooks
    blind_spots: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    _before: list[int] = field(default_factory=list)
    _after: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Count from now on."""
        self._before = self._read()

    def stop(self) -> None:
        """Count until now."""
        self._after = self._read()

    def counts(self) -> dict[str, DomainCount]:
        """Per domain what was requested and given back."""
        after = self._after or self._read()
        rows = [now - then for then, now in zip(self._before, after, strict=True)]
        size = layout.DOMAIN_WORDS
        places = {name: size * layout.DOMAIN_NAMES.index(name) for name in self.names}
        return {name: DomainCount(*rows[at : at + size]) for name, at in places.items()}

    def _read(self) -> list[int]:
        end = layout.DOMAINS + layout.DOMAIN_WORDS * len(layout.DOMAIN_NAMES)
        return list(self.hooks.words[layout.DOMAINS : end])


@contextmanager
def counted_domains(hooks: Hooks) -> Iterator[DomainColumns]:
    """Put the shims in place and take them out again; inside another window they are there already."""
    columns = DomainColumns(hooks)
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        columns.blind_spots = ("Python's own allocators: this interpreter runs without its lock",)
        columns.start()
        yield columns
        return
    outermost = not hooks.domains_in_place
    restore = [_install(hooks, number, name) for number, name in enumerate(DOMAINS)] if outermost else []
    numpy = _NumpyShim.install(hooks) if outermost else None
    hooks.domains_in_place = True
    columns.names = (*DOMAINS, "numpy") if numpy or (not outermost and _numpy_table() is not None) else DOMAINS
    columns.start()
    try:
        yield columns
    finally:
        if outermost:
            if numpy:
                numpy.remove()
            for number, original, shim in reversed(restore):
                _put_back(number, original, shim)
            hooks.domains_in_place = False


def _install(hooks: Hooks, number: int, name: str) -> tuple[int, _Allocator, _Allocator]:
    original = _current(number)
    _remember(hooks, number, original)
    shim = _Allocator(original.context, *(hooks.core[f"adalloc_{name}_{call}"] for call in layout.DOMAIN_CALLS))
    ctypes.pythonapi.PyMem_SetAllocator(number, ctypes.byref(shim))
    return number, original, shim


def _remember(hooks: Hooks, number: int, original: _Allocator) -> None:
    # The shims look originals up here and ignore their context: another thread may be between reading the one and the
    # other.
    target = _Allocator.from_address(hooks.core["adalloc_domain_originals"] + ctypes.sizeof(_Allocator) * number)
    ctypes.memmove(ctypes.addressof(target), ctypes.addressof(original), ctypes.sizeof(_Allocator))


def _put_back(number: int, original: _Allocator, shim: _Allocator) -> None:
    """Restore a domain, unless someone has since put another allocator on top of the shim."""
    if _current(number).malloc == shim.malloc:
        ctypes.pythonapi.PyMem_SetAllocator(number, ctypes.byref(original))


def _current(number: int) -> _Allocator:
    found = _Allocator()
    ctypes.pythonapi.PyMem_GetAllocator(number, ctypes.byref(found))
    return found


@dataclass(frozen=True)
class _NumpyShim:
    """Our data handler in front of NumPy's. Arrays keep their handler, so its memory is never given back."""

    table: Any
    previous: object

    @classmethod
    def install(cls, hooks: Hooks) -> _NumpyShim | None:
        table = _numpy_table()
        if table is None:
            return None
        previous = ctypes.PYFUNCTYPE(py_object)(table[NUMPY_GET_HANDLER])()
        handler = _NumpyHandler.from_address(_pointer(previous, b"mem_handler"))
        if handler.allocator.malloc == hooks.core["adalloc_numpy_malloc"]:
            return None
        _remember(hooks, layout.DOMAIN_NAMES.index("numpy"), handler.allocator)
        if hooks.numpy_capsule is None:
            hooks.numpy_capsule = _capsule(hooks, previous)
        ctypes.PYFUNCTYPE(py_object, py_object)(table[NUMPY_SET_HANDLER])(hooks.numpy_capsule)
        return cls(table, previous)

    def remove(self) -> None:
        ctypes.PYFUNCTYPE(py_object, py_object)(self.table[NUMPY_SET_HANDLER])(self.previous)


def _capsule(hooks: Hooks, previous: object) -> object:
    handler = _NumpyHandler(b"pytest-adalloc", 1)
    functions = (hooks.core[f"adalloc_numpy_{call}"] for call in layout.DOMAIN_CALLS)
    handler.allocator = _Allocator(0, *functions)
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = py_object, [c_void_p, c_char_p, c_void_p]
    capsule: object = new(ctypes.addressof(handler), b"mem_handler", None)
    # Arrays made meanwhile are freed through this handler, at any later time.
    for kept in (handler, capsule, previous):
        ctypes.pythonapi.Py_IncRef(py_object(kept))
    return capsule


def _numpy_table() -> Any:
    """NumPy's table of C functions; None when NumPy is not loaded, or too old to have a data handler."""
    module = sys.modules.get("numpy._core._multiarray_umath") or sys.modules.get("numpy.core._multiarray_umath")
    table = getattr(module, "_ARRAY_API", None)
    if table is None:
        return None
    return ctypes.cast(_pointer(table, None), ctypes.POINTER(c_void_p))


def _pointer(capsule: object, name: bytes | None) -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = c_void_p, [py_object, c_char_p]
    return int(get(capsule, name) or 0)
