"""What Python itself asks of its own allocators, as columns beside the native count.

Shims stand in front of the three PyMem domains and, where NumPy is loaded, of its data handler, for the length of a
window. The raw domain includes what ``mem`` and ``obj`` pass on to it because it is too large for them. Free lists are
invisible: a float that is taken from one is no request. Free-threaded builds are left alone, because other threads
allocate through these tables without a lock.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_char, c_char_p, c_size_t, c_uint8, c_void_p, py_object
from dataclasses import dataclass
from typing import Any

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.plan import WindowPlan
from pytest_adalloc.hooks.reports import DomainCount

DOMAINS = ("raw", "mem", "obj")
NUMPY_SET_HANDLER, NUMPY_GET_HANDLER = 304, 305  # positions in NumPy's table of C functions, fixed since 1.22


class _Allocator(ctypes.Structure):
    _fields_ = tuple((name, c_void_p) for name in ("context", "malloc", "calloc", "realloc", "free"))


class _NumpyHandler(ctypes.Structure):
    _fields_ = (("name", c_char * 127), ("version", c_uint8), ("allocator", _Allocator))


@dataclass
class DomainColumns:
    """Which domains are counted, and what could not be."""

    names: tuple[str, ...] = ()
    blind_spots: tuple[str, ...] = ()

    def counts(self, plan: WindowPlan) -> dict[str, DomainCount]:
        """Per domain what was requested and given back during a window."""
        rows = [now - then for then, now in zip(plan.domains_before, plan.domains_after, strict=True)]
        places = {name: layout.DOMAIN_WORDS * layout.DOMAIN_NAMES.index(name) for name in self.names}
        return {name: DomainCount(*rows[at : at + layout.DOMAIN_WORDS]) for name, at in places.items()}


@contextmanager
def counted_domains(hooks: Hooks) -> Iterator[DomainColumns]:
    """Put the shims in place and take them out again; inside another window they are there already."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        yield DomainColumns(blind_spots=("Python's own allocators: this interpreter runs without its lock",))
        return
    if hooks.domains_in_place:
        yield DomainColumns(hooks.domains_in_place)
        return
    shims = [_Shim.install(hooks, number, name) for number, name in enumerate(DOMAINS)]
    numpy = _NumpyShim.install(hooks)
    hooks.domains_in_place = (*(shim.name for shim in shims if shim.counts()), *(("numpy",) if numpy else ()))
    silent = [shim.name for shim in shims if shim.name not in hooks.domains_in_place]
    try:
        yield DomainColumns(hooks.domains_in_place, tuple(f"Python's {name} domain" for name in silent))
    finally:
        hooks.domains_in_place = ()
        if numpy:
            numpy.remove()
        for shim in reversed(shims):
            shim.remove()


@dataclass(frozen=True)
class _Shim:
    """Our functions in front of one of Python's domains.

    Someone may put an allocator of their own on top of the shim while it is in place, as tracemalloc does, and keep it
    there. Then the shim stays beneath, and is not put on top a second time: the two would call each other for ever.
    """

    hooks: Hooks
    number: int
    name: str

    @classmethod
    def install(cls, hooks: Hooks, number: int, name: str) -> _Shim:
        shim = cls(hooks, number, name)
        if not shim.counts():
            _remember(hooks, number, _current(number))
            functions = (hooks.core[f"adalloc_{name}_{call}"] for call in layout.DOMAIN_CALLS)
            # The context is not used; see _remember.
            ctypes.pythonapi.PyMem_SetAllocator(number, ctypes.byref(_Allocator(0, *functions)))
        return shim

    def remove(self) -> None:
        """Restore the domain, unless someone has since put another allocator on top."""
        if _current(self.number).malloc == self.hooks.core[f"adalloc_{self.name}_malloc"]:
            ctypes.pythonapi.PyMem_SetAllocator(self.number, ctypes.byref(_remembered(self.hooks, self.number)))

    def counts(self) -> bool:
        """Whether a request to the domain reaches the shim: seen by making one."""
        words, at = self.hooks.words, layout.DOMAINS + layout.DOMAIN_WORDS * self.number
        allocate, release = _requests(self.number)
        armed, before = words[layout.ARMED], list(words[at : at + layout.DOMAIN_WORDS])
        words[layout.ARMED] = self.hooks.thread()
        release(c_void_p(allocate(c_size_t(64))))
        words[layout.ARMED] = armed
        seen = words[at] > before[0]
        for offset, value in enumerate(before):
            words[at + offset] = value
        return seen


@functools.cache
def _requests(number: int) -> tuple[Any, Any]:
    """How anyone asks a domain for memory, and gives it back."""
    prefix = ("PyMem_Raw", "PyMem_", "PyObject_")[number]
    api = ctypes.PyDLL(None)
    take, give = getattr(api, f"{prefix}Malloc"), getattr(api, f"{prefix}Free")
    take.restype, give.restype = c_void_p, None
    return take, give


def _remember(hooks: Hooks, number: int, original: _Allocator) -> None:
    # The shims look originals up here and ignore their context: another thread may be between reading the one and the
    # other.
    target = _remembered(hooks, number)
    ctypes.memmove(ctypes.addressof(target), ctypes.addressof(original), ctypes.sizeof(_Allocator))


def _remembered(hooks: Hooks, number: int) -> _Allocator:
    """The allocator behind a shim, in place."""
    table = hooks.core["adalloc_domain_originals"]
    return _Allocator.from_address(table + ctypes.sizeof(_Allocator) * number)


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
        known = _remembered(hooks, layout.DOMAIN_NAMES.index("numpy"))
        if hooks.numpy_capsule is None:
            _remember(hooks, layout.DOMAIN_NAMES.index("numpy"), handler.allocator)
            hooks.numpy_capsule = _capsule(hooks, previous)
        elif (handler.allocator.malloc, handler.allocator.context) != (known.malloc, known.context):
            return None  # arrays of an earlier window still go back to the handler that made them
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
