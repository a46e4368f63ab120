"""Derivatives inside compiled code: `ad.grad(f)(x)` in a function that is compiled is compiled into it.

    def step(x):                                    the call of f is compiled apart, over parameters of its own;
        return x - f(x) / ad.grad(f)(x)      ->     its derivative, as any function's; what that makes stands in the
                                                    place of the call, with `x` for the parameter

The result is IR as any other: it is optimised with what is around it, its memory is part of one workspace, and it is
differentiated again where the function around it is.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adcore.analysis.affine.dependence import AliasClasses
from adcore.frontend.nested import DIRECT, Nested, constants_inside, derivative_rule
from adcore.frontend.numpy.elements import check_length, dims, load, nest, store
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.materialise import allocate, computed, in_memory
from adcore.frontend.python.calls import Arguments, call_value
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    STRONG,
    Abstract,
    ArrayRef,
    Closure,
    Constant,
    Items,
    ListRef,
    Num,
    Poison,
    Record,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.ir.core import Function, Region, Value, free_values, substitute
from adcore.ir.types import F64, is_float
from adcore.ir.verifier import verify
from adcore.lower.roots import roots
from adcore.ops import Table
from adcore.ops.messages import first_message
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.induction import close_inductions
from adcore.transform.canonical.inline import expand
from adcore.transform.canonical.range_folding import fold_ranges
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.forward import forward
from adcore.transform.diff.reverse import reverse
from adcore.transform.diff.selection import track_selections


@dataclass(frozen=True, eq=False)
class Leaves:
    """The floats of arguments, given parameters of their own: `outer` and `inner`, one by one."""

    outer: list[Abstract]
    inner: list[Abstract]

    @property
    def params(self) -> list[Value]:
        return [v.value for v in self.inner if isinstance(v, (Num, ArrayRef))]

    @property
    def kinds(self) -> list[str]:
        return ["active" if isinstance(v, Num) else "duplicated" for v in self.inner]


def opened(scope: FunctionScope, node: ast.AST, value: Abstract, leaves: Leaves) -> Abstract:
    """`value` with a parameter in place of each float in it."""
    if is_scalar(value):
        type_ = scalar_type(value)
        if type_.kind != "f":
            return value
        inner: Abstract = Num(Value(type_, "x"), weak_type_of(value))
    elif isinstance(value, ArrayRef) or is_array(value):
        array = in_memory(scope, node, value)
        part = operand(scope, array)
        if part is None or part.element.kind != "f":
            return array
        if not isinstance(array, ArrayRef) or array.type.layout != "C" or array.literal is not None:
            array = computed(scope, node, part)
        value = array
        own = Value(array.type, "x")
        inner = ArrayRef(own, own, shape=dims(scope, array))
    elif isinstance(value, (Items, ListRef)):
        return Items(tuple(opened(scope, node, item, leaves) for item in static_items(scope, value)))
    elif isinstance(value, Record):
        return Record(value.cls, tuple((k, opened(scope, node, v, leaves)) for k, v in value.fields))
    else:
        return value
    leaves.outer.append(value)
    leaves.inner.append(inner)
    return inner


def structured(like: Abstract, opened_value: Abstract, found: dict[int, Abstract]) -> Abstract:
    """Derivatives in the structure of an argument; None in place of what has none."""
    if isinstance(opened_value, Items):
        items = tuple(structured(like, item, found) for item in opened_value.items)
        return Items(items)
    if isinstance(opened_value, Record):
        return Record(opened_value.cls, tuple((k, structured(like, v, found)) for k, v in opened_value.fields))
    return found.get(id(opened_value), NONE)


SAID_OUTSIDE = "send it from the function around, before or after the derivative"


class NotNested(Exception):
    """Was reported."""


@dataclass(frozen=True, eq=False)
class CallApart:
    """A call compiled apart: its IR, over the leaves and then what it uses from around, and what it returns."""

    function: Function
    around: list[Value]
    result: Abstract


def compiled(
    scope: FunctionScope, node: ast.AST, leaves: Leaves, body: Callable[[], Abstract], scalar: bool
) -> CallApart:
    """What `body` emits, as a function of `leaves`. `scalar`: it has to give a float."""
    base = scope.state
    scope.state = base.copy()
    with scope.builder.region() as region:
        result = in_memory(scope, node, body())
        if isinstance(result, ArrayRef) and not result.rank:
            result = load(scope, result, ())
        if isinstance(result, Poison) or scope.state.dead:
            scope.state = base
            raise NotNested
        if isinstance(result, Constant) and is_scalar(result):
            result = Num(materialise(scope, result, F64), weak_type_of(result))
        fits = isinstance(result, Num) or (isinstance(result, ArrayRef) and not scalar and result.literal is None)
        type_ = result.element if isinstance(result, ArrayRef) else result.type if isinstance(result, Num) else None
        if not fits or type_ is None or not is_float(type_):
            scope.state = base
            what = "a float" if scalar else "a float or an array of floats"
            scope.error(node, f"the function that is differentiated here returns {describe(result)}", f"return {what}")
            raise NotNested
        assert isinstance(result, (Num, ArrayRef))
        region.yields = (result.value,)
    scope.state = base
    ops = scope.builder.ops
    assert isinstance(ops, Table)
    known = constants_inside(scope, region.region)
    params = leaves.params
    free = free_values(region.region) - {v for i in known for v in i.results} - set(params)
    ordered = [v for v in _in_order(region.region) if v in free]
    whole = Region((*params, *ordered), (*known, *region.region.body), region.region.yields)
    function = Function("nested", whole, scope.span(node))
    known_roots = roots(function, ops)
    if any(root in set(function.params) for array in ops.writes_in(whole) for root in known_roots[array]):
        title = "a function that changes arrays in place is differentiated inside compiled code"
        scope.error(node, title, "let it work on copies: `x = x.copy()`")
        raise NotNested
    said = first_message(whole, ops.effects)
    if said is not None:
        title = "a message of a function that is differentiated inside compiled code"
        scope.error(said.span or node, title, SAID_OUTSIDE)
        raise NotNested
    function = simplify(verify(function, ops), ops)
    function = simplify(close_inductions(function, ops), ops)
    function = simplify(simplify_checks(fold_ranges(function, ops), ops), ops)
    return CallApart(function, ordered, result)


def _in_order(region: Region) -> list[Value]:
    """All values that a region uses, in the order of the program."""
    found: dict[Value, None] = {}
    pending = [region]
    while pending:
        inner = pending.pop()
        for instr in inner.body:
            found.update(dict.fromkeys(instr.operands))
            for nested in instr.regions:
                pending.append(nested)
        found.update(dict.fromkeys(inner.yields))
    return list(found)


def placed(scope: FunctionScope, function: Function, given: Sequence[Value]) -> tuple[Value, ...]:
    """The body of a function, here, for these arguments; its results."""
    region = substitute(function.region, dict(zip(function.params, given, strict=True)))
    for instr in region.body:
        scope.builder.append(instr)
    return region.yields


def _given(scope: FunctionScope, leaves: Leaves, made: CallApart) -> list[Value]:
    own = [v.value if isinstance(v, ArrayRef) else materialise(scope, v) for v in leaves.outer]
    return [*own, *made.around]


def _shadow(scope: FunctionScope, array: Abstract) -> ArrayRef:
    assert isinstance(array, ArrayRef)
    return allocate(scope, dims(scope, array), array.element, zero=True)


def value_and_gradients(
    scope: FunctionScope, node: ast.Call, function: Abstract, chosen: Sequence[int], arguments: list[Abstract],
    named: dict[str, Abstract],
) -> tuple[Abstract, list[Abstract]]:  # fmt: skip
    """The value of `function`, and its gradient by each chosen argument."""
    leaves = Leaves([], [])
    inner = list(arguments)
    for k in dict.fromkeys(chosen):
        inner[k] = opened(scope, node, arguments[k], leaves)
    if not leaves.inner:
        scope.error(node, "nothing here has a derivative", "differentiate by an argument of floats")
        raise NotNested
    made = compiled(scope, node, leaves, lambda: call_value(scope, node, function, Arguments(inner, named)), True)
    ops = scope.builder.ops
    assert isinstance(ops, Table)
    kinds = [*leaves.kinds, *["const"] * len(made.around)]
    tracked = track_selections(made.function, kinds, (True,), ops, AliasClasses())
    derivative = reverse(tracked, kinds, (True,), ops, AliasClasses()).function
    derivative = simplify(expand(verify(derivative, ops), everything=False), ops)
    shadows = {id(i): _shadow(scope, o) for o, i in zip(leaves.outer, leaves.inner, strict=True) if is_array(i)}
    assert isinstance(made.result, Num)
    seed = scope.const(1.0, made.result.type)
    given = [*_given(scope, leaves, made), *(s.value for s in shadows.values()), seed]
    value, *adjoints = placed(scope, derivative, given)
    found: dict[int, Abstract] = dict(shadows)
    for leaf, adjoint in zip([v for v in leaves.inner if isinstance(v, Num)], adjoints, strict=True):
        found[id(leaf)] = Num(adjoint, leaf.weak)
    return Num(value, made.result.weak), [structured(arguments[k], inner[k], found) for k in chosen]


def along(
    scope: FunctionScope, node: ast.Call, leaves: Leaves, tangents: list[Abstract], body: Callable[[], Abstract]
) -> tuple[Abstract, Abstract]:
    """What `body` gives, and its derivative along `tangents`, one for each leaf."""
    made = compiled(scope, node, leaves, body, False)
    ops = scope.builder.ops
    assert isinstance(ops, Table)
    kinds = [*leaves.kinds, *["const"] * len(made.around)]
    derivative = forward(made.function, kinds, ops, AliasClasses())
    derivative = simplify(expand(verify(derivative, ops), everything=False), ops)
    moving = [t.value if isinstance(t, ArrayRef) else materialise(scope, t) for t in tangents]
    result, change = placed(scope, derivative, [*_given(scope, leaves, made), *moving])
    if isinstance(made.result, Num):
        return Num(result, made.result.weak), Num(change, made.result.weak)
    return ArrayRef(result, result, local=True), ArrayRef(change, change, local=True)


# The functions of the interface ---------------------------------------------------------------------------------------


def positions(scope: FunctionScope, node: ast.AST, function: Abstract, wrt: Any) -> list[int] | None:
    """Which arguments `wrt` names."""
    chosen = list(wrt) if isinstance(wrt, tuple) else [wrt]
    found = []
    for one in chosen:
        if isinstance(one, str):
            names = _names(scope, function)
            one = names.index(one) if one in names else None
        if not isinstance(one, int) or isinstance(one, bool) or one < 0:
            scope.error(node, f"`wrt={wrt!r}` is no argument of the function", "write its number or its name")
            return None
        found.append(one)
    return found


def _names(scope: FunctionScope, function: Abstract) -> list[str]:
    if isinstance(function, Closure):
        return [a.arg for a in (*function.node.args.posonlyargs, *function.node.args.args)]
    code = getattr(getattr(function, "value", None), "__code__", None)
    return list(code.co_varnames[: code.co_argcount]) if code is not None else []


def _gradient(
    scope: FunctionScope, node: ast.Call, nested: Nested, arguments: list[Abstract], named: dict[str, Abstract]
) -> Abstract:
    chosen = positions(scope, node, nested.function, nested.wrt)
    if chosen is None or any(k >= len(arguments) for k in chosen):
        return POISON if chosen is None else scope.error(node, "what is differentiated is passed by position here")
    try:
        value, found = value_and_gradients(scope, node, nested.function, chosen, arguments, named)
    except NotNested:
        return POISON
    gradient = Items(tuple(found)) if isinstance(nested.wrt, tuple) else found[0]
    return gradient if nested.kind == "gradient" else Items((value, gradient))


def _hessian(
    scope: FunctionScope, node: ast.Call, nested: Nested, arguments: list[Abstract], named: dict[str, Abstract]
) -> Abstract:
    """The Hessian by one number or array: the gradient along each direction."""
    chosen = positions(scope, node, nested.function, nested.wrt)
    if chosen is None or isinstance(nested.wrt, tuple) or chosen[0] >= len(arguments):
        return POISON if chosen is None else scope.error(node, "ad.hessian in compiled code is by one argument")
    (k,) = chosen

    def gradient(inner: Abstract) -> Abstract:
        own = [*arguments[:k], inner, *arguments[k + 1 :]]
        return value_and_gradients(scope, node, nested.function, [k], own, named)[1][0]

    leaves = Leaves([], [])
    inner = opened(scope, node, arguments[k], leaves)
    if len(leaves.inner) != 1 or inner is not leaves.inner[0]:
        return scope.error(node, "ad.hessian in compiled code is by one number or array of floats")
    (x,) = leaves.outer
    try:
        if not isinstance(x, ArrayRef):
            return along(scope, node, leaves, [Num(scope.const(1.0, scalar_type(x)))], lambda: gradient(inner))[1]
        shape = dims(scope, x)
        result = allocate(scope, (*shape, *shape), x.element)
        array = x

        def column(index: list[Value]) -> None:
            direction = _shadow(scope, array)
            store(scope, node, Constant(1.0), direction, index)
            own = Leaves([], [])
            seen = opened(scope, node, array, own)
            _, change = along(scope, node, own, [direction], lambda: gradient(seen))
            assert isinstance(change, ArrayRef)
            nest(scope, shape, lambda j: store(scope, node, load(scope, change, j), result, [*j, *index]))

        nest(scope, shape, column)
    except NotNested:
        return POISON
    return result


def _jvp(scope: FunctionScope, node: ast.Call, arguments: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """`ad.jvp(f, primals, tangents)`."""
    names = ("f", "primals", "tangents")
    found = {**dict(zip(names, arguments, strict=False)), **named}
    given = [found.get(n) for n in names[1:]]
    if set(found) != set(names) or not all(isinstance(v, (Items, ListRef)) for v in given):
        return scope.error(node, "ad.jvp takes a function, a tuple of arguments and a tuple of tangents")
    primals, tangents = (list(static_items(scope, v)) for v in given if v is not None)
    if len(primals) != len(tangents):
        return scope.error(node, f"jvp got {len(primals)} primals and {len(tangents)} tangents")
    leaves, moving = Leaves([], []), []
    inner = list(primals)
    for k, tangent in enumerate(tangents):
        if isinstance(tangent, Constant) and tangent.value is None:
            continue
        before = len(leaves.outer)
        inner[k] = opened(scope, node, primals[k], leaves)
        if len(leaves.outer) != before + 1 or inner[k] is not leaves.inner[-1]:
            return scope.error(node, "ad.jvp in compiled code takes numbers and arrays of floats", "call it outside")
        moving.append(_direction(scope, node, leaves.outer[-1], tangent))
    if any(isinstance(m, Poison) for m in moving):
        return POISON
    try:
        return Items(
            along(scope, node, leaves, moving, lambda: call_value(scope, node, found["f"], Arguments(inner, {})))
        )
    except NotNested:
        return POISON


def _direction(scope: FunctionScope, node: ast.AST, primal: Abstract, tangent: Abstract) -> Abstract:
    """A tangent of the type and shape of a leaf."""
    part = operand(scope, tangent)
    if part is None or part.rank != getattr(primal, "rank", 0):
        return scope.error(node, f"the tangent of {describe(primal)} is {describe(tangent)}")
    if not isinstance(primal, ArrayRef):
        return Num(materialise(scope, part.at([]), scalar_type(primal)), STRONG)
    for a, b in zip(dims(scope, primal), part.shape, strict=True):
        check_length(scope, a, b, "the tangent has another shape than the argument: {1} instead of {0}")
    copy = _shadow(scope, primal)
    nest(scope, dims(scope, primal), lambda k: store(scope, node, part.at(k), copy, k))
    return copy


derivative_rule("gradient", _gradient)
derivative_rule("value and gradient", _gradient)
derivative_rule("hessian", _hessian)
DIRECT["jvp"] = _jvp
