"""Calls: what is called, with which arguments, and user functions compiled in place."""

from __future__ import annotations

import ast
import dataclasses
import types
from typing import Any

import numpy as np

from adcore.captures import unwrap
from adcore.errors import CompileError
from adcore.frontend.custom_derivatives import find
from adcore.frontend.functions import FUNCTIONS, METHODS
from adcore.frontend.numpy.materialise import all_settled, in_memory
from adcore.frontend.python.comprehensions import generator
from adcore.frontend.python.custom_calls import call_custom
from adcore.frontend.reader import Source
from adcore.frontend.session import Frame, body_of, new_frame
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    UNBOUND,
    Abstract,
    Array,
    Closure,
    Conflict,
    Const,
    Items,
    ListRef,
    Method,
    Num,
    Poison,
    Record,
    is_array,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.lists import append
from adcore.frontend.values.sequences import static_items

DEEPEST_CALL = 64


@dataclasses.dataclass(frozen=True)
class Arguments:
    """The evaluated arguments of a call."""

    positional: list[Abstract]
    keywords: dict[str, Abstract]

    @property
    def poisoned(self) -> bool:
        return any(isinstance(v, Poison) for v in (*self.positional, *self.keywords.values()))

    def in_memory(self, frame: Frame, node: ast.AST) -> Arguments:
        """The same, array expressions computed."""
        positional = [in_memory(frame, node, v) for v in self.positional]
        return Arguments(positional, {key: in_memory(frame, node, v) for key, v in self.keywords.items()})


def call(frame: Frame, node: ast.Call) -> Abstract:
    """`f(...)`."""
    function = frame.evaluate(node.func)
    if isinstance(function, Method) and any(isinstance(n, ast.Call) for a in node.args for n in ast.walk(a)):
        function = Method(in_memory(frame, node, function.owner), function.name)
    arguments = _arguments(frame, node)
    if isinstance(function, Poison) or arguments is None or arguments.poisoned:
        return POISON
    if isinstance(function, Closure):
        arguments = arguments.in_memory(frame, node)
        scope = function.scope
        assert isinstance(scope, Frame)
        return inline(frame, node, scope.source, function.node, scope, dict(function.defaults), arguments)
    if isinstance(function, Method):
        return call_method(frame, node, function, arguments)
    if not isinstance(function, Const):
        return frame.error(node, f"{describe(function)} can't be called")
    return call_object(frame, node, function.value, arguments)


def _arguments(frame: Frame, node: ast.Call) -> Arguments | None:
    """The arguments in order; what is lazy is read as it was before later ones wrote to memory."""
    positional: list[Abstract] = []
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            value = frame.evaluate(argument.value)
            if isinstance(value, (Items, ListRef)):
                positional += static_items(frame, value)
            elif isinstance(value, Poison):
                return None
            else:
                frame.error(argument, "only a tuple or list of known length can be unpacked with `*`")
                return None
        elif isinstance(argument, ast.GeneratorExp):
            positional.append(generator(frame, argument))
        else:
            positional, value = _after(frame, positional, argument)
            positional.append(value)
    keywords: dict[str, Abstract] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            frame.error(keyword.value, "`**` in a call is not supported", "write the keywords out")
            return None
        positional, keywords[keyword.arg] = _after(frame, positional, keyword.value)
    return Arguments(positional, keywords)


def _after(frame: Frame, earlier: list[Abstract], argument: ast.expr) -> tuple[list[Abstract], Abstract]:
    return all_settled(frame, argument, earlier, argument, lambda: frame.evaluate(argument))


