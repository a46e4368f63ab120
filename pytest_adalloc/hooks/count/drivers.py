"""What a window calls: native code in a native loop, or a Python callable through the interpreter's C API."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any

from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.plan import Restore, WindowPlan


@dataclass(frozen=True)
class Driver:
    """What a window calls: native code, with the memory that is restored before each call and the objects that it
    needs alive.
    """

    address: int
    frame: int
    restore: tuple[Restore, ...] = ()
    name: str = "native"
    locked: bool = False  # keep the interpreter's lock during the calls
    kept: object = None

    def plan(self, hooks: Hooks, calls: int, **options: Any) -> WindowPlan:
        """The plan of a window over so many calls."""
        return WindowPlan(
            kernel=self.address,
            frame=self.frame,
            restore=self.restore,
            calls=calls,
            mirror=hooks.mirror,
            events=hooks.events,
            chained=hooks.chained,
            **options,
        )

    def warm_up(self, hooks: Hooks, calls: int) -> None:
        """Call without counting."""
        plan = self.plan(hooks, calls, counted=False)
        (hooks.locked_calls if self.locked else hooks.calls)(plan.address)

    def drive(self, hooks: Hooks, plan: WindowPlan) -> None:
        """Call inside the window; an exception of a Python callable comes out here."""
        with _collector_off():
            (hooks.locked_window if self.locked else hooks.window)(plan.address)


def python_driver(hooks: Hooks, call: Callable[..., object], args: tuple[object, ...]) -> Driver:
    """A Python callable, called by the native loop through the interpreter's C API: no Python of ours runs between the
    calls.
    """
    api = ctypes.pythonapi
    addresses = (ctypes.cast(function, c_void_p).value or 0 for function in (api.PyObject_Call, api.Py_DecRef))
    frame = (c_uint64 * 4)(id(call), id(args), *addresses)
    return Driver(
        hooks.core["adalloc_python"], ctypes.addressof(frame), name="python", locked=True, kept=(call, args, frame)
    )


@contextmanager
def _collector_off() -> Iterator[None]:
    # What the collector would free or finalize is no part of the call, and comes at any time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
