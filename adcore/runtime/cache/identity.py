"""What compiling a function may read, as a hash that is the same in every process where it means the same.

    reached = reach(function, static_values)
    reached.digest                      # of code objects, defaults, closures, globals, callees, module attributes, ...
    reached.place(capture.key)          # where a variable stands, in terms that another process understands

The walk starts at the function's code object and follows names, as the compiler does: each name of a function's code
that its globals or the builtins have, each cell, each default, and of each module and class that is met the attributes
that any name of any reached code could ask for. That is never less than what a compile reads (`covers` compares), and
sometimes more, which costs no more than an entry. Text is not read: it may have been edited since the import.

Numbers count with type and bits, arrays by kind (their elements are arguments), functions by what they do, classes by
their definition, functions of libraries by name. What has no such identity (an object with a state of its own) counts
as its type: code that depends on it is not kept, and that is for `covers` to say, since most of it is never read.
"""

from __future__ import annotations

import builtins
import dataclasses
import enum
import opcode
import struct
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from adcore.captures import Capture, Probe, array_arg, unwrap
from adcore.runtime.cache.hashing import blake2b
from adcore.runtime.cache.libraries import is_found, is_library, name_of, of_a_library

MOST = 20_000
"""Values that are looked at: more of them, and compiling is no slower than telling that it is not needed."""

DEEPEST = 50
_MISSING = object()
_PLAIN = (type(None), type(Ellipsis), bool, int, str, bytes)
_UNREAD = frozenset({
    "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__annotate__", "__annotate_func__",
    "__annotations_cache__", "__firstlineno__", "__static_attributes__", "_abc_impl",
})  # fmt: skip
"""What a class's namespace holds for others than its instances' fields."""

PathStep = int | str | tuple[str] | tuple[str, int | float | str | bytes | None]
ValuePlace = tuple[int, str | None, tuple[PathStep, ...]]
"""A variable: the number of a namespace (or cell), the name in it, steps from the value found there."""

_ASIDE: dict[object, str] = {len: "len", type: "type", dict: "keys", types.CodeType: "code"}


class Unstable(Exception):
    """Something that compiling depends on has no identity that another process could recognise."""


def no_rule(function: Any) -> Any:
    """Where no function has derivatives of its own."""
    return None


def reach(function: Any, statics: Iterable[Any] = (), rule_of: Callable[[Any], Any] = no_rule) -> Reached:
    """All that compiling `function` may read; `statics` are values and classes that its signature holds, `rule_of`
    gives a function's custom derivatives. Raises Unstable."""
    walk = Reached(rule_of)
    try:
        walk.start(function, statics)
    except Unstable:
        raise
    except Exception as error:
        # Attributes of other people's objects may raise anything; that is no reason for the call to fail.
        raise Unstable(f"{type(error).__name__}: {error}") from error
    return walk


