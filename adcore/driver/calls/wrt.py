"""By which arguments derivatives are taken, and a call that is to be differentiated by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcore.driver.calls.binding import bind, python_function
from adcore.driver.calls.call import Call
from adcore.driver.request import Options
from adcore.driver.specialisations import is_differentiable
from adcore.runtime.arguments import refuse, signature
from adcore.signature import ArgType, ArrayArg, DictArg, RecordArg, ScalarArg, SequenceArg, UniformArg, leaves

Wrt = int | str | tuple[int | str, ...]


def at(function: Any, args: Sequence[Any], kwargs: dict[str, Any], wrt: Wrt, options: Options) -> Call:
    """`function` at these arguments, to be differentiated by `wrt`."""
    python = python_function(function)
    names, values = bind(python, args, kwargs)
    chosen = positions(python, names, wrt)
    described = signature(names, values)
    for position in chosen:
        if not _has_floats(described.args[position]):
            _refuse_without_floats(names[position], described.args[position])
    return Call(python, names, values, options, chosen, described)


def positions(function: Callable[..., Any], names: Sequence[str], wrt: Wrt) -> tuple[int, ...]:
    """Argument numbers that `wrt` names. Raises ArgumentError for what is no argument."""
    found = []
    for item in wrt if isinstance(wrt, tuple) else (wrt,):
        if isinstance(item, bool) or not isinstance(item, (int, str)):
            refuse(f"wrt={wrt!r}: give argument numbers or names, or a tuple of them")
        if isinstance(item, str):
            if item not in names:
                refuse(f"{function.__name__} has no argument `{item}`", help=f"its arguments are {', '.join(names)}")
            found.append(names.index(item))
        else:
            if not -len(names) <= item < len(names):
                refuse(f"wrt={item}: {function.__name__} has {len(names)} arguments")
            found.append(item % len(names))
    if len(set(found)) != len(found):
        refuse(f"wrt={wrt!r} names an argument twice")
    return tuple(found)


def _has_floats(arg: ArgType) -> bool:
    return any(is_differentiable(leaf.type) for leaf in leaves(arg, ""))


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


__all__ = ["Wrt", "at", "positions"]