def call_object(frame: Frame, node: ast.Call, function: Any, arguments: Arguments) -> Abstract:
    """A call of a Python object: a builtin, a library function, a class or a user's function."""
    if not _takes_expressions(function):
        arguments = arguments.in_memory(frame, node)
        if arguments.poisoned:
            return POISON
    if (rule := find(function)) is not None:
        return call_custom(frame, node, rule, arguments.positional, arguments.keywords)
    try:
        hash(function)
    except TypeError:
        # In no table, then; but it may wrap a function.
        if isinstance(unwrap(function), types.FunctionType):
            return call_user(frame, node, function, arguments)
        return _unknown(frame, node, function)
    if function in FUNCTIONS:
        return FUNCTIONS[function].call(frame, node, arguments.positional, arguments.keywords)
    if isinstance(function, type):
        return construct(frame, node, function, arguments)
    if isinstance(unwrap(function), types.FunctionType) and not _belongs_to_numpy(function):
        return call_user(frame, node, function, arguments)
    return _unknown(frame, node, function)


def _takes_expressions(function: Any) -> bool:
    """Whether a function does with array expressions what it has to: NumPy's functions, and `abs`."""
    return function is abs or _belongs_to_numpy(function) or isinstance(function, np.ufunc) or _is_add_at(function)


def _is_add_at(function: Any) -> bool:
    return isinstance(getattr(function, "__self__", None), np.ufunc)


def _belongs_to_numpy(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).split(".")[0] == "numpy"


def _unknown(frame: Frame, node: ast.Call, function: Any) -> Abstract:
    name = f"{getattr(function, '__module__', '') or ''}.{getattr(function, '__name__', type(function).__name__)}"
    return frame.error(
        node.func,
        f"{name.removeprefix('builtins.').lstrip('.')} is not supported",
        "write it out with loops, arithmetic and the supported functions of math and NumPy",
        "unknown function",
    )


def call_user(frame: Frame, node: ast.Call, function: Any, arguments: Arguments) -> Abstract:
    """A Python function from outside, compiled in place."""
    try:
        source = frame.session.source(function)
    except CompileError as error:
        (found,) = error.diagnostics
        return frame.error(node, found.title, found.help, notes=found.notes)
    defaults = outside_defaults(source.function)
    return inline(frame, node, source, source.node, None, defaults, arguments)


def outside_defaults(function: types.FunctionType) -> dict[str, Abstract]:
    """Defaults of a function that exists: their values are what was evaluated when it was defined."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    values = function.__defaults__ or ()
    found: dict[str, Abstract] = {
        name: Const(value) for name, value in zip(names[len(names) - len(values) :], values, strict=True)
    }
    found.update((name, Const(value)) for name, value in (function.__kwdefaults__ or {}).items())
    return found


def inline(
    frame: Frame,
    node: ast.Call,
    source: Source,
    function: ast.FunctionDef | ast.Lambda,
    parent: Frame | None,
    defaults: dict[str, Abstract],
    arguments: Arguments,
) -> Abstract:
    """Compile the body of a function where it is called."""
    name = getattr(function, "name", "<lambda>")
    key = (function, parent) if parent is not None else source.function.__code__
    if key in frame.session.active:
        return frame.error(node, f"{name} calls itself", "write the recursion as a loop", "recursive call")
    if len(frame.session.active) > DEEPEST_CALL:
        return frame.error(node, "calls are nested too deeply", "write fewer levels of functions")
    bound = bind(frame, node, function, defaults, arguments)
    if bound is None:
        return POISON
    callee = new_frame(frame, source, function, parent)
    callee.state.locals.update(bound)
    frame.session.active.append(key)
    frame.session.frames.append(callee)
    frame.session.call_sites.append(frame.span(node))
    span = frame.builder.span
    try:
        result = run_body(callee)
    finally:
        frame.session.active.pop()
        frame.session.frames.pop()
        frame.session.call_sites.pop()
        frame.builder.span = span
    frame.state.cells = callee.state.cells
    frame.state.dead = callee.state.dead
    return result


def run_body(frame: Frame) -> Abstract:
    """Execute a function's body; its result."""
    body = body_of(frame.node)
    last = body[-1] if body else frame.node
    implicit = ast.copy_location(ast.Return(None), last)
    ast.fix_missing_locations(implicit)
    frame.execute([*body, implicit])
    result = frame.state.result
    if isinstance(result, Conflict):
        return frame.error(frame.node if isinstance(frame.node, ast.Lambda) else last, result.title, result.help)
    return NONE if result is UNBOUND else result


