"""The words of the preloaded counting library, in a process that runs under it (see ``witness.preloaded``)."""

from __future__ import annotations

import ctypes

STATE = "adalloc_preload_state"


def state_address() -> int:
    """Where the counting library keeps its words in this process; 0 when it is not loaded."""
    try:
        return ctypes.addressof(ctypes.c_uint64.in_dll(ctypes.PyDLL(None), STATE))
    except ValueError:
        return 0
