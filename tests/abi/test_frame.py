"""The layout of a frame, which lowering writes into code and the runtime fills."""

from __future__ import annotations

import pytest

from adcore.abi.frame import FIRST, FrameLayout, words
from adcore.ir import parse_function, parse_type
from adcore.lower import lower

TYPES = ("f64", "array<f64,2,C>", "i32", "list<f64,1,S>", "bool", "array<i64,0,C>", "array<f32,3,S>", "f32")


def test_offsets_count_every_word() -> None:
    function = parse_function("func @f(%a: array<f64,2,S>, %n: i64, %l: list<f64,1,C>) -> (i64) {\n  return %n\n}\n")
    layout = lower(function).layout
    assert [slot.offset for slot in layout.param_slots] == [6, 11, 12]
    assert [slot.offset for slot in layout.result_slots] == [14]
    assert layout.size == 15


@pytest.mark.parametrize("split", range(len(TYPES)))
def test_slots_lie_side_by_side(split: int) -> None:
    params, results = ([parse_type(t) for t in part] for part in (TYPES[:split], TYPES[split:]))
    layout = FrameLayout.of(params, results)
    slots = (*layout.param_slots, *layout.result_slots)
    ends = [FIRST, *(slot.offset + words(slot.type) for slot in slots)]
    assert [*layout.param_words, *layout.result_words, layout.size] == ends
