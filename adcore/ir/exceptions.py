"""Exceptions of the user's program, described so that Python can make them after the call.

Compiled code only says which exception it is and leaves numbers behind. What stands in `raise Unstable(f"{v:.3f}", i)`
is kept as data: constants as they are, `FaultDetail(k)` for number k of those that are left, and `Deferred` for what
Python has to do with them (format a number, join texts). So a message is formatted by Python itself, and a class of the
user's is called with the arguments that it would have got.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class FaultDetail(NamedTuple):
    """A number that the compiled code has left behind."""

    number: int


class Deferred(NamedTuple):
    """What Python computes after the call."""

    operation: str
    items: tuple[Any, ...]


class Raising(NamedTuple):
    """An exception: its class, and what it is called with. `kinds`: dtype of each number that is left, and whether it
    is Python's own (otherwise a NumPy scalar)."""

    cls: type
    args: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()
    kinds: tuple[tuple[str, bool], ...] = ()
    quiet: bool = False
    """`raise ... from None`."""


class GivenObject(NamedTuple):
    """An object or array that stood at this path when the call started."""

    path: str


class AssignedBefore(NamedTuple):
    """Attributes that a program had assigned when it raised: (path of the object, name, description).

    `kinds` are those of the numbers that are left for them, behind the `first` ones, which the exception itself has.
    `lost`: attributes that were assigned what no description can hold, as `path.name`."""

    attributes: tuple[tuple[str, str, Any], ...] = ()
    kinds: tuple[tuple[str, bool], ...] = ()
    first: int = 0
    lost: tuple[str, ...] = ()


def made_error(raising: Raising, numbers: Sequence[Any]) -> BaseException:
    """The exception, given the numbers. Raises what its class or a format raises."""
    args = [evaluated(item, numbers) for item in raising.args]
    error = raising.cls(*args, **{name: evaluated(item, numbers) for name, item in raising.keywords})
    if not isinstance(error, BaseException):
        raise TypeError("exceptions must derive from BaseException")
    if raising.quiet:
        error.__suppress_context__ = True
    return error


def evaluated(item: Any, numbers: Sequence[Any], given: Callable[[str], Any] | None = None) -> Any:
    """What Python makes of a description; `given`: the object of a call that stood at a path."""
    if isinstance(item, FaultDetail):
        return numbers[item.number]
    if isinstance(item, Deferred):
        return OPERATIONS[item.operation](*(evaluated(part, numbers, given) for part in item.items))
    if isinstance(item, GivenObject) and given is not None:
        return given(item.path)
    return item


def _method(owner: Any, name: str, args: Sequence[Any], keywords: dict[str, Any] | tuple[()]) -> Any:
    return getattr(owner, name)(*args, **dict(keywords))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "join": lambda *texts: "".join(texts),
    "format": format,
    "str": str,
    "repr": repr,
    "ascii": ascii,
    "add": lambda a, b: a + b,
    "percent": lambda a, b: a % b,
    "tuple": lambda *items: items,
    "list": lambda *items: list(items),
    "dict": lambda keys, values: dict(zip(keys, values, strict=True)),
    "method": _method,
}
"""By name, so that a description can be kept in a file."""
