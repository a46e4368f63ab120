"""Calls of functions with derivatives of the user's own: one opaque instruction each (`adcore.ops.custom`).

A function is compiled for the number types of a call, tangent and adjoint with it, so that whatever is wrong with them
is said where the function is first used.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from adcore.captures import Capture, unwrap
from adcore.errors import CompileError, Diagnostic
from adcore.frontend.custom_derivatives import Compiled, Rule, ScalarArguments
from adcore.frontend.program import Program
from adcore.frontend.python.control.branches import choose
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import POISON, Abstract, Constant, Num, WeakType
from adcore.frontend.values.numeric.number_arguments import scalar_arguments
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.scalars import one_type
from adcore.frontend.values.numeric.weak_types import certain, flag
from adcore.ir import print_function
from adcore.ir.core import Function, Instr, Value, walk
from adcore.ir.types import SCALARS, Scalar
from adcore.ops import TABLE
from adcore.ops.custom import Code, Part, Rules, part_of
from adcore.signature import ArgType, ScalarArg, SequenceArg, Signature, StaticArg
from adcore.source import Span

MOST_MIXED = 3
"""Arguments that are Python's or NumPy's independently of each other; a call has code for each combination."""


def call_custom(
    scope: FunctionScope, node: ast.AST, rule: Rule, positional: Sequence[Abstract], named: dict[str, Abstract]
) -> Abstract:
    """A call of a function that has a rule."""
    given = _in_order(scope, node, rule, positional, named)
    numbers = None if given is None else scalar_arguments(scope, node, rule.name, given)
    if numbers is None:
        return POISON
    for number in numbers:
        one_type(scope, number)
    kinds = rule.types[:-1] or tuple(ScalarArg(scalar_type(n).name, weak_type_of(n).always) for n in numbers)
    mixed = [] if rule.types else list(dict.fromkeys(weak_type_of(n) for n in numbers if weak_type_of(n).mixed))
    if len(mixed) > MOST_MIXED:
        what = "many arguments that are Python's on one path and NumPy's on another"
        return scope.error(node, f"{rule.name} gets {what}", "write float(...) or np.float64(...) around them")
    return _called(scope, node, rule, numbers, kinds, mixed)


def _called(
    scope: FunctionScope,
    node: ast.AST,
    rule: Rule,
    numbers: list[Abstract],
    kinds: ScalarArguments,
    mixed: Sequence[WeakType],
) -> Abstract:
    """The call for arguments of which those of kinds in `mixed` are either's: one of two, unless they are equal."""
    numpy = _made(scope, node, rule, kinds)
    if numpy is None:
        return POISON
    if not mixed:
        return _emitted(scope, numpy, numbers, certain(numpy.result.weak))
    own = [weak_type_of(n) for n in numbers]
    every = tuple(replace(k, weak=k.weak or o in mixed) for k, o in zip(kinds, own, strict=True))
    python = _made(scope, node, rule, every)
    if python is None:
        return POISON
    same = numpy.result.weak == python.result.weak
    if (same or len(mixed) == 1) and _texts(numpy.code) == _texts(python.code):
        return _emitted(scope, numpy, numbers, certain(numpy.result.weak) if same else mixed[0])
    first, *others = mixed
    first_python = tuple(replace(k, weak=k.weak or o == first) for k, o in zip(kinds, own, strict=True))
    return choose(
        scope,
        Num(flag(scope, first)),
        lambda: _called(scope, node, rule, numbers, first_python, others),
        lambda: _called(scope, node, rule, numbers, kinds, others),
    )


def _emitted(scope: FunctionScope, made: Compiled, numbers: list[Abstract], weak: WeakType) -> Num:
    operands = [materialise(scope, n, t) for n, t in zip(numbers, made.code.params, strict=True)]
    return Num(scope.emit(made.code.op, *operands, code=made.code), weak)


def _made(scope: FunctionScope, node: ast.AST, rule: Rule, kinds: ScalarArguments) -> Compiled | None:
    """The rule for arguments of these kinds; reports what is wrong with it."""
    if kinds in rule.compiled and rule.compiled[kinds] is None:
        scope.error(node, f"{rule.name} calls itself", "write the recursion as a loop", "recursive call")
        return None
    try:
        made = _compiled(scope, rule, kinds)
    except CompileError as error:
        scope.session.diagnostics += [d for d in error.diagnostics if d not in scope.session.diagnostics]
        return None
    for capture in made.captures:
        scope.session.captures.add(capture.key, capture)
    return made


def _texts(code: Code) -> list[str]:
    """What a function and its derivatives do."""
    codes: list[Code | None] = [code]
    if code.rules is not None:
        codes += [code.rules.tangent()] if code.rules.tangent is not None else []
        codes += [part.code for part in code.rules.adjoint()] if code.rules.adjoint is not None else []
    return [print_function(c.body) if c is not None and c.body is not None else "" for c in codes]


def _in_order(
    scope: FunctionScope, node: ast.AST, rule: Rule, positional: Sequence[Abstract], named: dict[str, Abstract]
) -> list[Abstract] | None:
    if rule.primal is None:
        if named or len(positional) != len(rule.types) - 1:
            scope.error(node, f"{rule.name} takes {len(rule.types) - 1} positional arguments")
            return None
        return list(positional)
    try:
        bound = inspect.signature(rule.primal).bind(*positional, **named)
    except TypeError as error:
        scope.error(node, f"{rule.name}: {error}")
        return None
    bound.apply_defaults()
    own = {id(v) for v in (*positional, *named.values())}
    return [v if id(v) in own else Constant(v) for v in bound.arguments.values()]


