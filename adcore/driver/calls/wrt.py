"""By which arguments derivatives are taken, and a call that is to be differentiated by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcore.driver.calls.binding import bind, called
from adcore.driver.calls.call import Call
from adcore.driver.calls.targets import WrtTarget, steps_of
from adcore.driver.request import Options
from adcore.driver.specialisations import is_differentiable
from adcore.runtime.values.arguments import describe, refuse, signature
from adcore.runtime.values.structures import zeros_like
from adcore.signature import (
    ArgType,
    ArrayArg,
    DictArg,
    RecordArg,
    ScalarArg,
    SequenceArg,
    UniformArg,
    has_objects,
    leaves,
)

Wrt = int | str | tuple[int | str, ...]


def at(function: Any, args: Sequence[Any], kwargs: dict[str, Any], wrt: Wrt, options: Options) -> Call:
    """`function` at these arguments, to be differentiated by `wrt`."""
    python, args, kwargs, taken = called(function, args, kwargs)
    names, values = bind(python, args, kwargs)
    paths = targets(python, names, wrt, taken)
    chosen = [names.index(path if path in names else steps_of(path)[0]) for path in paths]
    if all(path in names for path in paths):
        described = signature(names, values)
        for position in chosen:
            if not _has_floats(described.args[position]):
                _refuse_without_floats(names[position], described.args[position])
    call = Call(python, names, values, options, chosen, inside=paths)
    for target in call.targets:
        if target.name not in names and not _has_derivative(call, target):
            _refuse_without_floats(target.name, describe(target.value, target.name))
    return call


def _has_derivative(call: Call, target: WrtTarget) -> bool:
    """Whether there are floats in a part of an argument, read or not."""
    if target.path is not None and _has_floats(call.parts[target.path].arg):
        return True
    return zeros_like(target.value) is not None


def targets(function: Callable[..., Any], names: Sequence[str], wrt: Wrt, taken: int = 0) -> tuple[str, ...]:
    """The arguments and parts of arguments that `wrt` names, as paths; numbers do not count the `taken` first
    arguments, which a bound method or a partial has already. Raises ArgumentError for what is no argument."""
    found = []
    for item in wrt if isinstance(wrt, tuple) else (wrt,):
        if isinstance(item, bool) or not isinstance(item, (int, str)):
            refuse(f"wrt={wrt!r}: give argument numbers or names, or a tuple of them")
        if isinstance(item, str):
            if item not in names and steps_of(item)[0] not in names:
                refuse(f"{function.__name__} has no argument `{item}`", help=f"its arguments are {', '.join(names)}")
            found.append(item)
        else:
            free = names[taken:]
            if not -len(free) <= item < len(free):
                refuse(f"wrt={item}: {function.__name__} has {len(free)} arguments")
            found.append(free[item])
    if len(set(found)) != len(found):
        refuse(f"wrt={wrt!r} names an argument twice")
    return tuple(found)


def _has_floats(arg: ArgType) -> bool:
    # What an object holds is not known before it is read.
    return has_objects(arg) or any(is_differentiable(leaf.type) for leaf in leaves(arg, ""))


def _refuse_without_floats(name: str, arg: ArgType) -> None:
    if isinstance(arg, ScalarArg):
        what = "a bool" if arg.dtype == "bool" else "an integer"
        refuse(f"`{name}` is {what}: it has no derivative", help=f"pass float({name}), or leave it out of wrt")
    if isinstance(arg, ArrayArg):
        what = "bools" if arg.dtype == "bool" else "integers"
        help = f"pass {name}.astype(float), or leave it out of wrt"
        refuse(f"`{name}` is an array of {what}: it has no derivative", help=help)
    if isinstance(arg, (UniformArg, SequenceArg, RecordArg, DictArg)):
        what = arg.cls.__name__ if isinstance(arg, RecordArg) else getattr(arg, "kind", "dict")
        refuse(f"`{name}` is a {what} without floats: it has no derivative", help="pass floats, or leave it out of wrt")
    refuse(f"`{name}` is no number: it has no derivative", help="leave it out of wrt")


__all__ = ["Wrt", "at", "targets"]
