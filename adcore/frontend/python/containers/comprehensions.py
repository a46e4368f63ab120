"""List comprehensions: item by item where the length is known, a list in memory otherwise."""

from __future__ import annotations

import ast
from collections.abc import Callable

from adcore.frontend.liveness import bound_names
from adcore.frontend.numpy.elements import nest, stored, wider
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.python.control.branches import branch
from adcore.frontend.python.control.loop_phis import loop
from adcore.frontend.python.dispatch import expression
from adcore.frontend.python.targets import assign
from adcore.frontend.session import FunctionScope, as_static_int, comprehension_scope
from adcore.frontend.values.abstract import (
    POISON,
    Abstract,
    Constant,
    FilteredValues,
    IterableValue,
    ListRef,
    Num,
    Poison,
    is_scalar,
)
from adcore.frontend.values.containers.growing import append
from adcore.frontend.values.containers.iterables import consume, iterable_of
from adcore.frontend.values.containers.lengths import needed_length
from adcore.frontend.values.containers.lists import LONGEST_LIST, list_array, list_literal
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.conditions import condition
from adcore.frontend.values.numeric.narrow import numpy_element
from adcore.frontend.values.numeric.numbers import materialise, weak_type_of
from adcore.frontend.values.numeric.weak_types import flag
from adcore.ir.core import Value, substitute
from adcore.ir.types import BOOL, I64, ArrayType

GROWS = Poison()
"""The list has to be made by loops that append."""

MOST_TRIPS = 8
"""Longer loops stay loops."""


@expression(ast.ListComp)
def comprehension(scope: FunctionScope, node: ast.ListComp) -> Abstract:
    """`[item for target in iterable if condition]`."""
    inner = _scope(scope, node)
    items: list[Abstract] = []
    used = len(scope.session.used_up)
    with scope.builder.region() as region:
        outcome = _generate(inner, node, 0, items)
    if outcome is GROWS:
        del scope.session.used_up[used:]
        inner = _scope(scope, node)
        outcome = inner.new_list((), scope.span(node))
        _grow(inner, node, 0, outcome)
    else:
        for instr in region.body:
            scope.builder.append(instr)
    scope.state.cells, scope.state.dead = inner.state.cells, inner.state.dead
    if outcome is not None:
        return outcome
    return list_literal(scope, node, tuple(items))


def generator(scope: FunctionScope, node: ast.GeneratorExp) -> Abstract:
    """`item for target in iterable` as the argument of a call: items are made as the callee asks for them."""
    (first, *others) = node.generators
    if others or (first.ifs and not _is_filtered(scope, first)):
        as_list = ast.copy_location(ast.ListComp(node.elt, node.generators), node)
        return comprehension(scope, as_list)
    with scope.at(first.iter):
        iterable = iterable_of(scope, first.iter, consume(scope, first.iter, scope.evaluate(first.iter)))
    if iterable is None:
        return POISON
    source = iterable

    def each(k: Abstract, use: Callable[[Abstract], None]) -> None:
        inner = _scope(scope, node)
        assign(inner, first.target, source.item(k))
        tests = ast.copy_location(ast.BoolOp(ast.And(), first.ifs), node) if len(first.ifs) > 1 else first.ifs[0]
        flag = condition(scope, tests, inner.evaluate(tests))
        scope.state.cells, scope.state.dead = inner.state.cells, inner.state.dead

        def wanted() -> None:
            inner.state.cells = scope.state.cells
            value = inner.evaluate(node.elt)
            scope.state.cells, scope.state.dead = inner.state.cells, inner.state.dead
            use(value)

        if isinstance(flag, Num):
            branch(scope, flag.value, wanted, lambda: None)
        elif flag.value:
            wanted()

    if first.ifs:
        return FilteredValues(source.length, each)

    def item(k: Abstract) -> Abstract:
        inner = _scope(scope, node)
        assign(inner, first.target, source.item(k))
        before = dict(inner.state.cells)
        value = inner.evaluate(node.elt)
        if as_static_int(k) is None and _changes(inner, before):
            title = "a generator whose items change an object or a list"
            scope.error(node, title, "make it a list, or write a `for` loop")
        scope.state.cells, scope.state.dead = inner.state.cells, inner.state.dead
        return value

    return IterableValue(iterable.length, item, "generator", iterable.mixed)


def _changes(scope: FunctionScope, before: dict[int, tuple[Abstract, ...]]) -> bool:
    """Whether something that was there before holds something else now: a loop would have to carry it."""
    initial, known = scope.session.instances.initial, scope.session.instances.known
    older = {**initial, **before}

    def same(now: tuple[Abstract, ...], then: tuple[Abstract, ...]) -> bool:
        pairs = zip(now, then, strict=False)
        return len(now) == len(then) and all(known(a) is known(b) for a, b in pairs)

    return any(cell in older and not same(items, older[cell]) for cell, items in scope.state.cells.items())


def _is_filtered(scope: FunctionScope, generator: ast.comprehension) -> bool:
    """Whether it takes a run to tell which items a condition leaves: it is looked at, and what that emits dropped."""
    reported = len(scope.session.diagnostics)
    state = scope.state
    with scope.builder.region():
        scope.state = state.copy()
        used = len(scope.session.used_up)
        iterable = iterable_of(scope, generator.iter, scope.evaluate(generator.iter))
        decided = False
        if iterable is not None:
            length = as_static_int(iterable.length)
            inner = comprehension_scope(scope, bound_names([generator.target]))
            decided = length is not None and length <= LONGEST_LIST
            for k in range(length or 0) if decided else ():
                assign(inner, generator.target, iterable.item(Constant(k)))
                decided = decided and all(
                    isinstance(condition(scope, test, inner.evaluate(test)), Constant) for test in generator.ifs
                )
        del scope.session.used_up[used:]
    scope.state = state
    del scope.session.diagnostics[reported:]
    return not decided


