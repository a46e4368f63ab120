"""From outside of what is compiled: globals, closure variables, attributes of modules, defaults."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.captures import Capture, Probe, array_arg, unwrap
from adcore.frontend.numpy.elements import CAPTURED
from adcore.frontend.objects.bound import items_of
from adcore.frontend.objects.slots import outside_object
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    BoundMethod,
    Constant,
    Items,
    OutsideDict,
    PartialCall,
    Record,
)
from adcore.instances import is_object
from adcore.ir.core import Value
from adcore.ir.types import SCALARS, ArrayType


def lookup_global(scope: FunctionScope, node: ast.AST, name: str) -> Abstract:
    """A name that is no local: as Python finds it now."""
    source = scope.source
    if name in source.closure:
        cell = source.closure[name]
        try:
            value = cell.cell_contents
        except ValueError:
            return scope.error(node, f"`{name}` of the enclosing function has no value yet", f"assign `{name}` first")
        return from_python(scope, node, value, name, lambda: cell.cell_contents, (id(cell),), Probe(cell))
    module_globals = source.function.__globals__
    key = (id(module_globals), name)
    if name in module_globals:
        probe = Probe(module_globals, name)
        return from_python(scope, node, module_globals[name], name, lambda: module_globals[name], key, probe)
    if hasattr(builtins, name):
        probe = Probe(vars(builtins), name, module_globals)
        return from_python(scope, node, getattr(builtins, name), name, lambda: _found(module_globals, name), key, probe)
    return scope.error(node, f"`{name}` is not defined", "define it before the function is compiled", "unknown name")


def _found(module_globals: dict[str, Any], name: str) -> Any:
    """A builtin, or the global that has taken its name."""
    return module_globals[name] if name in module_globals else getattr(builtins, name)


def default_value(scope: FunctionScope, node: ast.AST, function: types.FunctionType, name: str) -> Abstract:
    """The default of a parameter of a function that exists: what was evaluated when it was defined, or put there
    since."""
    code, path = function.__code__, f"{function.__name__}.{name}"
    if name in (function.__kwdefaults__ or {}):
        key: tuple[object, ...] = (id(function), "__kwdefaults__", ("key", name))
        return from_python(scope, node, _keyword_default(function, name), path,
                           lambda: _keyword_default(function, name), key)  # fmt: skip
    position = code.co_varnames.index(name) - code.co_argcount
    key = (id(function), "__defaults__", position)
    return from_python(scope, node, _default(function, position), path, lambda: _default(function, position), key)


def _default(function: types.FunctionType, position: int) -> Any:
    """The default at a position from the end."""
    return (function.__defaults__ or ())[position]


def _keyword_default(function: types.FunctionType, name: str) -> Any:
    return (function.__kwdefaults__ or {})[name]


def from_python(
    scope: FunctionScope,
    node: ast.AST,
    value: Any,
    path: str,
    fetch: Callable[[], Any],
    key: tuple[object, ...],
    probe: Probe | None = None,
) -> Abstract:
    """An outside object as an abstract value, with the capture that it needs. `probe`: where its name stands."""
    captures = scope.session.captures
    arg = array_arg(value)
    if arg is not None:
        if key not in captures.parameters:
            captures.add(key, Capture(path, fetch, None, arg))
            parameter = Value(ArrayType(SCALARS[arg.dtype], arg.rank, arg.layout), path)
            captures.parameters[key] = parameter
            scope.session.groups[parameter] = CAPTURED
        parameter = captures.parameters[key]
        return ArrayRef(parameter, parameter, arg.writeable)
    if type(value) in (tuple, list):
        # The length is a capture of its own; items follow. A list is only read, so it can be a tuple here.
        captures.add((*key, len), Capture(f"len({path})", lambda: len(fetch()), len(value)))
        items = (
            from_python(scope, node, item, f"{path}[{k}]", lambda k=k: fetch()[k], (*key, k))  # type: ignore[misc]
            for k, item in enumerate(value)
        )
        return Items(tuple(items))
    if type(value) in (set, frozenset):
        captures.add((*key, frozenset), Capture(path, lambda: frozenset(fetch()), frozenset(value)))
        return Constant(frozenset(value))
    if type(value) is dict:
        return _dict(scope, node, value, path, fetch, key)
    names = record_fields(value)
    if names is not None and type(value) not in scope.session.speculation.objects:
        captures.add((*key, type), Capture(f"type({path})", lambda: type(fetch()), type(value)))
        fields = (
            (name, from_python(scope, node, getattr(value, name), f"{path}.{name}", _getter(fetch, name), (*key, name)))
            for name in names
        )
        return Record(type(value), tuple(fields))
    if names is not None or is_object(value):
        return outside_object(scope, node, value, path, fetch, key, from_python)
    if isinstance(value, functools.partial):
        captures.add(key, Capture(path, fetch, value))
        return _partial(scope, node, value, path)
    if isinstance(value, types.MethodType) and isinstance(value.__func__, types.FunctionType):
        captures.add(key, Capture(path, lambda: _parts_of(fetch()), _parts_of(value)))
        owner = from_python(
            scope, node, value.__self__, f"{path}.__self__", lambda: fetch().__self__, (*key, "__self__")
        )
        return BoundMethod(owner, value.__func__)
    if _is_array(value):
        return scope.error(
            node,
            f"`{path}` is an array of {value.dtype}, which is not supported",
            "convert it: np.float64, np.float32, integer and bool arrays in native byte order are supported",
        )
    captures.add(key, Capture(path, fetch, value, probe=probe))
    plain = unwrap(value) if callable(value) else None
    if isinstance(plain, types.FunctionType):
        captures.add(
            (*key, types.CodeType),
            Capture(
                f"{path}.__code__",
                lambda: unwrap(fetch()).__code__,
                plain.__code__,
                probe=Probe(plain, "__code__") if probe is not None else None,
            ),
        )
    return Constant(value)


def _dict(
    scope: FunctionScope,
    node: ast.AST,
    value: dict[Any, Any],
    path: str,
    fetch: Callable[[], Any],
    key: tuple[object, ...],
) -> Abstract:
    """A dict from outside: its keys are a capture, and each value that is read."""
    outside = scope.session.outside
    if key not in outside:
        keys = tuple(value)
        scope.session.captures.add((*key, dict), Capture(f"the keys of {path}", lambda: tuple(fetch()), keys))

        def item(k: int) -> Abstract:
            name = keys[k]
            return from_python(
                scope, node, value[name], f"{path}[{name!r}]", lambda: fetch()[name], (*key, ("key", name))
            )

        outside[key] = OutsideDict(keys, item)
    return outside[key]


def _getter(fetch: Callable[[], Any], name: str) -> Callable[[], Any]:
    return lambda: getattr(fetch(), name)


def _partial(scope: FunctionScope, node: ast.AST, value: functools.partial[Any], path: str) -> PartialCall:
    """A partial from outside, which is this very one at each call."""

    def part(name: str, get: Callable[[], Any]) -> Abstract:
        return from_python(scope, node, get(), f"{path}.{name}", get, (id(value), name))

    function, args = part("func", lambda: value.func), part("args", lambda: value.args)
    named = [(key, part(key, lambda key=key: value.keywords[key])) for key in value.keywords]  # type: ignore[misc]
    return PartialCall(function, items_of(args), tuple(named))


def _parts_of(method: Any) -> tuple[object, object]:
    """What a bound method is made of: a new one each time that it is looked up."""
    return getattr(method, "__self__", None), getattr(method, "__func__", None)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def record_fields(value: Any) -> tuple[str, ...] | None:
    """Field names of a named tuple or dataclass instance."""
    if isinstance(value, tuple) and hasattr(type(value), "_fields"):
        return tuple(getattr(type(value), "_fields"))  # noqa: B009
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(field.name for field in dataclasses.fields(value))
    return None
