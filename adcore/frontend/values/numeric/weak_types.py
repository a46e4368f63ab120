"""Weak types where only a run tells: flags of the IR, and what they guard.

Python's `min(x[i], 1.0)` gives one of two objects, and which one decides whether a division by it raises. The same
holds for a name that is assigned on two paths, or before a loop and in it. A program is compiled without flags first,
because hardly any asks.
"""

from __future__ import annotations

from collections.abc import Callable

from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import STRONG, UNTRACKED, WEAK, WeakType
from adcore.ir.core import Value


def certain(python: bool) -> WeakType:
    return WEAK if python else STRONG


def flag(scope: FunctionScope, weak: WeakType) -> Value:
    """Whether a number of this weak type is Python's, as a bool of the IR."""
    if not weak.mixed:
        return scope.const(weak.always)
    if not scope.session.speculation.flags:
        scope.session.speculation.needs_flags()
    first, *others = weak.flags
    for other in others:
        first = scope.emit("and", first, other)
    return first


def chosen(scope: FunctionScope, condition: Value, a: WeakType, b: WeakType) -> WeakType:
    """The weak type of a number that has `a` if `condition` holds, otherwise `b`."""
    if a == b:
        return a
    if not scope.session.speculation.flags:
        return UNTRACKED
    if a.always and b.never:
        return WeakType((condition,))
    if a.never and b.always:
        return WeakType((scope.emit("not", condition),))
    return WeakType((scope.emit("select", condition, flag(scope, a), flag(scope, b)),))


def check_python(
    scope: FunctionScope, weak: WeakType, ok: Callable[[], Value], error: str, message: str, *details: Value
) -> None:
    """Raise unless `ok`, if the number is Python's."""
    if weak.never:
        return
    holds = ok()
    if weak.mixed:
        holds = scope.emit("or", holds, scope.emit("not", flag(scope, weak)))
    scope.check(holds, error, message, *details)


def check_numpy(scope: FunctionScope, weak: WeakType, error: str, message: str) -> None:
    """Raise if a number that may be either's is NumPy's."""
    scope.check(flag(scope, weak), error, message)
