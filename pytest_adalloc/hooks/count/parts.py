"""Calls of which only a part is counted: arguments made anew before each call, or one function inside of a larger call.

    measure(step, setup=lambda: (fresh_state(), u))      # setup runs before each call, outside the count
    measure(minimize, f, x0, jac=slope, only=slope)      # what happens inside slope alone

Either is a callable of no arguments in place of the call, which stops the count and lets it go on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from pytest_adalloc.hooks.count.drivers import refuse_suspended
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.plan import WindowPlan
from pytest_adalloc.hooks.layout import SLOT_OF_PLAN

MOST_EVENTS = 64

GivenArguments = tuple[tuple[Any, ...], Mapping[str, Any]]


class Rest:
    """Stops and starts the count of this thread. All memory that it needs is there before the window opens."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._events: tuple[int, ...] = ()
        self._plan = WindowPlan(mirror=hooks.mirror, events=(0,) * MOST_EVENTS)
        self._plan.words[SLOT_OF_PLAN["events"]] = 0
        self._address = self._plan.address

    def begin(self) -> None:
        """Count nothing until ``end``."""
        events = self._hooks.events
        if events is not self._events:  # another window, with other breakpoints
            self._events = events
            self._plan.set_events(events)
        self._hooks.pause(self._address)

    def end(self) -> None:
        """Count again."""
        self._hooks.resume(self._address)


class Anew:
    """A call with arguments that ``setup`` makes before each, outside the count.

    ``setup`` returns the positional arguments as a tuple, a pair of such a tuple and a dict of named ones, one
    argument, or None where the arguments stay what they are. What it made is let go outside the count too.
    """

    def __init__(
        self, hooks: Hooks, call: Callable[..., object], setup: Callable[[], Any], given: GivenArguments
    ) -> None:
        refuse_suspended(call)
        refuse_suspended(setup)
        self._rest, self._call, self._setup, self._given = Rest(hooks), call, setup, given
        self._made: GivenArguments = given
        self.__qualname__ = getattr(call, "__qualname__", type(call).__qualname__)

    def __call__(self) -> object:
        self._rest.begin()
        try:
            self._made = made_by(self._setup(), self._given)
            args, kwargs = self._made
        finally:
            self._rest.end()
        return self._call(*args, **kwargs)


def made_by(value: Any, given: GivenArguments) -> GivenArguments:
    """What a setup returned, as arguments; `given` are those of the measurement."""
    if value is None:
        return given
    if isinstance(value, tuple):
        if len(value) == 2 and isinstance(value[0], tuple) and isinstance(value[1], dict):
            return value[0], {**given[1], **value[1]}
        return value, given[1]
    return (value,), given[1]


class PartlyCounted:
    """A call of which the count sees what one function does, in all of its calls.

    The function is found among the arguments, where it is replaced, or by its code, when a profile function sees it
    called. Raises TypeError where neither is possible, RuntimeError from a call that never came to it.
    """

    def __init__(
        self, hooks: Hooks, call: Callable[..., object], only: Callable[..., Any], given: GivenArguments
    ) -> None:
        refuse_suspended(call)
        refuse_suspended(only)
        self._rest, self._call, self._only = Rest(hooks), call, only
        self.__qualname__ = getattr(call, "__qualname__", type(call).__qualname__)
        self._depth = self._entered = 0
        inside = _Inside(only, self)
        args, named = given
        self._args = tuple(_replaced(value, only, inside) for value in args)
        self._kwargs = {name: _replaced(value, only, inside) for name, value in named.items()}
        self._code: CodeType | None = None
        if not inside.placed:
            self._code = getattr(getattr(only, "__func__", only), "__code__", None)
            if not isinstance(self._code, CodeType):
                raise TypeError(
                    f"only={only!r} is none of the call's arguments and no Python function, so that nothing tells "
                    "when it runs; hand it to the call as an argument"
                )

    def __call__(self) -> object:
        self._entered = self._depth = 0
        self._rest.begin()
        try:
            with self._noticed():
                result = self._call(*self._args, **self._kwargs)
        finally:
            self._rest.end()
        if not self._entered:
            raise RuntimeError(
                f"only={self._only!r} was never called by {self.__qualname__}: nothing was measured. A function that "
                "is wrapped or copied on its way is another one: name the one that is called"
            )
        return result

    def enter(self) -> None:
        """The function begins; it may call itself."""
        self._entered += 1
        self._depth += 1
        if self._depth == 1:
            self._rest.end()

    def leave(self) -> None:
        """The function ends."""
        if self._depth == 1:
            self._rest.begin()
        self._depth -= 1

    @contextmanager
    def _noticed(self) -> Iterator[None]:
        code = self._code
        if code is None:
            yield
            return
        before = sys.getprofile()

        def seen(frame: FrameType, event: str, arg: Any) -> None:
            if frame.f_code is code:
                if event == "call":
                    self.enter()
                elif event == "return":
                    self.leave()

        sys.setprofile(seen)
        try:
            yield
        finally:
            sys.setprofile(before)


class _Inside:
    """The function in its place among the arguments: called and asked for attributes like the function itself."""

    def __init__(self, function: Callable[..., Any], around: PartlyCounted) -> None:
        self._function, self._around = function, around
        self.placed = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._around.enter()
        try:
            return self._function(*args, **kwargs)
        finally:
            self._around.leave()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


def _replaced(value: Any, only: Any, inside: _Inside) -> Any:
    """An argument with `inside` in place of the function, in lists, tuples and dicts too."""
    if value is only or (type(value) is type(only) and _same_method(value, only)):
        inside.placed = True
        return inside
    if type(value) in (list, tuple):
        return type(value)([_replaced(each, only, inside) for each in value])
    if type(value) is dict:
        return {name: _replaced(each, only, inside) for name, each in value.items()}
    return value


def _same_method(a: Any, b: Any) -> bool:
    """Whether two bound methods, made at each access, are the same one."""
    own = getattr(a, "__self__", None)
    return (
        own is not None
        and own is getattr(b, "__self__", None)
        and getattr(a, "__func__", a) is getattr(b, "__func__", b)
    )
