"""List comprehensions: item by item where the length is known, a list in memory otherwise."""

from __future__ import annotations

import ast

from adcore.frontend.liveness import bound_names
from adcore.frontend.numpy.elements import nest, stored, wider
from adcore.frontend.python.targets import assign
from adcore.frontend.session import Frame, as_static_int, comprehension_frame
from adcore.frontend.values.abstract import POISON, Abstract, Const, Num, Poison, Stream, is_scalar
from adcore.frontend.values.conditions import condition
from adcore.frontend.values.describe import describe
from adcore.frontend.values.iterables import consume, stream_of
from adcore.frontend.values.lists import LONGEST_LIST, list_array, list_literal
from adcore.frontend.values.numbers import kind_of, materialise, scalar_type
from adcore.frontend.values.weak_types import flag
from adcore.ir.core import Value, substitute
from adcore.ir.types import BOOL, I64, ArrayType


def comprehension(frame: Frame, node: ast.ListComp) -> Abstract:
    """`[item for target in iterable if condition]`."""
    inner = _scope(frame, node)
    items: list[Abstract] = []
    outcome = _generate(inner, node, 0, items)
    frame.state.cells, frame.state.dead = inner.state.cells, inner.state.dead
    if outcome is not None:
        return outcome
    return list_literal(frame, node, tuple(items))


def generator(frame: Frame, node: ast.GeneratorExp) -> Abstract:
    """`item for target in iterable` as the argument of a call: items are made as the callee asks for them."""
    (first, *others) = node.generators
    if others or first.ifs:
        as_list = ast.copy_location(ast.ListComp(node.elt, node.generators), node)
        return comprehension(frame, as_list)
    with frame.at(first.iter):
        stream = stream_of(frame, first.iter, consume(frame, first.iter, frame.evaluate(first.iter)))
    if stream is None:
        return POISON
    source = stream

    def item(k: Abstract) -> Abstract:
        inner = _scope(frame, node)
        assign(inner, first.target, source.item(k))
        value = inner.evaluate(node.elt)
        frame.state.cells, frame.state.dead = inner.state.cells, inner.state.dead
        return value

    return Stream(stream.length, item, "generator", stream.mixed)


def _scope(frame: Frame, node: ast.ListComp | ast.GeneratorExp) -> Frame:
    """A frame in which the targets live."""
    return comprehension_frame(frame, bound_names(generator.target for generator in node.generators))


def _generate(frame: Frame, node: ast.ListComp, depth: int, items: list[Abstract]) -> Abstract | None:
    """Append the items of the generators from `depth` on; a result if the list is made in another way."""
    if depth == len(node.generators):
        items.append(frame.evaluate(node.elt))
        return None
    generator = node.generators[depth]
    stream = stream_of(frame, generator.iter, consume(frame, generator.iter, frame.evaluate(generator.iter)))
    if stream is None:
        return POISON
    length = as_static_int(stream.length)
    if length is None or length > LONGEST_LIST:
        if len(node.generators) > 1 or generator.ifs:
            return frame.error(
                node, "the length of this list is not known while compiling", "fill a NumPy array in a loop"
            )
        return _in_memory(frame, node, generator, stream)
    for k in range(length):
        assign(frame, generator.target, stream.item(Const(k)))
        wanted = _wanted(frame, generator)
        if isinstance(wanted, Poison):
            return POISON
        if wanted:
            outcome = _generate(frame, node, depth + 1, items)
            if outcome is not None:
                return outcome
    return None


def _wanted(frame: Frame, generator: ast.comprehension) -> bool | Poison:
    for test in generator.ifs:
        flag = condition(frame, test, frame.evaluate(test))
        if not isinstance(flag, Const):
            return frame.error(
                test, "the length of this list is not known while compiling", "fill a NumPy array in a loop"
            )
        if not flag.value:
            return False
    return True


def _in_memory(frame: Frame, node: ast.ListComp, generator: ast.comprehension, stream: Stream) -> Abstract:
    """One generator of unknown length: an array of numbers.

    What it holds is only known once the item is compiled, so that the loop comes first, over arrays that stand in for
    those that are allocated before it.
    """
    where, speculation = frame.span(node), frame.session.speculation
    length = materialise(frame, stream.length, I64)
    flags = Value(ArrayType(BOOL, 1, "C"), "kinds")
    seen: list[tuple[Abstract, Value | None]] = []

    def body(index: list[Value]) -> None:
        assign(frame, generator.target, stream.item(Num(index[0])))
        item = frame.evaluate(node.elt)
        buffer = None
        if is_scalar(item):
            own = scalar_type(item)
            known = speculation.elements.get(where, own)
            element = wider(known, own) or known
            buffer = Value(ArrayType(element, 1, "C"), "list")
            frame.put(stored(frame, item, element), buffer, index)
            if speculation.flags and (kind_of(item).mixed or where in speculation.mixed):
                frame.put(flag(frame, kind_of(item)), flags, index)
        seen.append((item, buffer))

    with frame.builder.region() as filling:
        nest(frame, (Num(length),), body)
    ((item, stand_in),) = seen
    if isinstance(item, Poison):
        return POISON
    if stand_in is None:
        return frame.error(
            node.elt, f"a list of {describe(item)} of unknown length is not supported", "use a 2-d array"
        )
    assert isinstance(stand_in.type, ArrayType)
    buffer = frame.emit("alloc", length, element=stand_in.type.element.name, hint="list")
    array = list_array(frame, buffer, kind_of(item), where in speculation.mixed, where, stream.length)
    arrays = {stand_in: buffer, **({} if array.kinds is None else {flags: array.kinds})}
    for instr in substitute(filling.region, arrays).body:
        frame.builder.append(instr)
    return array
