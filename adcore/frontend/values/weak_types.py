"""Whose a number is, where only a run tells: flags of the IR, and what they guard.

Python's `min(x[i], 1.0)` gives one of two objects, and which one decides whether a division by it raises. The same
holds for a name that is assigned on two paths, or before a loop and in it. A program is compiled without flags first,
because hardly any asks.
"""

from __future__ import annotations

from collections.abc import Callable

from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import NUMPY, PYTHON, UNTRACKED, Kind
from adcore.ir.core import Value


def certain(python: bool) -> Kind:
    return PYTHON if python else NUMPY


def flag(frame: Frame, kind: Kind) -> Value:
    """Whether a number of this kind is Python's, as a bool of the IR."""
    if not kind.mixed:
        return frame.const(kind.python)
    if not frame.session.speculation.flags:
        frame.session.speculation.needs_flags()
    first, *others = kind.flags
    for other in others:
        first = frame.emit("and", first, other)
    return first


def chosen(frame: Frame, condition: Value, a: Kind, b: Kind) -> Kind:
    """The kind of a number that is one of kind `a` if `condition` holds, otherwise one of kind `b`."""
    if a == b:
        return a
    if not frame.session.speculation.flags:
        return UNTRACKED
    if a.python and b.numpy:
        return Kind((condition,))
    if a.numpy and b.python:
        return Kind((frame.emit("not", condition),))
    return Kind((frame.emit("select", condition, flag(frame, a), flag(frame, b)),))


def check_python(frame: Frame, kind: Kind, ok: Callable[[], Value], error: str, message: str, *details: Value) -> None:
    """Raise unless `ok`, if the number is Python's."""
    if kind.numpy:
        return
    holds = ok()
    if kind.mixed:
        holds = frame.emit("or", holds, frame.emit("not", flag(frame, kind)))
    frame.check(holds, error, message, *details)


def check_numpy(frame: Frame, kind: Kind, error: str, message: str) -> None:
    """Raise if a number of mixed kind is NumPy's."""
    frame.check(flag(frame, kind), error, message)
