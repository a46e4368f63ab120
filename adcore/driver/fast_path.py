"""Gradients of calls like one before: the same native code, without looking at the arguments' structure again.

The first call of a gradient function takes the general path (`derivatives.functional`). Where its arguments are plain
numbers and contiguous arrays, it leaves a `FastPath` behind, which serves later calls with arguments of the same kinds.
Whatever is not exactly as it was goes the general path again, so the answer never depends on which path it took.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from adcore.activities import Active, Activity, Const, Duplicated, ReverseWithPrimal
from adcore.captures import quick_look, unwrap
from adcore.driver.calls.call import Call
from adcore.driver.derivatives.destination import Destination
from adcore.driver.derivatives.rules import generation
from adcore.driver.handles.handle import Handle
from adcore.driver.request import Options
from adcore.driver.shared import keep
from adcore.driver.specialisations import PrimalSpecialisation
from adcore.ir.types import ArrayType

ArgumentKinds = tuple[Any, ...]
Answer = tuple[Any, tuple[Any, ...]]

MOST_KINDS = 64
"""Kinds of arguments remembered for one gradient function."""

NUMBERS = (float, int, bool)


class FlatHandle(Handle):
    """A handle whose native wrapper serves a call or leaves it to the caller: its fallback answers None. It takes the
    leaves of objects in their place."""

    _flat = True

    def _general(self, *args: Any, **kwargs: Any) -> Any:
        return None


def kinds_of(args: Sequence[Any]) -> ArgumentKinds | None:
    """What a native wrapper tells apart: types of numbers, dtype and rank of arrays. None: nothing for it."""
    found: list[Any] = []
    for value in args:
        kind = type(value)
        if kind is np.ndarray:
            found += (value.dtype, value.ndim)
        elif kind in NUMBERS:
            found.append(kind)
        else:
            return None
    return tuple(found)


class FastPath:
    """Value and gradient of one function for arguments of one kind."""

    def __init__(
        self, native: FlatHandle, primal: PrimalSpecialisation, chosen: tuple[int, ...], is_array: Sequence[bool]
    ) -> None:
        self._native, self._primal, self._generation = native, primal, generation()
        self._written = [k for k in sorted(primal.written) if is_array[k]]
        self._arrays = [k for k, array in enumerate(is_array) if array] if self._written else []
        self._chosen = chosen
        self._shadowed = [k for k in sorted(chosen) if is_array[k]]
        actives = [k for k in sorted(chosen) if not is_array[k]]
        # Where the derivative of each chosen argument is: position among the shadows, or among the numbers returned.
        self._found = [(is_array[k], (self._shadowed if is_array[k] else actives).index(k)) for k in chosen]
        self._function = unwrap(native.function)
        self._code = getattr(self._function, "__code__", None)
        self._is_current = quick_look(primal.interface.captures) if primal.interface.captures else None

    @property
    def is_stale(self) -> bool:
        """Whether something that was baked in has changed since."""
        return (
            self._generation != generation()
            or getattr(self._function, "__code__", None) is not self._code
            or (self._is_current is not None and not self._is_current())
        )

    def __call__(self, args: Sequence[Any], out: Destination | None = None) -> Answer | None:
        """Value and gradients, in `out` if it is given; None where this call needs the general path."""
        if self.is_stale:
            return None
        given = list(args)
        if self._written and not self._copy_written(given):
            return None
        shadows = []
        for k in reversed(self._shadowed):
            shadow = out.shadow(self._chosen.index(k), args[k], (*args, *given)) if out is not None else None
            if shadow is None:
                shadow = np.zeros(given[k].shape, given[k].dtype)
            shadows.append(shadow)
            given.insert(k + 1, shadow)
        try:
            answer = self._native(*given)
        except NotImplementedError:
            # An axis of length 1 that has to stretch, say: the general path compiles for that, or raises it again.
            return None
        if answer is None:
            return None
        numbers, value = answer
        return value, tuple(shadows[-1 - at] if array else numbers[at] for array, at in self._found)

    def _copy_written(self, given: list[Any]) -> bool:
        """Copies in place of what the function writes into; False if that would change what the arguments share."""
        for a, b in combinations(self._arrays, 2):
            if np.may_share_memory(given[a], given[b]):
                return False
        for k in self._written:
            flags = given[k].flags
            if not (flags.c_contiguous and flags.writeable and flags.aligned):
                return False
            given[k] = given[k].copy()
        return True


def _fast_path(call: Call, options: Options) -> FastPath | None:
    """What serves later calls like `call`, which has been run; None where only the general path can."""
    primal, chosen = call.primal, call.chosen
    plain = all(type(v) is np.ndarray or type(v) in NUMBERS for v in call.arguments)
    # A limit in bytes chooses its code by the shapes; arrays from outside and shared memory are looked at every time.
    fixed = options.workspace in ("auto", "heap", 0)
    if not plain or not fixed or call.groups or len(primal.leaves) != len(call.arguments):
        return None
    is_array = [isinstance(leaf.type, ArrayType) for leaf in primal.leaves]
    annotated: list[Activity] = [Const(value) for value in call.arguments]
    for k in chosen:
        value = call.arguments[k]
        annotated[k] = Duplicated(value, np.zeros(value.shape, value.dtype)) if is_array[k] else Active(value)
    native = FlatHandle(ReverseWithPrimal, call.function, annotated, {}, options)
    return FastPath(native, primal, chosen, is_array) if native.is_attached else None


Served = dict[ArgumentKinds, FastPath | None]

MOST_FUNCTIONS = 256

_served: dict[tuple[Any, ...], Served] = {}


def served(function: Callable[..., Any], wrt: Any, options: Options) -> Served:
    """What serves the gradient of `function` by `wrt`, by kinds of arguments: shared by all that ask for it."""
    key = (function, repr(wrt), options, id(options.ops))
    found = _served.get(key)
    return keep(_served, key, {}, MOST_FUNCTIONS) if found is None else found


def remember(known: Served, kinds: ArgumentKinds | None, call: Call, options: Options) -> None:
    """Keep what serves calls like `call`, which has been run, unless that was tried before."""
    if kinds is None:
        return
    earlier = known.get(kinds)
    if kinds in known and not (earlier and earlier.is_stale):
        return
    keep(known, kinds, _fast_path(call, options), MOST_KINDS)


__all__ = ["MOST_KINDS", "FastPath", "kinds_of", "remember", "served"]
