"""What a value is, in the words of messages."""

from __future__ import annotations

from typing import Any

from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    BooleanIndexed,
    BoundMethod,
    Closure,
    Constant,
    DeferredText,
    DictRef,
    ExceptionValue,
    Expanded,
    FilteredValues,
    Items,
    IterableValue,
    Lazy,
    ListRef,
    Method,
    Num,
    ObjectRef,
    OutsideDict,
    PartialCall,
    PossiblyNone,
    Range,
    Record,
    Reshaped,
    SubscriptSlice,
    Super,
    Uniform,
)

WORDS: dict[type[Any], str] = {
    Items: "a tuple", ListRef: "a list", Uniform: "a list of any length", Range: "a range",
    IterableValue: "an iterator", Closure: "a function", Method: "a method", BoundMethod: "a method",
    PartialCall: "a function", Super: "super()", SubscriptSlice: "a slice", BooleanIndexed: "a selection by a mask",
    DictRef: "a dict", OutsideDict: "a dict", DeferredText: "a text", FilteredValues: "a generator with a condition",
    ExceptionValue: "an exception",
}  # fmt: skip


def describe(value: Abstract) -> str:
    """What a value is, for messages."""
    if isinstance(value, Constant):
        return "None" if value.value is None else f"{type(value.value).__name__} {value.value!r}"
    if isinstance(value, Num):
        names = {"b": "bool", "i": "int", "u": "int", "f": "float"}
        return f"NumPy {value.type}" if value.weak.never else names[value.type.kind]
    if isinstance(value, ArrayRef):
        return "a list" if value.literal is not None else f"an array of rank {value.rank}"
    if isinstance(value, (Expanded, Reshaped, Lazy)):
        return f"an array of rank {value.rank}"
    if isinstance(value, (Record, ObjectRef)):
        return f"a {value.cls.__name__}"
    if isinstance(value, PossiblyNone):
        return "a number that may be None"
    return WORDS.get(type(value), "a value")
