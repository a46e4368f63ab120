"""From native code to a kernel that can be called. Nothing here loads a stage of the compiler."""

from __future__ import annotations

from adcore.driver import inspection
from adcore.runtime.calls import Kernel
from adcore.runtime.loading.native_code import NativeCode


def link(code: NativeCode, name: str) -> Kernel:
    """The kernel of `code`, loaded and known to observers of allocations; `name`: the user's function."""
    loaded = code.load()
    inspection.note(loaded, code.rows(loaded, name))
    return Kernel(loaded[code.entry], code.layout, code.faults, name, code.written, loaded, code.messages)


__all__ = ["link"]