def _compiled(scope: FunctionScope, rule: Rule, kinds: ScalarArguments) -> Compiled:
    known = rule.compiled.get(kinds)
    if known is not None and all(c.unchanged() for c in known.captures):
        return known
    rule.compiled[kinds] = None
    try:
        made = rule.compiled[kinds] = _compile(scope, rule, kinds)
        return made
    except BaseException:
        del rule.compiled[kinds]
        raise


def _compile(scope: FunctionScope, rule: Rule, kinds: ScalarArguments) -> Compiled:
    captures: list[Capture] = []
    body = None
    if rule.native is None:
        assert rule.primal is not None
        program = _program(scope, rule.primal, kinds, rule.name, captures)
        result = program.result
        body = program.module.main
        if not isinstance(result, ScalarArg) or result.dtype[0] != "f":
            raise _refused(f"{rule.name} has a rule, so it must return one float", program.span)
    else:
        last = rule.types[-1]
        result = last
    derivatives: dict[str, Any] = {}
    rules = Rules(
        (lambda: derivatives["tangent"]) if rule.tangent else None,
        (lambda: derivatives["adjoint"]) if rule.adjoint else None,
    )
    code = Code(rule.name, tuple(map(_scalar, kinds)), _scalar(result), body, rule.native, rules, TABLE)
    made = Compiled(code, result, tuple(captures))
    # The rules may call the function itself.
    rule.compiled[kinds] = made
    floats = tuple(k for k in kinds if k.dtype[0] == "f")
    if rule.tangent is not None:
        derivatives["tangent"] = _tangent(scope, rule, (*kinds, result, *floats), code, captures)
    if rule.adjoint is not None:
        derivatives["adjoint"] = _adjoint(scope, rule, (*kinds, result, result), floats, captures)
    return replace(made, captures=tuple(captures))


def _tangent(scope: FunctionScope, rule: Rule, kinds: ScalarArguments, code: Code, captures: list[Capture]) -> Code:
    assert rule.tangent is not None
    name = f"{rule.name}.tangent"
    program = _program(scope, rule.tangent, kinds, f"the tangent of {rule.name}", captures)
    if not _is_number(program.result):
        raise _refused(f"the tangent of {rule.name} must return one float", program.span)
    function = _converted(program, [code.result])
    return Code(name, tuple(map(_scalar, kinds)), code.result, function, ops=TABLE)


def _adjoint(
    scope: FunctionScope, rule: Rule, kinds: ScalarArguments, floats: ScalarArguments, captures: list[Capture]
) -> tuple[Part, ...]:
    assert rule.adjoint is not None
    program = _program(scope, rule.adjoint, kinds, f"the adjoint of {rule.name}", captures)
    tree = program.result
    items: tuple[ArgType, ...] = tree.items if isinstance(tree, SequenceArg) else (tree,)
    if len(items) != len(floats) or not all(_is_number(i) or i == StaticArg(None) for i in items):
        what = "a float" if len(floats) == 1 else f"a tuple of {len(floats)} floats"
        found = f"{len(items)} values" if isinstance(tree, SequenceArg) else "one value"
        raise _refused(
            f"the adjoint of {rule.name} must return {what}, a cotangent per float argument; it returns {found}",
            program.span, "return None in place of a cotangent that is always zero",
        )  # fmt: skip
    wanted = [_scalar(kind) for kind, item in zip(floats, items, strict=True) if isinstance(item, ScalarArg)]
    function, parts, position = _converted(program, wanted), [], 0
    for k, item in enumerate(items):
        if isinstance(item, ScalarArg):
            parts.append(part_of(function, position, f"{rule.name}.adjoint{k if len(items) > 1 else ''}", TABLE))
            position += 1
        else:
            parts.append(Part(None))
    return tuple(parts)


def _program(
    scope: FunctionScope, function: Callable[..., Any], kinds: ScalarArguments, what: str, captures: list[Capture]
) -> Program:
    names = list(inspect.signature(function).parameters)
    if len(names) != len(kinds):
        shown = ", ".join("float" if k.dtype[0] == "f" else "int" for k in kinds)
        raise _refused(f"{what} takes {len(names)} arguments and is given {len(kinds)}: ({shown})", _place(function))
    program = scope.session.syntax.compile(function, Signature(tuple(names), kinds))
    arrays = [c for c in program.captures if c.arg is not None]
    if arrays:
        raise _refused(f"{what} reads the array `{arrays[0].path}`: a rule is for functions of numbers", program.span)
    captures += program.captures
    said = [i for i in walk(program.module.main.region) if i.op == "message"]
    if said:
        title = f"{what} sends a message, which a rule can't"
        raise _refused(title, said[0].span, "send it where the function is called")
    return program


def _place(function: Callable[..., Any]) -> Span | None:
    code = getattr(unwrap(function), "__code__", None)
    return Span(code.co_filename, code.co_firstlineno, 0, code.co_firstlineno, 0) if code else None


def _converted(program: Program, wanted: Sequence[Scalar]) -> Function:
    """The program with its results cast to the types that the rule stands for."""
    function, casts, results = program.module.main, [], []
    for value, type_ in zip(function.results, wanted, strict=True):
        results.append(value if value.type == type_ else Value(type_))
        if value.type != type_:
            casts.append(Instr("cast", (value,), (results[-1],), {"type": type_.name}))
    region = function.region
    return replace(function, region=replace(region, body=(*region.body, *casts), yields=tuple(results)))


def _is_number(arg: ArgType) -> bool:
    return isinstance(arg, ScalarArg) and arg.dtype != "bool"


def _scalar(arg: ScalarArg) -> Scalar:
    return SCALARS[arg.dtype]


def _refused(title: str, span: Span | None, help: str = "") -> CompileError:
    return CompileError([Diagnostic(title, span, help=help)])
