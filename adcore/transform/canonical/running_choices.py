"""A running minimum or maximum has the derivative of one element: ties in it are not shared.

    func @f(%x: array<f64,1,C>, %n: i64, %s: f64) -> (f64) {
      %m: f64 = for 0, %n, %s [step=1] {
      (%i: i64, %u: f64):
        %v: f64 = load %x, %i
        %c: bool = gt %v, %u
        %w: f64 = select %c, %v, %u
        %mean: f64 = mul 0.5, %v
        %r: f64 = attach %w, %mean
        yield %r
      }
      return %m
    }
->
    func @f(%x: array<f64,1,C>, %n: i64, %s: f64) -> (f64) {
      %m: f64 = for 0, %n, %s [step=1] {
      (%i: i64, %u: f64):
        %v: f64 = load %x, %i
        %c: bool = gt %v, %u
        %w: f64 = select %c, %v, %u
        %mean: f64 = mul 0.5, %v
        yield %w
      }
      return %m
    }

Equal operands of min and max share the derivative (`attach`, from the frontend). Where one of them is a value that the
loop carries, and what is chosen is carried on, that would be a half of a half of a half along a row of equal elements,
and each iteration would have to be kept. The first of the equal elements takes all instead, as np.argmax says. The same
holds for an element of memory that stays the same one while the loop runs: `m[0] = max(m[0], x[i])`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from adcore.analysis.structure import LOOPS
from adcore.ir.core import Function, Instr, Region, Value, edited, free_values, renamed, walk
from adcore.ops import Table


def untie_running_choices(function: Function, ops: Table) -> Function:
    """The function in which what a loop carries on by choosing has the derivative of what is chosen."""
    if not any(ops[i.op].value_of is not None for i in walk(function.region)):
        return function
    names: dict[Value, Value] = {}
    for loop in (i for i in walk(function.region) if i.op in LOOPS):
        body = loop.regions[-1]
        tied = [i for i in _own(body) if ops[i.op].value_of is not None]
        for start, end in ((body.params, body.yields), *_elements(body, ops)) if tied else ():
            carried, passed_on = set(start), set(end)
            _chosen_from(body, ops, carried)
            _chosen_for(body, ops, passed_on)
            for instr in tied:
                if instr.result in carried and instr.result in passed_on:
                    names[instr.result] = instr.operands[ops[instr.op].value_of or 0]
    if not names:
        return function
    kept = edited(function.region, lambda i: () if ops[i.op].value_of is not None and i.result in names else (i,))
    return function.with_region(renamed(kept, {v: _last(v, names) for v in names}))


def _own(region: Region) -> Iterator[Instr]:
    """The instructions of a loop's body that are in no other loop."""
    for instr in region.body:
        yield instr
        for nested in instr.regions if instr.op == "if" else ():
            yield from _own(nested)


def _elements(body: Region, ops: Table) -> list[tuple[list[Value], list[Value]]]:
    """What is loaded from, and stored to, each element that is the same one in all iterations."""
    outside = free_values(body)
    loaded: dict[tuple[Value, ...], list[Value]] = {}
    stored: dict[tuple[Value, ...], list[Value]] = {}
    for instr in _own(body):
        if instr.op in ops.loads or instr.op in ops.stores:
            place = (ops.array(instr), *ops.subscripts(instr))
            if outside.issuperset(place):
                value, found = (instr.result, loaded) if instr.op in ops.loads else (ops.stored(instr), stored)
                found.setdefault(place, []).append(value)
    return [(loaded[place], stored[place]) for place in loaded if place in stored]


def _last(value: Value, names: dict[Value, Value]) -> Value:
    while value in names:
        value = names[value]
    return value


def _chosen_from(region: Region, ops: Table, found: set[Value]) -> None:
    """Add to `found` what is chosen, in `region`, from values in it."""
    for instr in region.body:
        for nested in instr.regions if instr.op == "if" else ():
            _chosen_from(nested, ops, found)
        found.update(r for r, options in _choices(instr, ops) if not found.isdisjoint(options))


def _chosen_for(region: Region, ops: Table, found: set[Value]) -> None:
    """Add to `found` what values in it are chosen from, in `region`."""
    for instr in reversed(region.body):
        for result, options in _choices(instr, ops):
            if result in found:
                found.update(options)
        for nested in instr.regions if instr.op == "if" else ():
            _chosen_for(nested, ops, found)


def _choices(instr: Instr, ops: Table) -> list[tuple[Value, Collection[Value]]]:
    """Each result with the values one of which it is."""
    if instr.op == "if":
        return [(r, [region.yields[k] for region in instr.regions]) for k, r in enumerate(instr.results)]
    if instr.op in LOOPS:
        inits = instr.operands[len(instr.operands) - len(instr.regions[-1].yields) :]
        return [(r, (init,)) for r, init in zip(instr.results, inits, strict=False)]
    op = ops[instr.op]
    return [(instr.result, instr.operands)] if op.chooses or op.value_of is not None else []
