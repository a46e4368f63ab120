"""Expressions: from syntax to abstract values."""

from __future__ import annotations

import ast
import operator
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from adcore.frontend.numpy.elements import is_list
from adcore.frontend.numpy.elementwise import comparison, operation, unary
from adcore.frontend.numpy.functions.products import matmul
from adcore.frontend.numpy.indexing.arrays import is_special, selected
from adcore.frontend.numpy.indexing.integers import integer, normalised
from adcore.frontend.numpy.indexing.slices import element_or_view, subscripts
from adcore.frontend.numpy.materialise import in_memory, settled
from adcore.frontend.python.attributes import attribute
from adcore.frontend.python.calls import call
from adcore.frontend.python.comprehensions import comprehension
from adcore.frontend.python.control_flow import Side, choose, chosen, effect_free, value_of, valued
from adcore.frontend.python.globals_and_closures import lookup_global
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    FALSE,
    NONE,
    POISON,
    Abstract,
    Array,
    Closure,
    Conflict,
    Const,
    Items,
    ListRef,
    Maybe,
    Num,
    Poison,
    Range,
    Record,
    Slice,
    Unbound,
    Uniform,
    is_array,
    is_scalar,
)
from adcore.frontend.values.conditions import condition, scalar
from adcore.frontend.values.describe import describe
from adcore.frontend.values.iterables import stream_of
from adcore.frontend.values.lists import list_literal, list_subscript, repeat_list
from adcore.frontend.values.numbers import TooWide, kind_of, materialise, scalar_type
from adcore.frontend.values.scalars import OPERATORS, binary, compare, inverted, negative, positive
from adcore.frontend.values.sequences import sequence_length, static_items, uniform_item
from adcore.frontend.values.weak_types import chosen as one_of
from adcore.ir.types import BOOL

UNBOUND_TEXT = (
    "cannot access local variable '{}' where it is not associated with a value"
    if sys.version_info >= (3, 11)
    else "local variable '{}' referenced before assignment"
)
"""What this Python says."""

Rule = Callable[[Frame, Any], Abstract]


def evaluate(frame: Frame, node: ast.expr) -> Abstract:
    """The abstract value of an expression; reports what it can't compile and returns Poison for it."""
    rule = RULES.get(type(node))
    if rule is None:
        what, help = REFUSED.get(type(node), (f"{type(node).__name__} expressions are not supported", ""))
        return frame.error(node, what, help)
    if frame.state.dead:
        return POISON
    with frame.at(node):
        try:
            return rule(frame, node)
        except TooWide as error:
            return too_wide(frame, node, error)


def too_wide(frame: Frame, node: ast.AST, error: TooWide) -> Abstract:
    return frame.error(node, f"{error} does not fit in a 64-bit integer", "use a float")


REFUSED: dict[type[ast.expr], tuple[str, str]] = {
    ast.GeneratorExp: ("a generator expression is only supported as the argument of a call", "write a `for` loop"),
    ast.SetComp: ("sets are not supported", "use an array or a tuple"),
    ast.DictComp: ("dictionaries are not supported", "use a dataclass, a named tuple, or arrays"),
    ast.Dict: ("dictionaries are not supported", "use a dataclass, a named tuple, or arrays"),
    ast.Set: ("sets are not supported", "use an array or a tuple"),
    ast.NamedExpr: ("`:=` is not supported", "assign on a line of its own"),
    ast.Await: ("`await` is not supported", "compute without coroutines"),
    ast.Yield: ("`yield` is not supported", "write results into an array"),
    ast.YieldFrom: ("`yield from` is not supported", "write results into an array"),
    ast.JoinedStr: ("formatted strings are not supported", "use a constant string"),
    ast.Starred: ("`*` is not supported here", "name the items one by one"),
    ast.Slice: ("a slice is not supported here", ""),
}


def _constant(frame: Frame, node: ast.Constant) -> Abstract:
    if isinstance(node.value, complex):
        return frame.error(node, "complex numbers are not supported", "use two floats")
    return Const(node.value)


