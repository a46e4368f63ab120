"""What a window calls: native code in a native loop, or a Python callable through the interpreter's C API."""

from __future__ import annotations

import ctypes
import gc
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_uint64, c_void_p
from dataclasses import dataclass
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from pytest_adalloc.hooks import layout
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
    raise_fault: Callable[[int], None] | None = None  # raises what a status of native code means

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
        self._refuse_suspended(plan)

    def observe(self, hooks: Hooks, calls: int) -> None:
        """Call without counting allocations, while the system calls of this thread are counted."""
        plan = self.plan(hooks, calls, counted=False)
        with _collector_off():
            (hooks.locked_observed if self.locked else hooks.observed)(plan.address)
        self._refuse_suspended(plan)

    def drive(self, hooks: Hooks, plan: WindowPlan) -> None:
        """Call inside the window; an exception of a Python callable comes out here."""
        with _collector_off():
            (hooks.locked_window if self.locked else hooks.window)(plan.address)
        self._refuse_suspended(plan)

    def _refuse_suspended(self, plan: WindowPlan) -> None:
        if self.name == "python" and plan.status == layout.SUSPENDED:
            call: Any = self.kept[0] if isinstance(self.kept, tuple) else None
            raise TypeError(suspended(call, "a coroutine or generator", "run it to its end"))


RUN: dict[str, tuple[Callable[[Any], bool], str]] = {
    "a coroutine": (inspect.iscoroutinefunction, "let an event loop run it: lambda: asyncio.run(f(...))"),
    "an asynchronous generator": (inspect.isasyncgenfunction, "let an event loop consume it inside of a lambda"),
    "a generator": (inspect.isgeneratorfunction, "consume it: lambda: collections.deque(f(...), maxlen=0)"),
}


def refuse_suspended(call: object) -> None:
    """Raise TypeError for a function whose call would only make an object that its body runs in later."""
    method = inspect.getattr_static(type(call), "__call__", None)
    for made, (is_one, advice) in RUN.items():
        if is_one(call) or is_one(method):
            raise TypeError(suspended(call, made, advice))


def suspended(call: object, made: str, advice: str) -> str:
    """Why a call cannot be counted that returns a body which has not run."""
    name = getattr(call, "__qualname__", None) or repr(call)
    return f"{name} returns {made}: its body has not run when the call is over, so that nothing was measured; {advice}"


def python_driver(
    hooks: Hooks, call: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> Driver:
    """A Python callable, called by the native loop through the interpreter's C API: no Python of ours runs between the
    calls. Raises TypeError for coroutine and generator functions.
    """
    refuse_suspended(call)
    api = ctypes.pythonapi
    addresses = (ctypes.cast(function, c_void_p).value or 0 for function in (api.PyObject_Call, api.Py_DecRef))
    types = (CoroutineType, GeneratorType, AsyncGeneratorType)
    # The type is the last word of the header that every object begins with.
    header = object.__basicsize__ - ctypes.sizeof(c_void_p)
    named = id(kwargs) if kwargs else 0
    frame = (c_uint64 * 9)(id(call), id(args), *addresses, header, *map(id, types), named)
    return Driver(
        hooks.core["adalloc_python"],
        ctypes.addressof(frame),
        name="python",
        locked=True,
        kept=(call, args, kwargs, frame),
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
