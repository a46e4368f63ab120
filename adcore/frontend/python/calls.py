"""Calls: what is called, with which arguments, and user functions compiled in place."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from adcore.captures import unwrap
from adcore.errors import CompileError
from adcore.frontend.custom_derivatives import find
from adcore.frontend.functions import FUNCTIONS, METHODS
from adcore.frontend.nested import call_nested, is_nested
from adcore.frontend.numpy.materialise import all_settled, in_memory
from adcore.frontend.objects.construction import construct_object
from adcore.frontend.objects.conversions import special_call
from adcore.frontend.python.advice import advice, is_of_a_library, library_name, writes_messages
from adcore.frontend.python.containers.comprehensions import generator
from adcore.frontend.python.containers.dicts import add_all, dict_method
from adcore.frontend.python.containers.list_methods import call_list_method
from adcore.frontend.python.custom_calls import call_custom
from adcore.frontend.python.functions.messages import logger_call
from adcore.frontend.python.globals_and_closures import default_value
from adcore.frontend.python.nonlocals import fetch, hand_back
from adcore.frontend.python.texts import text_method
from adcore.frontend.reader import FunctionSource
from adcore.frontend.session import FunctionScope, body_of, callee_scope
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    UNBOUND,
    Abstract,
    ArrayRef,
    Closure,
    Conflict,
    Constant,
    ExceptionValue,
    Items,
    ListRef,
    Method,
    Num,
    Poison,
    Record,
    is_array,
)
from adcore.frontend.values.containers.dicts import is_dict, new_dict
from adcore.frontend.values.containers.growing import as_list
from adcore.frontend.values.containers.iterables import starred
from adcore.frontend.values.deferred import is_text
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.optional import present
from adcore.instances import has_generated_init

DEEPEST_CALL = 64


@dataclasses.dataclass(frozen=True)
class Arguments:
    """The evaluated arguments of a call."""

    positional: list[Abstract]
    keywords: dict[str, Abstract]

    @property
    def poisoned(self) -> bool:
        return any(isinstance(v, Poison) for v in (*self.positional, *self.keywords.values()))

    def in_memory(self, scope: FunctionScope, node: ast.AST) -> Arguments:
        """The same, array expressions computed."""
        positional = [in_memory(scope, node, v) for v in self.positional]
        return Arguments(positional, {key: in_memory(scope, node, v) for key, v in self.keywords.items()})


CallRule = Callable[[FunctionScope, ast.AST, Any, Arguments], Abstract]
AnyCallRule = TypeVar("AnyCallRule", bound=Callable[..., Abstract])

CALLED: dict[object, CallRule] = {}
"""What a call of other abstract values does, by their type; of Python's own classes and functions, by themselves.
Under `dataclasses.dataclass`: of dataclasses whose instances are objects."""


def called(kind: object) -> Callable[[AnyCallRule], AnyCallRule]:
    """Register what compiles a call of an abstract value."""

    def decorate(rule: AnyCallRule) -> AnyCallRule:
        CALLED[kind] = rule
        return rule

    return decorate


def call(scope: FunctionScope, node: ast.Call) -> Abstract:
    """`f(...)`."""
    function = scope.evaluate(node.func)
    if isinstance(function, Method) and any(isinstance(n, ast.Call) for a in node.args for n in ast.walk(a)):
        function = Method(in_memory(scope, node, function.owner), function.name)
    arguments = _arguments(scope, node)
    return POISON if arguments is None else _called(scope, node, function, arguments)


def _called(scope: FunctionScope, node: ast.Call, function: Abstract, arguments: Arguments) -> Abstract:
    if isinstance(function, Poison):
        return POISON
    if arguments.poisoned:
        # That the function is none that could be called does not depend on what it gets.
        unknown = isinstance(function, Constant) and _in_no_table(function.value)
        return refused_call(scope, node, function.value) if unknown and isinstance(function, Constant) else POISON
    return call_value(scope, node, function, arguments)


def call_value(scope: FunctionScope, node: ast.Call, function: Abstract, arguments: Arguments) -> Abstract:
    """A call of whatever can be called."""
    if isinstance(function, Closure):
        arguments = arguments.in_memory(scope, node)
        parent = function.scope
        assert isinstance(parent, FunctionScope)
        defaults = {name: _known(value) for name, value in function.defaults}
        return inline(scope, node, parent.source, function.node, parent, defaults, arguments)
    if isinstance(function, Method):
        return call_method(scope, node, function, arguments)
    if type(function) in CALLED:
        return CALLED[type(function)](scope, node, function, arguments)
    if not isinstance(function, Constant):
        return scope.error(node, f"{describe(function)} can't be called")
    return call_object(scope, node, function.value, arguments)


def apply(scope: FunctionScope, node: ast.Call, function: Abstract, values: list[Abstract]) -> Abstract:
    """A call of a value with these arguments, as `map(function, values)` makes them."""
    return _called(scope, node, function, Arguments(values, {}))


def _arguments(scope: FunctionScope, node: ast.Call) -> Arguments | None:
    """The arguments in order; what is lazy is read as it was before later ones wrote to memory."""
    positional: list[Abstract] = []
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            value = scope.evaluate(argument.value)
            items = starred(scope, argument, value)
            if items is None:
                return None
            positional += items
        elif isinstance(argument, ast.GeneratorExp):
            positional.append(generator(scope, argument))
        else:
            positional, value = _after(scope, positional, argument)
            positional.append(value)
    keywords: dict[str, Abstract] = {}
    for keyword in node.keywords:
        positional, value = _after(scope, positional, keyword.value)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        elif not add_all(scope, keyword.value, keywords, value):
            return None
    if not all(isinstance(key, str) for key in keywords):
        scope.error(node, "the keywords of a call must be strings", "make the keys of what `**` unpacks strings")
        return None
    return Arguments(positional, keywords)


def _after(scope: FunctionScope, earlier: list[Abstract], argument: ast.expr) -> tuple[list[Abstract], Abstract]:
    return all_settled(scope, argument, earlier, argument, lambda: scope.evaluate(argument))


def call_object(scope: FunctionScope, node: ast.Call, function: Any, arguments: Arguments) -> Abstract:
    """A call of a Python object: a builtin, a library function, a class or a user's function."""
    if not _takes_expressions(function):
        arguments = arguments.in_memory(scope, node)
        if arguments.poisoned:
            return POISON
    if is_nested(function):
        return call_nested(scope, node, function, arguments.positional, arguments.keywords)
    if (rule := find(function)) is not None:
        return call_custom(scope, node, rule, arguments.positional, arguments.keywords)
    try:
        hash(function)
    except TypeError:
        # In no table, then; but it may wrap a function.
        if isinstance(unwrap(function), types.FunctionType):
            return call_user(scope, node, function, arguments)
        return refused_call(scope, node, function)
    if (found := special_call(scope, node, function, arguments.positional)) is not None:
        return found
    if (said := logger_call(scope, node, function, arguments.positional, arguments.keywords)) is not None:
        return said
    if function in FUNCTIONS:
        # Functions of libraries keep no list: they get it as it is now.
        take = as_list if FUNCTIONS[function].name in OF_ANYTHING else _number_or_list
        arguments = Arguments([take(scope, v) for v in arguments.positional],
                              {key: take(scope, v) for key, v in arguments.keywords.items()})  # fmt: skip
        return FUNCTIONS[function].call(scope, node, arguments.positional, arguments.keywords)
    if function in CALLED:
        return CALLED[function](scope, node, function, arguments)
    if isinstance(function, type):
        return construct(scope, node, function, arguments)
    if isinstance(unwrap(function), types.FunctionType) and not _belongs_to_numpy(function):
        return call_user(scope, node, function, arguments)
    return refused_call(scope, node, function)


