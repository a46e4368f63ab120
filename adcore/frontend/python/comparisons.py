"""Comparisons, `and` and `or`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from adcore.frontend.numpy.elementwise import comparison
from adcore.frontend.numpy.materialise import in_memory, settled
from adcore.frontend.objects.comparisons import compare_objects, contained, field_values, same_object
from adcore.frontend.python.containers.dicts import has_key
from adcore.frontend.python.control.branches import BranchSide, chosen, effect_free, value_of, valued
from adcore.frontend.python.dispatch import expression
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    FALSE,
    NONE,
    POISON,
    Abstract,
    ArrayRef,
    Constant,
    DictRef,
    Items,
    ListRef,
    Num,
    ObjectRef,
    OutsideDict,
    Poison,
    PossiblyNone,
    Record,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.growing import as_list
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.conditions import condition, scalar
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.optional import present
from adcore.frontend.values.numeric.scalars import compare, folded
from adcore.frontend.values.numeric.weak_types import chosen as one_of
from adcore.instances import is_mutable_record
from adcore.ir.types import BOOL


@expression(ast.Compare)
def _compare(scope: FunctionScope, node: ast.Compare) -> Abstract:
    """`a < b < c`: each operand once, the later ones only if the earlier comparisons hold."""

    def chain(left: Abstract, k: int) -> Abstract:
        later = node.comparators[k]
        left, right = settled(scope, node, left, later, lambda: scope.evaluate(later))
        first = _one_comparison(scope, node, type(node.ops[k]), left, right)
        if k + 1 == len(node.ops):
            return first
        return _and(scope, node, first, lambda: chain(right, k + 1))

    return chain(scope.evaluate(node.left), 0)


def _one_comparison(
    scope: FunctionScope, node: ast.Compare, kind: type[ast.cmpop], a: Abstract, b: Abstract
) -> Abstract:
    if isinstance(a, Poison) or isinstance(b, Poison):
        return POISON
    if kind in (ast.Is, ast.IsNot) and (_asked_of_none(a, b) or _asked_of_none(b, a)):
        return _is_none(scope, kind, a if isinstance(a, PossiblyNone) else b)
    if kind in (ast.Is, ast.IsNot):
        return _identity(scope, node, kind, a, b)
    if isinstance(a, PossiblyNone) or isinstance(b, PossiblyNone):
        return _with_none(scope, node, kind, a, b)
    a, b = (scalar(scope, node, as_list(scope, v)) for v in (a, b))
    if kind in (ast.In, ast.NotIn):
        return _membership(scope, node, kind, a, b)
    if isinstance(a, (ObjectRef, Record)) or isinstance(b, (ObjectRef, Record)):
        return compare_objects(scope, node, kind, a, b, partial(_equal_fields, scope, node))
    if is_array(a) or is_array(b):
        return comparison(scope, node, kind, a, b)
    if isinstance(a, ArrayRef) or isinstance(b, ArrayRef):
        return scope.error(node, "a list is compared", "compare its items, or use a NumPy array")
    if is_scalar(a) and is_scalar(b):
        return compare(scope, node, kind, a, b)
    if isinstance(a, Constant) and isinstance(b, Constant):
        functions = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
        if kind in functions:
            return Constant(bool(functions[kind](a.value, b.value)))
    if kind in (ast.Eq, ast.NotEq) and isinstance(a, (Items, ListRef)) and type(a) is type(b):
        return _equal_sequences(scope, node, kind, a, b)
    if kind in (ast.Eq, ast.NotEq) and (a is NONE or b is NONE or isinstance(a, Constant) or isinstance(b, Constant)):
        return Constant(kind is ast.NotEq)
    return scope.error(node, f"{describe(a)} and {describe(b)} can't be compared")


def _equal_fields(scope: FunctionScope, node: ast.Compare, a: Abstract, b: Abstract) -> Abstract:
    """Two records, or objects of one dataclass, whose fields are compared one by one."""
    return _equal_sequences(
        scope, node, ast.Eq, Items(field_values(scope, node, a)), Items(field_values(scope, node, b))
    )


def _equal_sequences(
    scope: FunctionScope, node: ast.Compare, kind: type[ast.cmpop], a: Abstract, b: Abstract
) -> Abstract:
    left, right = static_items(scope, a), static_items(scope, b)
    result: Abstract = Constant(len(left) == len(right))
    for x, y in zip(left, right, strict=False) if len(left) == len(right) else ():
        result = _and(scope, node, result, lambda x=x, y=y: _one_comparison(scope, node, ast.Eq, x, y))  # type: ignore[misc]
    if kind is ast.Eq or isinstance(result, Poison):
        return result
    return (
        Constant(not result.value)
        if isinstance(result, Constant)
        else Num(scope.emit("not", materialise(scope, result)))
    )


def _asked_of_none(a: Abstract, b: Abstract) -> bool:
    """Whether `a`, which may be None, is compared with None."""
    return isinstance(a, PossiblyNone) and isinstance(b, Constant) and b.value is None


def _is_none(scope: FunctionScope, kind: type[ast.cmpop], value: Abstract) -> Abstract:
    assert isinstance(value, PossiblyNone)
    there = materialise(scope, value.bound, BOOL)
    return Num(there if kind in (ast.IsNot, ast.NotEq) else scope.emit("not", there))


def _with_none(scope: FunctionScope, node: ast.Compare, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    """A comparison of what may be None: equal to no number then, and in no order."""
    if kind not in (ast.Eq, ast.NotEq):
        return _one_comparison(scope, node, kind, present(scope, a), present(scope, b))
    if _asked_of_none(a, b) or _asked_of_none(b, a):
        return _is_none(scope, kind, a if isinstance(a, PossiblyNone) else b)
    if isinstance(a, PossiblyNone) and isinstance(b, PossiblyNone):
        return scope.error(node, "two values that may be None are compared", "test them with `is None` first")
    optional, other = (a, b) if isinstance(a, PossiblyNone) else (b, a)
    assert isinstance(optional, PossiblyNone)
    same = _one_comparison(scope, node, ast.Eq, optional.inner, other)
    if not isinstance(same, (Constant, Num)):
        return same
    equal = scope.emit("and", materialise(scope, optional.bound, BOOL), materialise(scope, same, BOOL))
    return Num(equal if kind is ast.Eq else scope.emit("not", equal))


def _identity(scope: FunctionScope, node: ast.Compare, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    same: bool | None = None
    if isinstance(a, Constant) and isinstance(b, Constant) and (a.value is None or b.value is None or not is_scalar(a)):
        same = a.value is b.value
    elif NONE in (a, b) or any(isinstance(x, Constant) and (x.value is None or not is_scalar(x)) for x in (a, b)):
        same = False
    elif isinstance(a, ArrayRef) and isinstance(b, ArrayRef) and a.value is b.value:
        same = True
    elif isinstance(a, (ListRef, DictRef)) and isinstance(b, (ListRef, DictRef)):
        same = a.cell == b.cell
    elif isinstance(a, ObjectRef) and isinstance(b, ObjectRef):
        same = same_object(scope, a, b)
    elif isinstance(a, ObjectRef) or isinstance(b, ObjectRef):
        same = False
    elif isinstance(a, Record) and isinstance(b, Record) and is_mutable_record(a.cls):
        # Which one is which matters: they are objects in the next compilation.
        scope.session.speculation.needs_objects(a.cls)
        same = False
    if same is None:
        return scope.error(node, "`is` between these values is not supported", "compare with `==`, or test for None")
    return Constant(same if kind is ast.Is else not same)


def _membership(scope: FunctionScope, node: ast.Compare, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    if isinstance(b, ObjectRef):
        return contained(scope, node, kind, a, b)
    if isinstance(b, (DictRef, OutsideDict)):
        found_key = has_key(scope, node, b, a)
        return Constant(found_key.value == (kind is ast.In)) if isinstance(found_key, Constant) else found_key
    if isinstance(b, Constant) and isinstance(b.value, (str, frozenset)):
        if isinstance(a, Constant):
            return folded(scope, node, lambda x, y: (x in y) == (kind is ast.In), a, b)
        if isinstance(b.value, frozenset):
            # Equal to one of them: the order does not matter.
            b = Items(tuple(map(Constant, b.value)))
    if not (is_scalar(a) and isinstance(b, (Items, ListRef))):
        if isinstance(a, Constant) and isinstance(b, (Items, ListRef)):
            items = static_items(scope, b)
            if all(isinstance(i, Constant) for i in items):
                found = any(isinstance(i, Constant) and i.value == a.value for i in items)
                return Constant(found == (kind is ast.In))
        return scope.error(node, "`in` is supported for tuples and lists of numbers", "write a loop that compares")
    result: Abstract = FALSE
    for item in static_items(scope, b):
        result = _or(scope, node, result, lambda item=item: _one_comparison(scope, node, ast.Eq, a, item))  # type: ignore[misc]
    if kind is ast.In or isinstance(result, Poison):
        return result
    return (
        Constant(not result.value)
        if isinstance(result, Constant)
        else Num(scope.emit("not", materialise(scope, result)))
    )


MOST_OPERANDS = 32
"""Operands of one `and` or `or` whose branches lie in one another; `a and b and c` is `(a and b) and c`, too."""


@expression(ast.BoolOp)
def _boolean(scope: FunctionScope, node: ast.BoolOp) -> Abstract:
    """`a and b and c`: the first operand that decides, otherwise the last."""
    join = _and if isinstance(node.op, ast.And) else _or

    def some(k: int, end: int) -> Abstract:
        value = in_memory(scope, node, scalar(scope, node, scope.evaluate(node.values[k])))
        if k + 1 == end or isinstance(value, Poison):
            return value
        return join(scope, node.values[k], value, lambda: some(k + 1, end))

    ends = [*range(MOST_OPERANDS, len(node.values), MOST_OPERANDS), len(node.values)]
    value = some(0, ends[0])
    for start, end in pairwise(ends):
        if isinstance(value, Poison):
            break
        value = join(scope, node.values[start - 1], value, partial(some, start, end))
    return value


def _and(scope: FunctionScope, node: ast.AST, first: Abstract, second: Callable[[], Abstract]) -> Abstract:
    return _short_circuit(scope, node, first, second, conjunction=True)


def _or(scope: FunctionScope, node: ast.AST, first: Abstract, second: Callable[[], Abstract]) -> Abstract:
    return _short_circuit(scope, node, first, second, conjunction=False)


def _short_circuit(
    scope: FunctionScope, node: ast.AST, first: Abstract, second: Callable[[], Abstract], conjunction: bool
) -> Abstract:
    if isinstance(first, Poison):
        second()
        return POISON
    flag = condition(scope, node, first)
    if isinstance(flag, Constant):
        return second() if bool(flag.value) == conjunction else first
    other = valued(scope, second)
    quick = _without_branch(scope, flag, first, other, conjunction)
    if quick is not None:
        return quick
    same = valued(scope, lambda: first)
    return chosen(scope, flag, *((other, same) if conjunction else (same, other)))


def _without_branch(
    scope: FunctionScope, flag: Num, first: Abstract, other: BranchSide, conjunction: bool
) -> Abstract | None:
    """`and`, `or` of bools as an op, where computing the second operand in vain does no harm."""
    if not (isinstance(first, Num) and first.type == BOOL):
        return None
    value = value_of(other)
    boolean = is_scalar(value) and scalar_type(value) == BOOL and weak_type_of(value).always == first.weak.always
    if not boolean or not effect_free(scope, other.region.region):
        return None
    for instr in other.region.body:
        scope.builder.append(instr)
    result = scope.emit("and" if conjunction else "or", flag.value, materialise(scope, value, BOOL))
    weak_types = (weak_type_of(value), first.weak) if conjunction else (first.weak, weak_type_of(value))
    return Num(result, one_of(scope, flag.value, *weak_types))
