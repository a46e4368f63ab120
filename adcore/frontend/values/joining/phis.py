"""The IR's values in the place of a phi's."""

from __future__ import annotations

import dataclasses

from adcore.frontend.session import State
from adcore.frontend.values.abstract import (
    Abstract,
    Items,
    Num,
    PossiblyUnbound,
    Record,
)
from adcore.ir.core import Region, Value


def parts(value: Abstract) -> tuple[Abstract, ...]:
    """What a tuple or record holds."""
    if isinstance(value, Items):
        return value.items
    assert isinstance(value, Record)
    return tuple(item for _, item in value.fields)


def rebuilt(value: Abstract, mapping: dict[Value, Value]) -> Abstract:
    """A phi with its leaves replaced."""
    if isinstance(value, Num):
        weak = dataclasses.replace(value.weak, flags=tuple(mapping.get(f, f) for f in value.weak.flags))
        return Num(mapping.get(value.value, value.value), weak, value.narrow) if value.value in mapping else value
    if isinstance(value, Items):
        return Items(tuple(rebuilt(v, mapping) for v in value.items))
    if isinstance(value, Record):
        return Record(value.cls, tuple((key, rebuilt(v, mapping)) for key, v in value.fields))
    if isinstance(value, PossiblyUnbound):
        return dataclasses.replace(value, inner=rebuilt(value.inner, mapping), bound=rebuilt(value.bound, mapping))
    return value


def rebuilt_state(state: State, mapping: dict[Value, Value]) -> State:
    return dataclasses.replace(
        state,
        locals={name: rebuilt(v, mapping) for name, v in state.locals.items()},
        cells={cell: tuple(rebuilt(v, mapping) for v in items) for cell, items in state.cells.items()},
        result=rebuilt(state.result, mapping),
        returns=rebuilt(state.returns, mapping),
        breaks=rebuilt(state.breaks, mapping),
        continues=rebuilt(state.continues, mapping),
    )


def defined_in(region: Region) -> frozenset[Value]:
    """Values that a region makes visible to its own body only."""
    return frozenset(region.params) | {v for instr in region.body for v in instr.results}