OF_ANYTHING = {"isinstance", "type", "callable", "hasattr", "getattr", "bool", "print", "str", "repr", "format"}
"""Functions that take None as well as numbers."""


def _number_or_list(scope: FunctionScope, value: Abstract) -> Abstract:
    return as_list(scope, present(scope, value))


def _takes_expressions(function: Any) -> bool:
    """Whether a function does with array expressions what it has to: NumPy's functions, and `abs`."""
    return function is abs or _belongs_to_numpy(function) or isinstance(function, np.ufunc) or _is_add_at(function)


def _is_add_at(function: Any) -> bool:
    return isinstance(getattr(function, "__self__", None), np.ufunc)


def _belongs_to_numpy(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).split(".")[0] == "numpy"


def _in_no_table(function: Any) -> bool:
    """Whether a function of a library is called that is not supported."""
    if not callable(function) or isinstance(function, type):
        return False
    try:
        known = function in FUNCTIONS or is_nested(function) or find(function) is not None
    except TypeError:
        return False
    return not known and (_belongs_to_numpy(function) or isinstance(function, types.BuiltinFunctionType))


def refused_call(scope: FunctionScope, node: ast.Call, function: Any) -> Abstract:
    """Reports a call of what programs may not call."""
    name = library_name(function)
    return scope.error(node.func, f"{name} is not supported", advice(name), "unknown function")


