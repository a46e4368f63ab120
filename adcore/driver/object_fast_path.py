"""Gradients of calls with objects like one before: a generated function takes the objects apart, native code the rest.

The function looks at exactly what the compiled code depends on, and gives None where anything differs:

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

from adcore.activities import Active, Activity, Const, Duplicated, ReverseWithPrimal
from adcore.driver.calls.call import Call
from adcore.driver.derivatives.rules import generation
from adcore.driver.fast_path import Answer, FlatHandle
from adcore.driver.handles.given import Order, native_order
from adcore.driver.request import Options
from adcore.instances import BOUND, is_slot
from adcore.signature import ABSENT, ArgType, ArrayArg, ObjectArg, SameArg, ScalarArg, StaticArg, has_objects

Extractor = Callable[[Sequence[Any]], "list[Any] | None"]

TYPES = {"f64": float, "i64": int, "bool": bool}


class _Unfit(Exception):
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
        elif isinstance(arg, SameArg):
            self.require(f"{text} is {self.met[arg.path]}")
        elif isinstance(arg, StaticArg):
            self._static(arg.value, text)
        elif isinstance(arg, ScalarArg):
            kind = TYPES.get(arg.dtype) if arg.weak else (np.float64 if arg.dtype == "f64" else None)
            if kind is None:
                raise _Unfit
            name = self._value(text)
            self.require(f"type({name}) is {self.constant(kind)}")
        elif isinstance(arg, ArrayArg) and arg.layout == "C":
            name = self._value(text)
            self.require(f"type({name}) is ndarray")
            self.met[path] = name
        else:
            raise _Unfit

    def _value(self, text: str) -> str:
        name = f"v{len(self.values)}"
        self.lines.append(f"    {name} = {text}")
        self.values.append(name)
        return name

    def _object(self, arg: ObjectArg, text: str, path: str) -> None:
        if arg.cls in BOUND:
            raise _Unfit
        name = f"o{len(self.names)}"
        self.lines.append(f"    {name} = {text}")
        self.require(f"type({name}) is {self.constant(arg.cls)}")
        self.met[path] = name
        fields = f"d{len(self.names)}"
        self.names[fields] = None
        if any(not is_slot(arg.cls, field) for field, _ in arg.fields):
            self.lines.append(f"    {fields} = {name}.__dict__")
        for field, part in arg.fields:
            slot = is_slot(arg.cls, field)
            if isinstance(part, StaticArg) and part.value is ABSENT:
                if slot:
                    raise _Unfit
                self.require(f"{field!r} not in {fields}")
            else:
                self.argument(part, f"{name}.{field}" if slot else f"{fields}[{field!r}]", f"{path}.{field}")

    def _static(self, value: Any, text: str) -> None:
        if isinstance(value, (str, bytes)):
            constant = self.constant(value)
            self.require(f"type({text}) is {type(value).__name__} and {text} == {constant}")
        elif value is None or isinstance(value, (bool, type)) or callable(value):
            self.require(f"{text} is {self.constant(value)}")
        else:
            raise _Unfit


def extractor(args: Sequence[ArgType], names: Sequence[str]) -> Extractor | None:
    """What takes the arguments of a call of these kinds apart; None where that can't be generated."""
    writer = _ExtractorText()
    try:
        for k, (arg, name) in enumerate(zip(args, names, strict=True)):
            writer.argument(arg, f"a[{k}]", name)
    except _Unfit:
        return None
    writer.lines.append(f"    return [{', '.join(writer.values)}]")
    exec("\n".join(writer.lines), writer.names)
    made: Extractor = writer.names["extract"]
    return made


class ObjectFastPath:
    """Value and gradients of calls with the objects of one kind, by plain arguments."""

    def __init__(self, native: FlatHandle, call: Call, extract: Extractor, order: Order) -> None:
        self._native, self._primal, self._extract = native, call.primal, extract
        self._generation = generation()
        self._bakes = bool(call.primal.interface.captures)
        self._count = len(call.values)
        # Which leaf each native argument is, or whose shadow.
        self._order = [(leaf, primal) for leaf, _, primal in order]
        self._is_plain = all(leaf < self._count for leaf, _ in self._order)
        leaves = [call.parts[target.path or ""].span[0] for target in call.targets]
        shadowed = [primal for leaf, primal in self._order if leaf >= self._count and primal is not None]
        actives = [k for k in sorted(leaves) if call.kinds[k] == "active"]
        self._found = [
            (True, shadowed.index(k)) if call.kinds[k] == "duplicated" else (False, actives.index(k)) for k in leaves
        ]

    def __call__(self, args: Sequence[Any]) -> Answer | None:
        """Value and gradients; None where this call needs the general path."""
        if self._generation != generation() or (self._bakes and not self._primal.is_current()):
            return None
        try:
            values = self._extract(args)
        except (KeyError, AttributeError, IndexError):
            return None
        if values is None:
            return None
        shadows: list[Any] = []
        if not self._is_plain:
            values = self._with_shadows(values, shadows)
        try:
            answer = self._native(*values)
        except NotImplementedError:
            return None
        if answer is None:
            return None
        numbers, value = answer
        return value, tuple(shadows[at] if array else numbers[at] for array, at in self._found)

    def _with_shadows(self, values: Sequence[Any], shadows: list[Any]) -> list[Any]:
        given = []
        for leaf, primal in self._order:
            if leaf < self._count:
                given.append(values[leaf])
            else:
                assert primal is not None
                shadows.append(np.zeros(values[primal].shape, values[primal].dtype))
                given.append(shadows[-1])
        return given


def object_fast_path(call: Call, options: Options) -> ObjectFastPath | None:
    """What serves later calls like `call`, which has been run; None where only the general path can."""
    primal = call.primal
    if not any(map(has_objects, call.signature.args)) or options.workspace not in ("auto", "heap", 0):
        return None
    if call.groups or primal.written or primal.interface.updates or len(call.values) != len(call.flattened.values):
        return None
    plain = {name: k for k, name in enumerate(call.names)}
    if any(target.path not in plain for target in call.targets):
        return None
    extract = extractor(call.signature.args, call.names)
    if extract is None:
        return None
    annotated: list[Activity] = [Const(value) for value in call.arguments]
    for target in call.targets:
        value = target.value
        array = isinstance(value, np.ndarray)
        if not (array or isinstance(value, float)):
            return None
        annotated[plain[target.name]] = Duplicated(value, np.zeros_like(value)) if array else Active(value)
    native = FlatHandle(ReverseWithPrimal, call.function, annotated, {}, options)
    order = native_order(native._run, frozenset(), flat=True)
    return ObjectFastPath(native, call, extract, order) if native.is_attached and order is not None else None


__all__ = ["ObjectFastPath", "extractor", "object_fast_path"]