def _scope(scope: FunctionScope, node: ast.ListComp | ast.GeneratorExp) -> FunctionScope:
    """A scope in which the targets live."""
    return comprehension_scope(scope, bound_names(generator.target for generator in node.generators))


def _generate(scope: FunctionScope, node: ast.ListComp, depth: int, items: list[Abstract]) -> Abstract | None:
    """Append the items of the generators from `depth` on; a result if the list is made in another way."""
    if depth == len(node.generators):
        items.append(scope.evaluate(node.elt))
        return None
    generator = node.generators[depth]
    iterable = iterable_of(scope, generator.iter, consume(scope, generator.iter, scope.evaluate(generator.iter)))
    if iterable is None:
        return POISON
    length = as_static_int(iterable.length)
    if length is None or length > LONGEST_LIST:
        if len(node.generators) > 1 or generator.ifs:
            return GROWS
        return _in_memory(scope, node, generator, iterable)
    for k in range(length):
        assign(scope, generator.target, iterable.item(Constant(k)))
        wanted = _wanted(scope, generator)
        if wanted is None:
            return GROWS
        if wanted:
            outcome = _generate(scope, node, depth + 1, items)
            if outcome is not None:
                return outcome
    return None


def _wanted(scope: FunctionScope, generator: ast.comprehension) -> bool | None:
    """Whether an item counts; None if only a run tells."""
    for test in generator.ifs:
        flag = condition(scope, test, scope.evaluate(test))
        if not isinstance(flag, Constant):
            return None
        if not flag.value:
            return False
    return True


def _grow(scope: FunctionScope, node: ast.ListComp, depth: int, out: ListRef) -> None:
    """The generators from `depth` on as loops that append to `out`."""
    if depth == len(node.generators):
        append(scope, node.elt, out, in_memory(scope, node.elt, scope.evaluate(node.elt)))
        return
    generator = node.generators[depth]
    iterable = iterable_of(scope, generator.iter, consume(scope, generator.iter, scope.evaluate(generator.iter)))
    if iterable is None:
        return
    source, length = iterable, materialise(scope, iterable.length, I64)

    def tested(tests: list[ast.expr]) -> None:
        if not tests:
            _grow(scope, node, depth + 1, out)
            return
        flag = condition(scope, tests[0], scope.evaluate(tests[0]))
        if isinstance(flag, Num):
            branch(scope, materialise(scope, flag, BOOL), lambda: tested(tests[1:]), lambda: None)
        elif flag.value:
            tested(tests[1:])

    def iteration(k: Abstract) -> None:
        assign(scope, generator.target, source.item(k))
        tested(generator.ifs)

    known = as_static_int(iterable.length)
    if known is not None and (iterable.mixed or known <= MOST_TRIPS):
        for k in range(known):
            iteration(Constant(k))
        return
    names = bound_names([generator.target])
    loop(
        scope, names, scope.names, (scope.const(0), length), 1, None, lambda k: iteration(Num(k)), trips=lambda: length
    )


def _in_memory(
    scope: FunctionScope, node: ast.ListComp, generator: ast.comprehension, iterable: IterableValue
) -> Abstract:
    """One generator of unknown length: an array of numbers.

    What it holds is only known once the item is compiled, so that the loop comes first, over arrays that stand in for
    those that are allocated before it.
    """
    where, speculation = scope.span(node), scope.session.speculation
    length = materialise(scope, iterable.length, I64)
    flags = Value(ArrayType(BOOL, 1, "C"), "kinds")
    seen: list[tuple[Abstract, Value | None]] = []

    def body(index: list[Value]) -> None:
        assign(scope, generator.target, iterable.item(Num(index[0])))
        item = scope.evaluate(node.elt)
        buffer = None
        if is_scalar(item):
            own = numpy_element(item)
            known = speculation.elements.get(where, own)
            element = wider(known, own) or known
            buffer = Value(ArrayType(element, 1, "C"), "list")
            scope.put(stored(scope, item, element), buffer, index)
            if speculation.flags and (weak_type_of(item).mixed or where in speculation.mixed):
                scope.put(flag(scope, weak_type_of(item)), flags, index)
        seen.append((item, buffer))

    before = dict(scope.state.cells)
    with scope.builder.region() as filling:
        nest(scope, (Num(length),), body)
    if _changes(scope, before):
        return GROWS
    ((item, stand_in),) = seen
    if isinstance(item, Poison):
        return POISON
    if stand_in is None:
        title = f"a list of {describe(item)} of unknown length is not supported"
        needed_length(scope, node.elt, iterable.length, title, "use a 2-d array")
        return POISON
    assert isinstance(stand_in.type, ArrayType)
    buffer = scope.emit("alloc", length, element=stand_in.type.element.name, hint="list")
    array = list_array(scope, buffer, weak_type_of(item), where in speculation.mixed, where, iterable.length)
    arrays = {stand_in: buffer, **({} if array.weak_flags is None else {flags: array.weak_flags})}
    for instr in substitute(filling.region, arrays).body:
        scope.builder.append(instr)
    return array