def call_user(scope: FunctionScope, node: ast.Call, function: Any, arguments: Arguments) -> Abstract:
    """A Python function from outside, compiled in place."""
    if writes_messages(function):
        return refused_call(scope, node, function)
    try:
        source = scope.session.source(function)
    except CompileError as error:
        (found,) = error.diagnostics
        return scope.error(node, found.title, found.help, notes=found.notes)
    reported = len(scope.session.diagnostics)
    result = inline(scope, node, source, source.node, None, defaults_of(scope, node, source.function), arguments)
    if len(scope.session.diagnostics) > reported and is_of_a_library(source.file):
        # What it is made of is not the user's: the call is what can be changed.
        first = scope.session.diagnostics[reported]
        del scope.session.diagnostics[reported:]
        name, line = library_name(function), f":{first.span.line}" if first.span is not None else ""
        note = f"inside it, {Path(source.file).name}{line}: {first.title}"
        return scope.error(node.func, f"{name} is not supported", advice(name), notes=(note,))
    return result


Defaults = dict[str, Callable[[], Abstract]]
"""By parameter; those that are asked for are looked at."""


def defaults_of(scope: FunctionScope, node: ast.AST, function: types.FunctionType) -> Defaults:
    """Defaults of a function that exists."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    count = len(function.__defaults__ or ())
    own = [*names[len(names) - count :], *(function.__kwdefaults__ or {})]
    return {name: (lambda name=name: default_value(scope, node, function, name)) for name in own}  # type: ignore[misc]


def _known(value: Abstract) -> Callable[[], Abstract]:
    return lambda: value


def inline(
    scope: FunctionScope,
    node: ast.AST,
    source: FunctionSource,
    function: ast.FunctionDef | ast.Lambda,
    parent: FunctionScope | None,
    defaults: Defaults,
    arguments: Arguments,
    owner: int | None = None,
) -> Abstract:
    """Compile the body of a function where it is called; `owner`: the cell of the object whose method it is, which may
    call the same method of another one."""
    name = getattr(function, "name", "<lambda>")
    key: object = (function, parent) if parent is not None else source.function.__code__
    key = key if owner is None else (key, owner)
    constants = _constants(arguments)
    if key in scope.session.active and not _may_end(scope, key, constants):
        return scope.error(
            node, f"{name} calls itself", "write the recursion as a loop, or over what is known", "recursive call"
        )
    if len(scope.session.active) > DEEPEST_CALL:
        return scope.error(node, "calls are nested too deeply", "write fewer levels of functions")
    bound = bind(scope, node, function, defaults, arguments)
    if bound is None:
        return POISON
    callee = callee_scope(scope, source, function, parent)
    for other in scope.session.open_calls if parent is not None else ():
        hand_back(other)
    fetch(callee)
    callee.state.locals.update(bound)
    scope.session.active.append(key)
    scope.session.known.append((key, constants))
    scope.session.open_calls.append(callee)
    scope.session.call_sites.append(scope.span(node))
    span = scope.builder.span
    try:
        result = run_body(callee)
    finally:
        scope.session.active.pop()
        scope.session.known.pop()
        scope.session.open_calls.pop()
        scope.session.call_sites.pop()
        scope.builder.span = span
    scope.state.cells = callee.state.cells
    scope.state.dead = callee.state.dead
    hand_back(callee)
    for other in reversed(scope.session.open_calls) if parent is not None else ():
        fetch(other)
    return result


MOST_RECURSIVE = 512
"""Recursive calls that are compiled in place altogether."""

DEEPEST_RECURSION = 24
"""Recursive calls in one another: the compiler follows them by recursion of its own."""


def _constants(arguments: Arguments) -> tuple[object, ...]:
    """What of the arguments is known while compiling: numbers and other constants, tuples, records."""
    values = (*arguments.positional, *arguments.keywords.values())
    return tuple(
        ("constant", type(v.value), repr(v.value)) if isinstance(v, Constant) else ("container", id(v))
        for v in values
        if isinstance(v, (Constant, Items, Record))
    )


def _may_end(scope: FunctionScope, key: object, known: tuple[object, ...]) -> bool:
    """Whether a recursion may be followed: no call of the function under way has the same arguments as far as they are
    known, so that a test of them can end it."""
    session = scope.session
    session.recursive += 1
    few = session.recursive <= MOST_RECURSIVE and session.active.count(key) <= DEEPEST_RECURSION
    return few and (key, known) not in session.known


def run_body(scope: FunctionScope) -> Abstract:
    """Execute a function's body; its result."""
    body = body_of(scope.node)
    last = body[-1] if body else scope.node
    implicit = ast.copy_location(ast.Return(None), last)
    ast.fix_missing_locations(implicit)
    scope.execute([*body, implicit])
    result = scope.state.result
    if isinstance(result, Conflict):
        return scope.error(scope.node if isinstance(scope.node, ast.Lambda) else last, result.title, result.help)
    return NONE if result is UNBOUND else result


