"""What an instance of a Python class holds, and what its class does, looked up without running any code of theirs."""

from __future__ import annotations

import dataclasses
import enum
import functools
import logging
import types
from typing import Any

HEAP_TYPE = 1 << 9
"""The flag of classes that are made at run time, as every `class` statement does."""

NO_OBJECTS = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial,
    enum.Enum, list, tuple, dict, set, frozenset, str, bytes, int, float, complex, BaseException, logging.Logger,
)  # fmt: skip
"""Instances of these, and of their subclasses, are values of another kind."""

MISSING = object()


def class_entry(cls: type, name: str, default: Any = None, after: type | None = None) -> Any:
    """What the class and its bases hold under `name`, as instances see it (not what the metaclass holds); `after`: only
    the bases that come behind this one, as `super` does."""
    order = cls.__mro__ if after is None else cls.__mro__[cls.__mro__.index(after) + 1 :]
    return next((vars(base)[name] for base in order if name in vars(base)), default)


def is_dataclass_type(cls: type) -> bool:
    """Whether a class is a dataclass, frozen or not."""
    return dataclasses.is_dataclass(cls)


def has_generated_init(cls: type) -> bool:
    """Whether instances of a dataclass are made by an `__init__` that `dataclass` has written."""
    if not dataclasses.is_dataclass(cls):
        return False
    initial = class_entry(cls, "__init__")
    return isinstance(initial, types.FunctionType) and initial.__code__.co_filename == "<string>"


def is_frozen(cls: type) -> bool:
    """Whether a class is a frozen dataclass."""
    return dataclasses.is_dataclass(cls) and bool(getattr(cls, "__dataclass_params__").frozen)  # noqa: B009


def is_mutable_record(cls: type) -> bool:
    """Whether fields of a class whose instances are records can be assigned."""
    return dataclasses.is_dataclass(cls) and not is_frozen(cls)


def is_object(value: Any) -> bool:
    """Whether a value is an instance of a class that was written in Python, whose attributes are looked at one by one.

    Named tuples and dataclasses are records, jitted functions are functions."""
    cls = type(value)
    if not cls.__flags__ & HEAP_TYPE or isinstance(value, NO_OBJECTS) or dataclasses.is_dataclass(cls):
        return False
    if cls.__module__.split(".")[0] in ("numpy", "builtins", "numba", "adcore"):
        return False
    called = class_entry(cls, "__call__")
    if called is not None and not isinstance(called, types.FunctionType):
        return False
    return class_entry(cls, "__array__") is None and not _wraps_function(value, cls)


def _wraps_function(value: Any, cls: type) -> bool:
    return any(class_entry(cls, name) is not None or name in own_dict(value) for name in ("py_func", "__wrapped__"))


def own_dict(value: Any) -> dict[str, Any]:
    """The attributes that an instance holds, apart from slots."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def instance_names(value: Any) -> tuple[str, ...]:
    """The attributes that an instance holds itself, those in slots included."""
    slots = {
        name: None
        for base in type(value).__mro__
        for name, entry in vars(base).items()
        if isinstance(entry, types.MemberDescriptorType) and instance_value(value, name) is not MISSING
    }
    return tuple(dict.fromkeys((*own_dict(value), *slots)))


BOUND = {types.MethodType: ("__self__", "__func__"), functools.partial: ("func", "args", "keywords")}
"""Functions that hold values, and what they are made of."""


def is_bound(value: Any) -> bool:
    """Whether a value is a method of an object, or a partial: it is taken apart as an object is."""
    if type(value) is types.MethodType:
        return isinstance(value.__func__, types.FunctionType) and is_object(value.__self__)
    return type(value) is functools.partial


def instance_value(value: Any, name: str) -> Any:
    """What an instance itself holds under `name`; MISSING if nothing."""
    if type(value) in BOUND:
        return getattr(value, name, MISSING)
    own = own_dict(value)
    if name in own:
        return own[name]
    slot = class_entry(type(value), name)
    if not isinstance(slot, types.MemberDescriptorType):
        return MISSING
    try:
        return slot.__get__(value, type(value))
    except AttributeError:
        return MISSING


def is_slot(cls: type, name: str) -> bool:
    """Whether `name` is in the `__slots__` of a class."""
    return isinstance(class_entry(cls, name), types.MemberDescriptorType)


def made_up(cls: type, *names: str) -> str | None:
    """The first of these special methods that the class defines itself, instead of leaving it to `object`."""
    standard = {name: vars(object).get(name) for name in names}
    return next((name for name in names if class_entry(cls, name) is not standard[name]), None)


def code_of(entry: Any) -> types.CodeType | None:
    """The code behind what a class holds: a function, property, static, class or cached method."""
    for name in ("fget", "func", "__func__"):
        entry = getattr(entry, name, None) or entry
    return entry.__code__ if isinstance(entry, types.FunctionType) else None
