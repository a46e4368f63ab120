"""What a value is, in the words of messages."""

from __future__ import annotations

from adcore.frontend.values.abstract import (
    Abstract,
    Array,
    Const,
    Expanded,
    Lazy,
    Num,
    Record,
    Reshaped,
)


def describe(value: Abstract) -> str:
    """What a value is, for messages."""
    if isinstance(value, Const):
        return "None" if value.value is None else f"{type(value.value).__name__} {value.value!r}"
    if isinstance(value, Num):
        names = {"b": "bool", "i": "int", "u": "int", "f": "float"}
        return f"NumPy {value.type}" if value.kind.numpy else names[value.type.kind]
    if isinstance(value, Array):
        return "a list" if value.literal is not None else f"an array of rank {value.rank}"
    if isinstance(value, (Expanded, Reshaped, Lazy)):
        return f"an array of rank {value.rank}"
    names_of = {
        "Items": "a tuple", "ListRef": "a list", "Uniform": "a list of any length", "Range": "a range",
        "Stream": "an iterator", "Closure": "a function", "Method": "a method", "Slice": "a slice",
        "Masked": "a selection by a mask",
    }  # fmt: skip
    if isinstance(value, Record):
        return f"a {value.cls.__name__}"
    return names_of.get(type(value).__name__, "a value")