def bind(
    scope: FunctionScope,
    node: ast.AST,
    function: ast.FunctionDef | ast.Lambda,
    defaults: Defaults,
    arguments: Arguments,
) -> dict[str, Abstract] | None:
    """Parameters and what they get; reports what does not fit."""
    a = function.args
    name = getattr(function, "name", "<lambda>")
    names = [arg.arg for arg in (*a.posonlyargs, *a.args)]
    bound = dict(zip(names, arguments.positional, strict=False))
    extra = tuple(arguments.positional[len(names) :])
    if a.vararg is not None:
        bound[a.vararg.arg] = Items(extra)
    elif extra:
        scope.error(node, f"{name} takes {len(names)} positional arguments but {len(arguments.positional)} were given")
        return None
    keyword_names = {arg.arg for arg in (*a.args, *a.kwonlyargs)}
    options: dict[str, Abstract] = {}
    for key, value in arguments.keywords.items():
        if key not in keyword_names and a.kwarg is not None:
            options[key] = value
            continue
        if key not in keyword_names or key in bound:
            problem = "got multiple values for" if key in bound else "has no parameter"
            scope.error(node, f"{name} {problem} `{key}`")
            return None
        bound[key] = value
    if a.kwarg is not None:
        bound[a.kwarg.arg] = new_dict(scope, options)
    missing = []
    for key in (*names, *(arg.arg for arg in a.kwonlyargs)):
        if key not in bound:
            if key in defaults:
                bound[key] = defaults[key]()
            else:
                missing.append(key)
    if missing:
        scope.error(node, f"{name} is called without `{'`, `'.join(missing)}`")
        return None
    return bound


def construct(scope: FunctionScope, node: ast.Call, cls: type, arguments: Arguments) -> Abstract:
    """`Point(x, y)` of a named tuple or a plain dataclass; an exception."""
    if issubclass(cls, BaseException):
        return ExceptionValue(cls, tuple(arguments.positional), tuple(arguments.keywords.items()))
    names = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
    defaults: dict[str, Abstract] = {k: Constant(v) for k, v in getattr(cls, "_field_defaults", {}).items()}
    if names is None and has_generated_init(cls):
        fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(cls)  # type: ignore[arg-type]
        parameters = list(inspect.signature(cls).parameters)
        plain = not hasattr(cls, "__post_init__") and parameters == [f.name for f in fields if not f.kw_only]
        if not plain or not all(f.init and f.default_factory is dataclasses.MISSING for f in fields):
            scope.session.speculation.needs_objects(cls)
        if cls in scope.session.speculation.objects:
            return CALLED[dataclasses.dataclass](scope, node, cls, arguments)
        names = tuple(f.name for f in fields)
        defaults = {f.name: Constant(f.default) for f in fields if f.default is not dataclasses.MISSING}
    if names is None:
        if dataclasses.is_dataclass(cls):
            scope.session.speculation.needs_objects(cls)
        return construct_object(scope, node, cls, arguments.positional, arguments.keywords)
    values = {**dict(zip(names, arguments.positional, strict=False)), **arguments.keywords}
    if len(arguments.positional) + len(arguments.keywords) != len(values) or set(values) - set(names):
        return scope.error(node, f"{cls.__name__} has the fields {', '.join(names)}")
    missing = [name for name in names if name not in values and name not in defaults]
    if missing:
        return scope.error(node, f"{cls.__name__} is made without `{'`, `'.join(missing)}`")
    return Record(cls, tuple((name, values.get(name) or defaults[name]) for name in names))


def call_method(scope: FunctionScope, node: ast.Call, method: Method, arguments: Arguments) -> Abstract:
    owner = method.owner
    if isinstance(owner, ArrayRef) or is_array(owner):
        return METHODS[method.name].call(scope, node, [owner, *arguments.positional], arguments.keywords)
    if isinstance(owner, ListRef):
        return call_list_method(scope, node, owner, method.name, arguments.positional, arguments.keywords)
    if is_text(owner):
        return text_method(scope, node, owner, method.name, arguments.positional, arguments.keywords)
    if is_dict(owner):
        return dict_method(scope, node, owner, method.name, arguments.positional, arguments.keywords)
    if isinstance(owner, Num):
        return Num(owner.value) if method.name == "item" else owner
    return scope.error(node, f"`.{method.name}` is not supported", "write it out")