def _name(frame: Frame, node: ast.Name) -> Abstract:
    return read_name(frame, node, node.id)


def read_name(frame: Frame, node: ast.AST, name: str) -> Abstract:
    """A variable: local, of an enclosing function that is being compiled, or from outside."""
    holder: Frame | None = frame
    while holder is not None:
        if name in holder.names:
            return _local(frame, holder, node, name)
        holder = holder.parent
    return lookup_global(frame, node, name)


def _local(frame: Frame, holder: Frame, node: ast.AST, name: str) -> Abstract:
    value = holder.state.locals.get(name)
    if value is None or isinstance(value, Unbound):
        return frame.error(
            node, f"`{name}` has no value here", f"assign `{name}` on every path before this line", "not assigned yet"
        )
    if isinstance(value, Conflict):
        if holder is frame:
            # Once is enough.
            holder.state.locals[name] = POISON
        return frame.error(node, value.title, value.help, notes=value.notes)
    if isinstance(value, Maybe):
        message = UNBOUND_TEXT.format(name)
        frame.check(materialise(frame, value.bound, BOOL), "UnboundLocalError", message)
        if holder is frame:
            holder.state.locals[name] = value.inner
        return value.inner
    return value


def _binary(frame: Frame, node: ast.BinOp) -> Abstract:
    """`a OP b`; `a + b + c + ...` from the left, however many terms there are."""
    chain = [node]
    while isinstance(chain[-1].left, ast.BinOp):
        chain.append(chain[-1].left)
    value = frame.evaluate(chain[-1].left)
    for part in reversed(chain):
        with frame.at(part):
            try:
                a, b = settled(frame, part.left, value, part.right, partial(frame.evaluate, part.right))
                value = combine(frame, part, type(part.op), a, b)
            except TooWide as error:
                value = too_wide(frame, part, error)
    return value


def combine(frame: Frame, node: ast.AST, kind: type[ast.operator], a: Abstract, b: Abstract) -> Abstract:
    """`a OP b` of any values."""
    a, b = scalar(frame, node, a), scalar(frame, node, b)
    if isinstance(a, Poison) or isinstance(b, Poison):
        return POISON
    if is_array(a) or is_array(b):
        return matmul(frame, node, a, b) if kind is ast.MatMult else operation(frame, node, kind, a, b)
    if (is_list(a) and isinstance(a, Array)) or (is_list(b) and isinstance(b, Array)):
        return frame.error(node, "this operation on a list is not supported", "use a NumPy array")
    if kind is ast.Mult and (isinstance(a, (Items, ListRef)) or isinstance(b, (Items, ListRef))):
        return repeat_list(frame, node, a, b)
    if kind is ast.Add and isinstance(a, (Items, ListRef)) and type(a) is type(b):
        items = (*static_items(frame, a), *static_items(frame, b))
        return Items(items) if isinstance(a, Items) else frame.new_list(items)
    if isinstance(a, Const) and isinstance(b, Const) and isinstance(a.value, str):
        return Const(OPERATORS[kind][2](a.value, b.value)) if kind is ast.Add else _no_operator(frame, node, a, b)
    return binary(frame, node, kind, a, b)


def _no_operator(frame: Frame, node: ast.AST, a: Abstract, b: Abstract) -> Abstract:
    return frame.error(node, f"this operator does not take {describe(a)} and {describe(b)}")


def _unary(frame: Frame, node: ast.UnaryOp) -> Abstract:
    value = scalar(frame, node, frame.evaluate(node.operand))
    if isinstance(value, Poison):
        return POISON
    if isinstance(node.op, ast.Not):
        flag = condition(frame, node.operand, value)
        return Const(not flag.value) if isinstance(flag, Const) else Num(frame.emit("not", materialise(frame, flag)))
    if is_array(value):
        return unary(frame, node, type(node.op), value)
    if not is_scalar(value):
        return frame.error(node, f"this operator does not take {describe(value)}")
    if isinstance(node.op, ast.USub):
        return negative(frame, node, value)
    if isinstance(node.op, ast.UAdd):
        return positive(frame, node, value)
    return inverted(frame, node, value)


