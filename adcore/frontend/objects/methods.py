"""Calls of methods, compiled in place, and of what Python calls by itself: special methods, which the class has."""

from __future__ import annotations

import ast
import types

from adcore.errors import CompileError
from adcore.frontend.objects.attributes import class_of, watch
from adcore.frontend.python.advice import writes_messages
from adcore.frontend.python.calls import CALLED, Arguments, call_object, called, defaults_of, inline, refused_call
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    FALSE,
    NONE,
    POISON,
    Abstract,
    BoundMethod,
    Constant,
    ObjectRef,
    PartialCall,
    Poison,
    Record,
    Super,
)
from adcore.frontend.values.describe import describe
from adcore.instances import class_entry


@called(BoundMethod)
def call_bound(scope: FunctionScope, node: ast.AST, method: BoundMethod, arguments: Arguments) -> Abstract:
    """`owner.method(...)`."""
    if method.function is object.__init__:
        return NONE
    if not isinstance(method.function, types.FunctionType):
        given = Arguments([method.owner, *arguments.positional], arguments.keywords)
        return call_object(scope, _as_call(node), method.function, given)
    arguments = arguments.in_memory(scope, node)
    if arguments.poisoned:
        return POISON
    if writes_messages(method.function):
        return refused_call(scope, _as_call(node), method.function)
    try:
        source = scope.session.source(method.function)
    except CompileError as error:
        (found,) = error.diagnostics
        return scope.error(node, found.title, found.help, notes=found.notes)
    given = Arguments([method.owner, *arguments.positional], arguments.keywords)
    defaults = defaults_of(scope, node, source.function)
    owner = method.owner.cell if isinstance(method.owner, ObjectRef) else None
    return inline(scope, node, source, source.node, None, defaults, given, owner)


@called(PartialCall)
def call_partial(scope: FunctionScope, node: ast.AST, owner: PartialCall, arguments: Arguments) -> Abstract:
    """`functools.partial(f, *args, **options)(...)`."""
    keywords = {**dict(owner.keywords), **arguments.keywords}
    given = Arguments([*owner.positional, *arguments.positional], keywords)
    if type(owner.function) in CALLED:
        return CALLED[type(owner.function)](scope, node, owner.function, given)
    if not isinstance(owner.function, Constant):
        return scope.error(node, f"a partial of {describe(owner.function)} is not supported", "use a lambda")
    return call_object(scope, _as_call(node), owner.function.value, given)


@called(ObjectRef)
@called(Record)
def call_instance(scope: FunctionScope, node: ast.AST, owner: ObjectRef | Record, arguments: Arguments) -> Abstract:
    """`owner(...)`."""
    function = special_method(scope, owner, "__call__")
    if function is None:
        return scope.error(node, f"a {owner.cls.__name__} can't be called", "give it a method `__call__`")
    return call_bound(scope, node, BoundMethod(owner, function), arguments)


def call_abstract(
    scope: FunctionScope,
    node: ast.AST,
    function: Abstract,
    positional: tuple[Abstract, ...],
    keywords: dict[str, Abstract],
) -> Abstract:
    """A call of a known method."""
    assert isinstance(function, BoundMethod)
    return call_bound(scope, node, function, Arguments(list(positional), keywords))


def is_special_owner(value: Abstract) -> bool:
    """Whether a value's class may say what operators do with it."""
    return isinstance(value, (ObjectRef, Record))


def special_method(scope: FunctionScope, owner: Abstract, name: str) -> types.FunctionType | None:
    """A special method that the class of an object defines in Python."""
    if not isinstance(owner, (ObjectRef, Record)):
        return None
    found = class_entry(class_of(owner), name)
    if not isinstance(found, types.FunctionType):
        return None
    watch(scope, class_of(owner), name, found)
    return found


def call_special(
    scope: FunctionScope, node: ast.AST, owner: Abstract, name: str, arguments: tuple[Abstract, ...]
) -> Abstract | None:
    """`owner.name(...)` as operators look it up; None where the class does not define it."""
    function = special_method(scope, owner, name)
    if function is None or function.__code__.co_filename == "<string>":
        # What `dataclass` writes has no source; whoever asks knows what it does.
        return None
    return call_bound(scope, node, BoundMethod(owner, function), Arguments(list(arguments), {}))