class Reached:
    """The values that a compile may read, in the order of the walk."""

    def __init__(self, rule_of: Callable[[Any], Any]) -> None:
        self._rule_of = rule_of
        self._hash = blake2b(digest_size=20)
        self._numbers: dict[int, int] = {}
        self._objects: list[Any] = []  # by number; kept, so that no identity is given away again
        self._waiting: list[Any] = []
        self._owners: list[Any] = []
        self._names: dict[str, None] = {}
        self._seen: set[tuple[int, str]] = set()
        self._unstable: set[int] = set()
        self._count = 0
        self.functions: list[types.FunctionType] = []
        self.classes: dict[tuple[str, str], type | None] = {}

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def start(self, function: Any, statics: Iterable[Any]) -> None:
        plain = unwrap(function)
        if not isinstance(plain, types.FunctionType):
            raise Unstable(f"{type(function).__name__} has no code")
        self._put("root", getattr(function, "__name__", ""))
        self._value(function, strict=True)
        for value in statics:
            self._value(value, strict=True)
        while True:
            while self._waiting:
                self._open(self._waiting.pop(0))
            pairs = [(owner, name) for owner in self._owners for name in self._names
                     if (self._numbers[id(owner)], name) not in self._seen]  # fmt: skip
            if not pairs:
                return
            for owner, name in pairs:
                self._attribute(owner, name)

    # The hash

    def _put(self, *parts: object) -> None:
        """Parts are plain values, whose representation tells them apart."""
        self._count += 1
        if self._count > MOST:
            raise Unstable("too much can be reached from here")
        self._hash.update(repr(parts).encode("utf-8", "surrogatepass"))

    def _new(self, value: Any) -> bool:
        """Refer to an object by number; whether it was not met before."""
        number = self._numbers.get(id(value))
        self._put("object", len(self._objects) if number is None else number)
        if number is None:
            self._number(value)
        return number is None

    def _number(self, value: Any) -> int:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return self._numbers[id(value)]

    # Values

    def _value(self, value: Any, strict: bool = False, depth: int = 0) -> None:
        """Describe a value. `strict`: it is baked in without a capture, so it must have an identity."""
        kind: Any = type(value)
        if depth > DEEPEST:
            raise Unstable("values that are nested too deeply")
        if kind in _PLAIN:
            self._put(kind.__name__, value)
        elif kind is float:
            self._put("float", struct.pack("<d", value))
        elif kind is complex:
            self._put("complex", struct.pack("<dd", value.real, value.imag))
        elif kind in (tuple, list):
            self._put(kind.__name__, len(value))
            for item in value:
                self._value(item, strict, depth + 1)
        elif kind is dict:
            self._put("dict", len(value))
            for key, item in value.items():
                self._value(key, strict, depth + 1)
                self._value(item, strict, depth + 1)
        elif isinstance(value, np.ndarray):
            arg = None if strict else array_arg(value)
            if arg is None:
                self._opaque(value, strict)
            else:
                self._put("array", arg.dtype, arg.rank, arg.layout, arg.writeable)
        elif isinstance(value, np.generic) and value.dtype.kind in "biufc":
            self._put("scalar", value.dtype.str, value.tobytes())
        elif isinstance(value, np.dtype):
            self._put("dtype", value.str)
        elif isinstance(value, enum.Enum):
            self._value(kind)
            self._put("member", value.name)
            self._value(value.value, strict, depth + 1)
        else:
            self._object(value, strict, depth)

    def _object(self, value: Any, strict: bool, depth: int) -> None:
        if not isinstance(value, types.FunctionType) and callable(value) and self._rule_of(value) is not None:
            raise Unstable("a rule for something else than a Python function")
        if isinstance(value, types.ModuleType):
            self._module(value, strict)
        elif isinstance(value, type):
            self._class(value, strict)
        elif isinstance(value, tuple) and hasattr(type(value), "_fields"):
            self._value(type(value), strict)
            for item in value:
                self._value(item, strict, depth + 1)
        elif dataclasses.is_dataclass(value):
            self._value(type(value), strict)
            for field in dataclasses.fields(value):
                self._value(getattr(value, field.name, None), strict, depth + 1)
        elif is_library(value) and self._rule_of(value) is None:
            self._put("library", type(value).__name__, *name_of(value))
        elif callable(value) and isinstance(unwrap(value), types.FunctionType):
            self._put("callable", type(value).__module__, type(value).__qualname__)
            self._function(unwrap(value))
        else:
            self._opaque(value, strict)

    def _opaque(self, value: Any, strict: bool) -> None:
        what = f"{type(value).__module__}.{type(value).__qualname__}"
        if strict:
            raise Unstable(f"a value of type {what}")
        # Functions of other libraries are no captures: that they cannot be compiled is all that their name decides.
        self._put("opaque", what, *(name_of(value) if callable(value) else ()))
        self._number(value)
        self._unstable.add(id(value))

    def _function(self, function: types.FunctionType) -> None:
        if self._new(function):
            self._waiting.append(function)

    def _module(self, module: types.ModuleType, strict: bool) -> None:
        if type(module) is not types.ModuleType:
            self._opaque(module, strict)
        elif self._new(module):
            self._put("module", module.__name__)
            if "__getattr__" in vars(module) and not of_a_library(module.__name__):
                raise Unstable(f"the module {module.__name__}, which makes its attributes up")
            self._owners.append(module)

    def _class(self, cls: type, strict: bool) -> None:
        if of_a_library(cls.__module__):
            self._put("class", *name_of(cls)) if is_found(cls) else self._opaque(cls, strict)
        elif self._new(cls):
            key = (cls.__module__, cls.__qualname__)
            self.classes[key] = cls if self.classes.get(key, cls) is cls else None
            self._waiting.append(cls)
            self._owners.append(cls)

    # What stands inside

    def _open(self, value: Any) -> None:
        if isinstance(value, type):
            self._definition(value)
            return
        function: types.FunctionType = value
        self.functions.append(function)
        self._put("function", function.__module__, function.__qualname__, function.__name__)
        self._code(function.__code__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._put("cell", name, self._number(cell))
            self._value(getattr(cell, "cell_contents", _MISSING))
        number = self._numbers[id(function)]
        self._seen |= {(number, "__defaults__"), (number, "__kwdefaults__")}
        for default in function.__defaults__ or ():
            self._put("default")
            self._value(default)
        for name, default in (function.__kwdefaults__ or {}).items():
            self._put("default", name)
            self._value(default)
        self._rule(function)
        self._outside(function)

    def _rule(self, function: types.FunctionType) -> None:
        rule = self._rule_of(function)
        if rule is None:
            return
        if rule.native is not None:
            raise Unstable("a rule for machine code")
        self._put("rule", rule.name)
        for part in (rule.primal, rule.tangent, rule.adjoint):
            self._value(part, strict=True)

    def _outside(self, function: types.FunctionType) -> None:
        """Globals and builtins that the function's code may read."""
        scope, standard = function.__globals__, vars(builtins)
        number = self._number(scope)
        for name in dict.fromkeys(_names(function.__code__)):
            self._names[name] = None
            if (number, name) not in self._seen:
                self._seen.add((number, name))
                self._put("global", number, name, name in scope)
                if name in scope:
                    self._value(scope[name])
                elif name in standard:
                    self._value(standard[name])
            if _imports(function.__code__) and name in sys.modules:
                self._put("imported", name)
                self._value(sys.modules[name])

    def _attribute(self, owner: Any, name: str) -> None:
        """What `owner.name` would give, for a module or class; asked without running any code of its own."""
        number = self._numbers[id(owner)]
        self._seen.add((number, name))
        spaces = [vars(owner)] if isinstance(owner, types.ModuleType) else [vars(c) for c in owner.__mro__]
        found = next((space[name] for space in spaces if name in space), _MISSING)
        if found is not _MISSING:
            self._put("attribute", number, name)
            self._value(found.__func__ if isinstance(found, (staticmethod, classmethod)) else found)

    def _definition(self, cls: type) -> None:
        """A class by what its instances are made of: bases, fields with their defaults, code of its methods."""
        self._put("class", cls.__module__, cls.__qualname__, [f"{c.__module__}.{c.__qualname__}" for c in cls.__mro__])
        for base in (*cls.__bases__, type(cls)):
            if base is not object and base is not type:
                self._class(base, strict=False)
        for field in getattr(cls, "__dataclass_fields__", {}).values():
            self._put("field", field.name, field.init, field.kw_only is True, field._field_type.name)
            for default in (field.default, field.default_factory):
                self._put(default is dataclasses.MISSING)
                if default is not dataclasses.MISSING:
                    self._value(default)
        for name, value in sorted(vars(cls).items()):
            if name in _UNREAD:
                continue
            self._put("member", name, type(value).__qualname__)
            plain = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if isinstance(plain, types.FunctionType):
                self._code(plain.__code__)
                for default in plain.__defaults__ or ():
                    self._value(default)
            elif type(value) in (*_PLAIN, float, complex, tuple):
                self._value(value)

    def _code(self, code: types.CodeType) -> None:
        self._put(
            "code", code.co_name, getattr(code, "co_qualname", ""), code.co_filename, code.co_firstlineno, code.co_code,
            code.co_varnames, code.co_names, code.co_freevars, code.co_cellvars, code.co_flags, code.co_argcount,
            code.co_posonlyargcount, code.co_kwonlyargcount, code.co_linetable, getattr(code, "co_exceptiontable", b""),
        )  # fmt: skip
        for value in code.co_consts:
            self._code(value) if isinstance(value, types.CodeType) else self._constant(value)

    def _constant(self, value: Any) -> None:
        if isinstance(value, (tuple, frozenset)):
            # The order of a set depends on the process.
            items = sorted(value, key=repr) if isinstance(value, frozenset) else value
            self._put(type(value).__name__, len(items))
            for item in items:
                self._constant(item)
        elif isinstance(value, slice):
            self._constant((value.start, value.stop, value.step))
        else:
            self._value(value, strict=True)

    # What a compile has read

    def covers(self, captures: Sequence[Capture]) -> bool:
        """Whether the hash holds everything that these captures are, as it does unless the walk has met no such name,
        or met what has no identity."""
        return all(
            self.place(capture.key) is not None and (capture.arg is not None or id(capture.value) not in self._unstable)
            for capture in captures
        )

    def place(self, key: tuple[object, ...]) -> ValuePlace | None:
        """Where the variable of a capture stands; None for one that the walk has not met."""
        number = self._numbers.get(key[0]) if key and isinstance(key[0], int) else None
        if number is None:
            return None
        steps, name = key[1:], None
        if not isinstance(self._objects[number], types.CellType):
            first, *rest = steps
            if not isinstance(first, str) or (number, first) not in self._seen:
                return None
            name, steps = first, tuple(rest)
        made: list[PathStep] = []
        for step in steps:
            if isinstance(step, (int, str)):
                made.append(step)
            elif isinstance(step, tuple):
                if not isinstance(step[1], (int, float, str, bytes, type(None))):
                    return None
                made.append(step)
            elif step in _ASIDE:
                made.append((_ASIDE[step],))
            else:
                return None
        return number, name, tuple(made)

    def probe(self, place: ValuePlace) -> Probe | None:
        """The entry of a namespace, the cell, or the code of a function at a place."""
        number, name, steps = place
        root = self._objects[number]
        if steps == (("code",),):
            plain = unwrap(self.fetcher((number, name, ()))())
            return Probe(plain, "__code__") if isinstance(plain, types.FunctionType) else None
        if steps or not (name is None or isinstance(root, (dict, types.ModuleType))):
            return None
        if name is None:
            return Probe(root)
        if isinstance(root, types.ModuleType):
            return Probe(vars(root), name)
        return Probe(root, name) if name in root else Probe(vars(builtins), name, root)

    def fetcher(self, place: ValuePlace) -> Callable[[], Any]:
        """How to read the variable at a place, as often as wanted."""
        number, name, steps = place
        root = self._objects[number]

        def fetch() -> Any:
            if name is None:
                value = root.cell_contents
            elif isinstance(root, dict):
                # A builtin, unless a global has its name.
                value = root[name] if name in root else getattr(builtins, name)
            else:
                value = getattr(root, name)
            for step in steps:
                value = _stepped(value, step)
            return value

        return fetch


def _stepped(value: Any, step: PathStep) -> Any:
    if isinstance(step, int):
        return value[step]
    if isinstance(step, str):
        return getattr(value, step)
    if step[0] == "code":
        return unwrap(value).__code__
    if step[0] == "key":
        return value[step[1]]  # type: ignore[misc]
    if step[0] == "keys":
        return tuple(value)
    return len(value) if step[0] == "len" else type(value)


def _names(code: types.CodeType) -> Iterator[str]:
    """Names of globals and attributes in a code object and those inside it."""
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _names(value)


def _imports(code: types.CodeType) -> bool:
    """Whether a function, or one inside it, has an `import` statement (or something that looks like one)."""
    inside = (value for value in code.co_consts if isinstance(value, types.CodeType))
    return _IMPORT in code.co_code[::2] or any(map(_imports, inside))


_IMPORT = opcode.opmap["IMPORT_NAME"]


__all__ = ["Reached", "Unstable", "ValuePlace", "reach"]
