"""Operators: arithmetic of numbers, arrays and sequences, and `a if c else b`."""

from __future__ import annotations

import ast
from functools import partial

from adcore.frontend.numpy.elements import is_list
from adcore.frontend.numpy.elementwise import operation, unary
from adcore.frontend.numpy.functions.products import matmul
from adcore.frontend.numpy.materialise import in_memory, settled
from adcore.frontend.objects.operators import operation_of_objects, unary_of_object
from adcore.frontend.python.control.branches import choose
from adcore.frontend.python.dispatch import expression, too_wide
from adcore.frontend.python.texts import text_operation
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    POISON,
    Abstract,
    ArrayRef,
    Constant,
    Items,
    ListRef,
    Num,
    ObjectRef,
    Poison,
    Record,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.growing import as_list
from adcore.frontend.values.containers.lists import repeat_list
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.deferred import is_text
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.conditions import condition, scalar
from adcore.frontend.values.numeric.numbers import TooWide, materialise
from adcore.frontend.values.numeric.optional import present
from adcore.frontend.values.numeric.scalars import binary, inverted, negative, positive


@expression(ast.BinOp)
def _binary(scope: FunctionScope, node: ast.BinOp) -> Abstract:
    """`a OP b`; `a + b + c + ...` from the left, however many terms there are."""
    chain = [node]
    while isinstance(chain[-1].left, ast.BinOp):
        chain.append(chain[-1].left)
    value = scope.evaluate(chain[-1].left)
    for part in reversed(chain):
        with scope.at(part):
            try:
                a, b = settled(scope, part.left, value, part.right, partial(scope.evaluate, part.right))
                value = combine(scope, part, type(part.op), a, b)
            except TooWide as error:
                value = too_wide(scope, part, error)
    return value


def combine(scope: FunctionScope, node: ast.AST, kind: type[ast.operator], a: Abstract, b: Abstract) -> Abstract:
    """`a OP b` of any values."""
    a, b = (scalar(scope, node, as_list(scope, present(scope, v))) for v in (a, b))
    if isinstance(a, Poison) or isinstance(b, Poison):
        return POISON
    if (found := operation_of_objects(scope, node, kind, a, b)) is not None:
        return found
    if is_array(a) or is_array(b):
        return matmul(scope, node, a, b) if kind is ast.MatMult else operation(scope, node, kind, a, b)
    if (is_list(a) and isinstance(a, ArrayRef)) or (is_list(b) and isinstance(b, ArrayRef)):
        return scope.error(node, "this operation on a list is not supported", "use a NumPy array")
    if kind is ast.Mult and (isinstance(a, (Items, ListRef)) or isinstance(b, (Items, ListRef))):
        return repeat_list(scope, node, a, b)
    if kind is ast.Add and isinstance(a, (Items, ListRef)) and type(a) is type(b):
        items = (*static_items(scope, a), *static_items(scope, b))
        return Items(items) if isinstance(a, Items) else scope.new_list(items)
    if is_text(a) or is_text(b):
        found = text_operation(scope, node, kind, a, b)
        return _no_operator(scope, node, a, b) if found is None else found
    return binary(scope, node, kind, a, b)


def _no_operator(scope: FunctionScope, node: ast.AST, a: Abstract, b: Abstract) -> Abstract:
    return scope.error(node, f"this operator does not take {describe(a)} and {describe(b)}")


@expression(ast.UnaryOp)
def _unary(scope: FunctionScope, node: ast.UnaryOp) -> Abstract:
    value = scalar(scope, node, scope.evaluate(node.operand))
    if isinstance(value, Poison):
        return POISON
    if isinstance(node.op, ast.Not):
        flag = condition(scope, node.operand, value)
        return (
            Constant(not flag.value) if isinstance(flag, Constant) else Num(scope.emit("not", materialise(scope, flag)))
        )
    value = present(scope, value)
    if isinstance(value, (ObjectRef, Record)):
        return unary_of_object(scope, node, type(node.op), value)
    if is_array(value):
        return unary(scope, node, type(node.op), value)
    if not is_scalar(value):
        return scope.error(node, f"this operator does not take {describe(value)}")
    if isinstance(node.op, ast.USub):
        return negative(scope, node, value)
    if isinstance(node.op, ast.UAdd):
        return positive(scope, node, value)
    return inverted(scope, node, value)


@expression(ast.IfExp)
def _conditional(scope: FunctionScope, node: ast.IfExp) -> Abstract:
    test = scope.evaluate(node.test)
    if isinstance(test, Poison):
        scope.evaluate(node.body)
        scope.evaluate(node.orelse)
        return POISON
    return choose(
        scope,
        condition(scope, node.test, test),
        lambda: part_in_memory(scope, node.body),
        lambda: part_in_memory(scope, node.orelse),
    )


def part_in_memory(scope: FunctionScope, node: ast.expr) -> Abstract:
    """The value of an expression that becomes part of something: a number, or what has a place in memory."""
    return in_memory(scope, node, scalar(scope, node, scope.evaluate(node)))