def _compare(frame: Frame, node: ast.Compare) -> Abstract:
    """`a < b < c`: each operand once, the later ones only if the earlier comparisons hold."""

    def chain(left: Abstract, k: int) -> Abstract:
        later = node.comparators[k]
        left, right = settled(frame, node, left, later, lambda: frame.evaluate(later))
        first = _one_comparison(frame, node, type(node.ops[k]), left, right)
        if k + 1 == len(node.ops):
            return first
        return _and(frame, node, first, lambda: chain(right, k + 1))

    return chain(frame.evaluate(node.left), 0)


def _one_comparison(frame: Frame, node: ast.Compare, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    if isinstance(a, Poison) or isinstance(b, Poison):
        return POISON
    if kind in (ast.Is, ast.IsNot):
        return _identity(frame, node, kind, a, b)
    a, b = scalar(frame, node, a), scalar(frame, node, b)
    if kind in (ast.In, ast.NotIn):
        return _membership(frame, node, kind, a, b)
    if is_array(a) or is_array(b):
        return comparison(frame, node, kind, a, b)
    if isinstance(a, Array) or isinstance(b, Array):
        return frame.error(node, "a list is compared", "compare its items, or use a NumPy array")
    if is_scalar(a) and is_scalar(b):
        return compare(frame, node, kind, a, b)
    if isinstance(a, Const) and isinstance(b, Const):
        functions = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
        if kind in functions:
            return Const(bool(functions[kind](a.value, b.value)))
    if kind in (ast.Eq, ast.NotEq) and isinstance(a, (Items, ListRef)) and type(a) is type(b):
        return _equal_sequences(frame, node, kind, a, b)
    if kind in (ast.Eq, ast.NotEq) and (a is NONE or b is NONE or isinstance(a, Const) or isinstance(b, Const)):
        return Const(kind is ast.NotEq)
    return frame.error(node, f"{describe(a)} and {describe(b)} can't be compared")


def _equal_sequences(frame: Frame, node: ast.Compare, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    left, right = static_items(frame, a), static_items(frame, b)
    result: Abstract = Const(len(left) == len(right))
    for x, y in zip(left, right, strict=False) if len(left) == len(right) else ():
        result = _and(frame, node, result, lambda x=x, y=y: _one_comparison(frame, node, ast.Eq, x, y))  # type: ignore[misc]
    if kind is ast.Eq or isinstance(result, Poison):
        return result
    return Const(not result.value) if isinstance(result, Const) else Num(frame.emit("not", materialise(frame, result)))


def _identity(frame: Frame, node: ast.Compare, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    same: bool | None = None
    if isinstance(a, Const) and isinstance(b, Const) and (a.value is None or b.value is None or not is_scalar(a)):
        same = a.value is b.value
    elif NONE in (a, b) or any(isinstance(x, Const) and (x.value is None or not is_scalar(x)) for x in (a, b)):
        same = False
    elif isinstance(a, Array) and isinstance(b, Array) and a.value is b.value:
        same = True
    elif isinstance(a, ListRef) and isinstance(b, ListRef):
        same = a.cell == b.cell
    if same is None:
        return frame.error(node, "`is` between these values is not supported", "compare with `==`, or test for None")
    return Const(same if kind is ast.Is else not same)


def _membership(frame: Frame, node: ast.Compare, kind: type[ast.cmpop], a: Abstract, b: Abstract) -> Abstract:
    if not (is_scalar(a) and isinstance(b, (Items, ListRef))):
        if isinstance(a, Const) and isinstance(b, (Items, ListRef)):
            items = static_items(frame, b)
            if all(isinstance(i, Const) for i in items):
                found = any(isinstance(i, Const) and i.value == a.value for i in items)
                return Const(found == (kind is ast.In))
        return frame.error(node, "`in` is supported for tuples and lists of numbers", "write a loop that compares")
    result: Abstract = FALSE
    for item in static_items(frame, b):
        result = _or(frame, node, result, lambda item=item: _one_comparison(frame, node, ast.Eq, a, item))  # type: ignore[misc]
    if kind is ast.In or isinstance(result, Poison):
        return result
    return Const(not result.value) if isinstance(result, Const) else Num(frame.emit("not", materialise(frame, result)))


MOST_OPERANDS = 32
"""Operands of one `and` or `or` whose branches lie in one another; `a and b and c` is `(a and b) and c`, too."""


def _boolean(frame: Frame, node: ast.BoolOp) -> Abstract:
    """`a and b and c`: the first operand that decides, otherwise the last."""
    join = _and if isinstance(node.op, ast.And) else _or

    def some(k: int, end: int) -> Abstract:
        value = in_memory(frame, node, scalar(frame, node, frame.evaluate(node.values[k])))
        if k + 1 == end or isinstance(value, Poison):
            return value
        return join(frame, node.values[k], value, lambda: some(k + 1, end))

    ends = [*range(MOST_OPERANDS, len(node.values), MOST_OPERANDS), len(node.values)]
    value = some(0, ends[0])
    for start, end in pairwise(ends):
        if isinstance(value, Poison):
            break
        value = join(frame, node.values[start - 1], value, partial(some, start, end))
    return value


def _and(frame: Frame, node: ast.AST, first: Abstract, second: Callable[[], Abstract]) -> Abstract:
    return _short_circuit(frame, node, first, second, conjunction=True)


def _or(frame: Frame, node: ast.AST, first: Abstract, second: Callable[[], Abstract]) -> Abstract:
    return _short_circuit(frame, node, first, second, conjunction=False)


def _short_circuit(
    frame: Frame, node: ast.AST, first: Abstract, second: Callable[[], Abstract], conjunction: bool
) -> Abstract:
    if isinstance(first, Poison):
        second()
        return POISON
    flag = condition(frame, node, first)
    if isinstance(flag, Const):
        return second() if bool(flag.value) == conjunction else first
    other = valued(frame, second)
    quick = _without_branch(frame, flag, first, other, conjunction)
    if quick is not None:
        return quick
    same = valued(frame, lambda: first)
    return chosen(frame, flag, *((other, same) if conjunction else (same, other)))


def _without_branch(frame: Frame, flag: Num, first: Abstract, other: Side, conjunction: bool) -> Abstract | None:
    """`and`, `or` of bools as an op, where computing the second operand in vain does no harm."""
    if not (isinstance(first, Num) and first.type == BOOL):
        return None
    value = value_of(other)
    boolean = is_scalar(value) and scalar_type(value) == BOOL and kind_of(value).python == first.kind.python
    if not boolean or not effect_free(frame, other.region.region):
        return None
    for instr in other.region.body:
        frame.builder.append(instr)
    result = frame.emit("and" if conjunction else "or", flag.value, materialise(frame, value, BOOL))
    kinds = (kind_of(value), first.kind) if conjunction else (first.kind, kind_of(value))
    return Num(result, one_of(frame, flag.value, *kinds))


def _conditional(frame: Frame, node: ast.IfExp) -> Abstract:
    test = frame.evaluate(node.test)
    if isinstance(test, Poison):
        frame.evaluate(node.body)
        frame.evaluate(node.orelse)
        return POISON
    return choose(
        frame,
        condition(frame, node.test, test),
        lambda: _in_memory(frame, node.body),
        lambda: _in_memory(frame, node.orelse),
    )


def _in_memory(frame: Frame, node: ast.expr) -> Abstract:
    """The value of an expression that becomes part of something: a number, or what has a place in memory."""
    return in_memory(frame, node, scalar(frame, node, frame.evaluate(node)))


def _tuple(frame: Frame, node: ast.Tuple) -> Abstract:
    return Items(_items(frame, node.elts))


def _list(frame: Frame, node: ast.List) -> Abstract:
    return list_literal(frame, node, _items(frame, node.elts))


def _items(frame: Frame, nodes: list[ast.expr]) -> tuple[Abstract, ...]:
    found: list[Abstract] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            value = frame.evaluate(node.value)
            if isinstance(value, (Items, ListRef)):
                found += static_items(frame, value)
            elif not isinstance(value, Poison):
                frame.error(node, "only a tuple or list of known length can be unpacked with `*`")
        else:
            with frame.at(node):
                found.append(in_memory(frame, node, frame.evaluate(node)))
    return tuple(found)


def _subscript(frame: Frame, node: ast.Subscript) -> Abstract:
    owner = in_memory(frame, node.value, frame.evaluate(node.value))
    return subscript(frame, node, owner, subscripts(frame, node.slice))


def subscript(frame: Frame, node: ast.AST, owner: Abstract, parts: list[Abstract]) -> Abstract:
    """`owner[parts]`."""
    if isinstance(owner, Poison) or any(isinstance(p, Poison) for p in parts):
        return POISON
    if is_array(owner) and is_special(owner, parts):
        return selected(frame, node, owner, parts)
    if isinstance(owner, Array):
        return element_or_view(frame, node, owner, parts)
    if len(parts) != 1:
        return frame.error(node, f"{describe(owner)} takes one subscript")
    (part,) = parts
    if isinstance(owner, (Items, ListRef)) or (isinstance(owner, Record) and issubclass(owner.cls, tuple)):
        return list_subscript(frame, node, owner, part)
    if isinstance(owner, Uniform):
        if isinstance(part, Slice):
            return frame.error(node, "slices of a list argument are not supported", "loop over the indices instead")
        index = integer(frame, node, part)
        if index is None:
            return POISON
        return uniform_item(frame, owner, normalised(frame, index, sequence_length(frame, owner)))
    if isinstance(owner, Range) and not isinstance(part, Slice):
        return _range_item(frame, node, owner, part)
    if isinstance(owner, Const) and isinstance(part, Const) and isinstance(owner.value, (str, dict, bytes)):
        return frame.error(node, f"subscripts of {type(owner.value).__name__} are not supported")
    return frame.error(node, f"{describe(owner)} can't be subscripted")


def _range_item(frame: Frame, node: ast.AST, owner: Range, part: Abstract) -> Abstract:
    stream = stream_of(frame, node, owner)
    index = integer(frame, node, part)
    if index is None or stream is None:
        return POISON
    static, length = as_static_int(part), as_static_int(stream.length)
    if static is not None and length is not None and -length <= static < length:
        return stream.item(Const(static % length))
    return stream.item(Num(normalised(frame, index, stream.length)))


def _attribute(frame: Frame, node: ast.Attribute) -> Abstract:
    return attribute(frame, node, frame.evaluate(node.value), node.attr)


def _call(frame: Frame, node: ast.Call) -> Abstract:
    return call(frame, node)


def _lambda(frame: Frame, node: ast.Lambda) -> Abstract:
    return closure(frame, node)


def closure(frame: Frame, node: ast.Lambda | ast.FunctionDef) -> Closure:
    """A function defined here; its defaults are evaluated now, its free names when it is called."""
    a = node.args
    positional = [*a.posonlyargs, *a.args]
    defaults = [
        (arg.arg, _in_memory(frame, default))
        for arg, default in zip(positional[len(positional) - len(a.defaults) :], a.defaults, strict=True)
    ]
    defaults += [
        (arg.arg, _in_memory(frame, default))
        for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)
        if default is not None
    ]
    return Closure(node, frame, tuple(defaults))


RULES: dict[type[ast.expr], Rule] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.IfExp: _conditional,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Subscript: _subscript,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Lambda: _lambda,
    ast.ListComp: comprehension,
}
