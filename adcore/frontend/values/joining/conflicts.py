"""Values of two paths that can't be one variable: what is said where it is read."""

from __future__ import annotations

from adcore.frontend.values.abstract import Abstract, ArrayRef, Conflict, ListRef, Uniform
from adcore.frontend.values.describe import describe
from adcore.ir.types import NUMPY_NAMES


def conflict(a: Abstract, b: Abstract, name: str) -> Conflict:
    """What is wrong with `name` being `a` on one path and `b` on the other."""
    if isinstance(a, ArrayRef) and isinstance(b, ArrayRef):
        if (a.element, a.rank) != (b.element, b.rank):
            kinds = [f"{x.rank}-d of {NUMPY_NAMES[x.element.name]}" for x in (a, b)]
            title = f"{quoted(name)} is an array, {kinds[0]} on one path and {kinds[1]} on another"
            return Conflict(title, "use a name for each")
        return Conflict(
            f"{quoted(name)} is one array on one path and another array on another",
            "keep one name per array and copy elements instead: `u[:] = v`, or loop over them",
            ("which buffer a name stands for must be known while compiling",),
        )
    if _is_list(a) and _is_list(b):
        return Conflict(
            f"{quoted(name)} is one list on one path and another list on another",
            "use a NumPy array and assign its elements",
            ("a subscript that is only known at run time keeps one of them in memory",),
        )
    title = f"{quoted(name)} is {describe(a)} on one path and {describe(b)} on another"
    if isinstance(a, Uniform) or isinstance(b, Uniform):
        help = f"take the argument apart first: `a, b = {name}`, then make the new one of `a` and `b`"
        return Conflict(title, help, ("the length of the argument is only known at run time",))
    return Conflict(title, "give the two values different names, or make both of one kind")


def _is_list(value: Abstract) -> bool:
    return isinstance(value, ListRef) or (isinstance(value, ArrayRef) and value.literal is not None)


def quoted(name: str) -> str:
    """A name as messages write it; what has a space is words."""
    return name if " " in name else f"`{name}`"
