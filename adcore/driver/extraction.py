"""Arguments like those of a call before, taken apart by a function that is generated for their kinds.

It looks at exactly what the compiled code depends on, and gives None where anything differs:

    o0 = a[0]
    if type(o0) is not Model: return None
    d0 = o0.__dict__
    v0 = d0["mass"]
    if type(v0) is not float or d0["mode"] != "fast" or "energy" in d0: return None
    return v0, a[1]

So a call with twenty attributes costs microseconds; whoever gets None goes the general path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.instances import BOUND, is_slot
from adcore.signature import (
    ABSENT,
    ArgType,
    ArrayArg,
    DictArg,
    ObjectArg,
    RecordArg,
    SameArg,
    ScalarArg,
    SequenceArg,
    StaticArg,
)

Extractor = Callable[[Sequence[Any]], "list[Any] | None"]
"""The leaves of arguments in order, as the native wrapper takes them; None where they are of another kind."""

Objects = Callable[[Sequence[Any]], dict[str, Any]]
"""The objects among arguments that were taken apart, by their paths."""

TYPES = {"f64": float, "i64": int, "bool": bool}


class Unfit(Exception):
    """Something that the generated function can't take apart."""


class _ExtractorText:
    """The text of an extractor, and the objects that it names."""

    def __init__(self) -> None:
        self.lines = ["def extract(a):"]
        self.names: dict[str, Any] = {"ndarray": np.ndarray}
        self.values: list[str] = []
        self.met: dict[str, str] = {}

    def constant(self, value: Any) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def require(self, condition: str) -> None:
        self.lines.append(f"    if not ({condition}): return None")

    def argument(self, arg: ArgType, text: str, path: str) -> None:
        """A part of the call, which `text` reads."""
        if isinstance(arg, ObjectArg):
            self._object(arg, text, path)
        elif isinstance(arg, RecordArg):
            self._record(arg, text, path)
        elif isinstance(arg, (SequenceArg, DictArg)):
            self._items(arg, text, path)
        elif isinstance(arg, SameArg):
            self.require(f"{text} is {self.met[arg.path]}")
        elif isinstance(arg, StaticArg):
            self._static(arg.value, text)
        elif isinstance(arg, ScalarArg):
            kind = TYPES.get(arg.dtype) if arg.weak else (np.float64 if arg.dtype == "f64" else None)
            if kind is None:
                raise Unfit
            name = self._value(text)
            self.require(f"type({name}) is {self.constant(kind)}")
        elif isinstance(arg, ArrayArg) and arg.layout == "C":
            name = self._value(text)
            self.require(f"type({name}) is ndarray")
            self.met[path] = name
        else:
            raise Unfit

    def _value(self, text: str) -> str:
        name = f"v{len(self.values)}"
        self.lines.append(f"    {name} = {text}")
        self.values.append(name)
        return name

    def _owner(self, text: str, cls: type) -> str:
        name = f"o{len(self.names)}"
        self.names[name] = None
        self.lines.append(f"    {name} = {text}")
        self.require(f"type({name}) is {self.constant(cls)}")
        return name

    def _object(self, arg: ObjectArg, text: str, path: str) -> None:
        if arg.cls in BOUND:
            raise Unfit
        name = self.met[path] = self._owner(text, arg.cls)
        fields = f"d{len(self.names)}"
        self.names[fields] = None
        if any(not is_slot(arg.cls, field) for field, _ in arg.fields):
            self.lines.append(f"    {fields} = {name}.__dict__")
        for field, part in arg.fields:
            slot = is_slot(arg.cls, field)
            if isinstance(part, StaticArg) and part.value is ABSENT:
                if slot:
                    raise Unfit
                self.require(f"{field!r} not in {fields}")
            else:
                self.argument(part, f"{name}.{field}" if slot else f"{fields}[{field!r}]", f"{path}.{field}")

    def _record(self, arg: RecordArg, text: str, path: str) -> None:
        name = self._owner(text, arg.cls)
        for k, (field, part) in enumerate(arg.fields):
            self.argument(part, f"{name}[{k}]" if issubclass(arg.cls, tuple) else f"{name}.{field}", f"{path}.{field}")

    def _items(self, arg: SequenceArg | DictArg, text: str, path: str) -> None:
        if isinstance(arg, SequenceArg):
            name = self._owner(text, tuple if arg.kind == "tuple" else list)
            self.require(f"len({name}) == {len(arg.items)}")
            keys: Sequence[Any] = range(len(arg.items))
        else:
            name = self._owner(text, dict)
            keys = arg.keys
            self.require(f"tuple({name}) == {self.constant(tuple(keys))}")
        for key, item in zip(keys, arg.items, strict=True):
            at = key if isinstance(key, int) else self.constant(key)
            self.argument(item, f"{name}[{at}]", f"{path}[{key!r}]")

    def _static(self, value: Any, text: str) -> None:
        if isinstance(value, (str, bytes)):
            constant = self.constant(value)
            self.require(f"type({text}) is {type(value).__name__} and {text} == {constant}")
        elif value is None or isinstance(value, (bool, type)) or callable(value):
            self.require(f"{text} is {self.constant(value)}")
        else:
            raise Unfit


def extractor(args: Sequence[ArgType], names: Sequence[str]) -> tuple[Extractor, Objects] | None:
    """What takes the arguments of a call of these kinds apart, and what finds their objects; None where that can't be
    generated."""
    writer = _ExtractorText()
    try:
        for k, (arg, name) in enumerate(zip(args, names, strict=True)):
            writer.argument(arg, f"a[{k}]", name)
    except Unfit:
        return None
    found = ", ".join(f"{path!r}: {name}" for path, name in writer.met.items())
    lines = [*writer.lines, f"    return [{', '.join(writer.values)}]"]
    again = ["def objects(a):", *writer.lines[1:], f"    return {{{found}}}"]
    exec("\n".join((*lines, *again)), writer.names)
    return writer.names["extract"], writer.names["objects"]


__all__ = ["Extractor", "Objects", "extractor"]