def bind(
    frame: Frame,
    node: ast.Call,
    function: ast.FunctionDef | ast.Lambda,
    defaults: dict[str, Abstract],
    arguments: Arguments,
) -> dict[str, Abstract] | None:
    """Parameters and what they get; reports what does not fit."""
    a = function.args
    name = getattr(function, "name", "<lambda>")
    names = [arg.arg for arg in (*a.posonlyargs, *a.args)]
    if a.kwarg is not None:
        frame.error(node, f"{name} takes `**{a.kwarg.arg}`, which is not supported", "name the parameters")
        return None
    bound = dict(zip(names, arguments.positional, strict=False))
    extra = tuple(arguments.positional[len(names) :])
    if a.vararg is not None:
        bound[a.vararg.arg] = Items(extra)
    elif extra:
        frame.error(node, f"{name} takes {len(names)} positional arguments but {len(arguments.positional)} were given")
        return None
    keyword_names = {arg.arg for arg in (*a.args, *a.kwonlyargs)}
    for key, value in arguments.keywords.items():
        if key not in keyword_names or key in bound:
            problem = "got multiple values for" if key in bound else "has no parameter"
            frame.error(node, f"{name} {problem} `{key}`")
            return None
        bound[key] = value
    missing = []
    for key in (*names, *(arg.arg for arg in a.kwonlyargs)):
        if key not in bound:
            if key in defaults:
                bound[key] = defaults[key]
            else:
                missing.append(key)
    if missing:
        frame.error(node, f"{name} is called without `{'`, `'.join(missing)}`")
        return None
    return bound


def construct(frame: Frame, node: ast.Call, cls: type, arguments: Arguments) -> Abstract:
    """`Point(x, y)` of a named tuple or a plain dataclass."""
    names = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
    defaults: dict[str, Abstract] = {k: Const(v) for k, v in getattr(cls, "_field_defaults", {}).items()}
    if names is None and dataclasses.is_dataclass(cls):
        fields = dataclasses.fields(cls)
        plain = getattr(cls, "__dataclass_params__").init and not hasattr(cls, "__post_init__")  # noqa: B009
        if plain and all(f.init and f.default_factory is dataclasses.MISSING for f in fields):
            names = tuple(f.name for f in fields)
            defaults = {f.name: Const(f.default) for f in fields if f.default is not dataclasses.MISSING}
    if names is None:
        return _unknown(frame, node, cls)
    values = {**dict(zip(names, arguments.positional, strict=False)), **arguments.keywords}
    if len(arguments.positional) + len(arguments.keywords) != len(values) or set(values) - set(names):
        return frame.error(node, f"{cls.__name__} has the fields {', '.join(names)}")
    missing = [name for name in names if name not in values and name not in defaults]
    if missing:
        return frame.error(node, f"{cls.__name__} is made without `{'`, `'.join(missing)}`")
    return Record(cls, tuple((name, values.get(name) or defaults[name]) for name in names))


def call_method(frame: Frame, node: ast.Call, method: Method, arguments: Arguments) -> Abstract:
    owner = method.owner
    if isinstance(owner, Array) or is_array(owner):
        return METHODS[method.name].call(frame, node, [owner, *arguments.positional], arguments.keywords)
    if isinstance(owner, ListRef) and method.name == "append" and len(arguments.positional) == 1:
        return append(frame, node, owner, arguments.positional[0])
    if isinstance(owner, ListRef) and method.name == "copy":
        return frame.new_list(frame.list_items(owner), frame.span(node))
    if isinstance(owner, Num):
        return Num(owner.value) if method.name == "item" else owner
    return frame.error(node, f"`.{method.name}` is not supported", "write it out")
