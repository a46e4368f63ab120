"""Instances of classes among the arguments of a check: their attributes, and the function behind a bound method."""

from __future__ import annotations

import enum
import functools
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

HEAP_TYPE = 1 << 9  # the flag of classes that `class` statements make

VALUES = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial,
    enum.Enum, list, tuple, dict, set, frozenset, str, bytes, int, float, complex, BaseException,
)  # fmt: skip


def is_instance(value: Any) -> bool:
    """Whether a value is an instance of a class written in Python, whose attributes are leaves one by one."""
    cls = type(value)
    if not cls.__flags__ & HEAP_TYPE or isinstance(value, VALUES):
        return False
    if cls.__module__.split(".")[0] in ("numpy", "numba", "adcore", "builtins"):
        return False
    called = next((vars(base)["__call__"] for base in cls.__mro__ if "__call__" in vars(base)), None)
    return called is None or isinstance(called, types.FunctionType)


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """What an instance holds itself, without the caches of its cached properties: copies compute them anew."""
    cls = type(value)
    for name in dict.fromkeys((*getattr(value, "__dict__", ()), *_slots(cls))):
        if not isinstance(inspect.getattr_static(cls, name, None), functools.cached_property) and hasattr(value, name):
            yield name, getattr(value, name)


def _slots(cls: type) -> Iterator[str]:
    """The slots of a class and its bases, as they are listed: Python itself keeps them in alphabetical order."""
    for base in reversed(cls.__mro__):
        listed = vars(base).get("__slots__", ())
        order = {name: k for k, name in enumerate((listed,) if isinstance(listed, str) else listed)}
        members = [name for name, entry in vars(base).items() if _is_slot(entry)]
        yield from sorted(members, key=lambda name: order.get(name, len(order)))


def _is_slot(entry: Any) -> bool:
    return isinstance(entry, types.MemberDescriptorType)


def unbound(f: Callable[..., Any], args: tuple[Any, ...], wrt: Any) -> tuple[Callable[..., Any], tuple[Any, ...], Any]:
    """A method of an object as a function of that object: its floats are differentiated, too, unless `wrt` says which.

    Numbers in `wrt` do not count the object."""
    if not inspect.ismethod(f) or isinstance(f.__self__, type):
        return f, args, wrt
    several = wrt if isinstance(wrt, (tuple, list)) else (wrt,)
    moved = tuple(w + 1 if isinstance(w, int) and not isinstance(w, bool) and w >= 0 else w for w in several)
    return f.__func__, (f.__self__, *args), None if wrt is None else moved