def _as_call(node: ast.AST) -> ast.Call:
    """A call in the place of a node, for those who ask how it is written."""
    if isinstance(node, ast.Call):
        return node
    function = ast.copy_location(ast.Name("method", ast.Load()), node)
    return ast.copy_location(ast.Call(function, [], []), node)


# super ----------------------------------------------------------------------------------------------------------------


@called(super)
def _super(scope: FunctionScope, node: ast.AST, function: type, arguments: Arguments) -> Abstract:
    """`super()` and `super(A, self)`."""
    args = arguments.positional
    if arguments.keywords or len(args) not in (0, 2):
        return scope.error(node, "super takes no arguments, or a class and an object", "write super()")
    if args:
        after, owner = args
        known = isinstance(after, Constant) and isinstance(after.value, type)
        if not known or not isinstance(owner, (ObjectRef, Record, Constant)):
            return scope.error(
                node, "super needs a class and an object that are known while compiling", "write super()"
            )
        assert isinstance(after, Constant)
        return Super(owner, after.value)
    cell = scope.source.closure.get("__class__")
    parameters = [*scope.node.args.posonlyargs, *scope.node.args.args]
    if cell is None or not parameters:
        return scope.error(node, "super() outside of a method", "write super(Class, self)")
    first = scope.state.locals.get(parameters[0].arg, NONE)
    if isinstance(first, Poison):
        return POISON
    if not isinstance(first, (ObjectRef, Record, Constant)):
        return scope.error(node, "super() where the first parameter is no longer the object", "keep its name")
    return Super(first, cell.cell_contents)


# What operators ask ---------------------------------------------------------------------------------------------------


def is_not_implemented(value: Abstract) -> bool:
    """What a special method returns that leaves the operation to the other operand."""
    return isinstance(value, Constant) and value.value is NotImplemented


def equal(scope: FunctionScope, node: ast.AST, a: Abstract, b: Abstract) -> Abstract | None:
    """`a == b` where the class of one of them decides; None where fields have to be compared."""
    for owner, other in _operands(a, b):
        function = special_method(scope, owner, "__eq__")
        if function is not None and function.__code__.co_filename == "<string>":
            if class_of(owner) is (class_of(other) if is_special_owner(other) else None):
                return None
            continue
        found = scope.special(node, owner, "__eq__", other)
        if found is not None and not is_not_implemented(found):
            return found
    if isinstance(a, ObjectRef) and isinstance(b, ObjectRef):
        return Constant(a.cell == b.cell) if _known_apart(scope, a, b) else None
    return FALSE if isinstance(a, ObjectRef) or isinstance(b, ObjectRef) else None


def _operands(a: Abstract, b: Abstract) -> list[tuple[Abstract, Abstract]]:
    """Whose method is asked first: that of the right operand if its class is a subclass of the left one's."""
    pairs = [(a, b), (b, a)]
    if is_special_owner(a) and is_special_owner(b):
        left, right = class_of(a), class_of(b)
        if left is not right and issubclass(right, left):
            pairs.reverse()
    return [pair for pair in pairs if is_special_owner(pair[0])]


def _known_apart(scope: FunctionScope, a: ObjectRef, b: ObjectRef) -> bool:
    """Whether two references tell whether they mean one object: one that was chosen at run time need not."""
    return a.cell == b.cell or not {a.cell, b.cell} & scope.session.shared


def operator_method(
    scope: FunctionScope, node: ast.AST, name: str, a: Abstract, b: Abstract, reflected: str
) -> Abstract | None:
    """`a OP b` by the methods `name` of `a` and `reflected` of `b`; None where neither takes the other."""
    for owner, other in _operands(a, b):
        if owner is not a and is_special_owner(a) and class_of(a) is class_of(b) and reflected.startswith("__r"):
            continue  # Python does not ask the same class twice
        found = scope.special(node, owner, name if owner is a else reflected, other)
        if found is not None and not is_not_implemented(found):
            return found
    return None
