"""Calls of our compiler's handles, for the native loop: the kernel and its frame, linked with the hooks in malloc's
place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_adalloc.hooks.count.drivers import Driver
from pytest_adalloc.hooks.install.process import hook_addresses

# What generated code may import; its memory comes from nowhere else.
HEAP = ("malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "memalign", "mmap", "munmap")


def compiled_call(call: Any, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Driver | None:
    """The native call behind a handle with these arguments, or behind a bound call; None where Python has a part in it.

    Raises what the handle raises for arguments that are not its own.
    """
    if hasattr(call, "frame_address"):
        bound = call
        if args or kwargs:
            raise TypeError("a bound call takes no arguments: its buffers are fixed")
    elif hasattr(call, "relink") and hasattr(call, "bind"):
        bound = call.bind(*args, **kwargs)
    else:
        return None
    if not getattr(bound, "is_native", False):
        return None
    address = bound.relink({name: at for name, at in hook_addresses().items() if name in HEAP})
    return Driver(address, bound.frame_address, kept=(call, bound, args, kwargs), raise_fault=bound.raise_fault)
