"""Instances of classes among the arguments of a check: their attributes, and the function behind a bound method."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """What an instance holds itself, without the caches of its cached properties: copies compute them anew."""
    caches = cached(value)
    for name in dict.fromkeys((*getattr(value, "__dict__", ()), *_slots(type(value)))):
        if name not in caches and hasattr(value, name):
            yield name, getattr(value, name)


def cached(value: Any) -> list[str]:
    """What an instance holds of its cached properties."""
    cls, held = type(value), getattr(value, "__dict__", ())
    return [n for n in held if isinstance(inspect.getattr_static(cls, n, None), functools.cached_property)]


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
