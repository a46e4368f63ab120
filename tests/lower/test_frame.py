"""The frame that lowering reads is the frame that the runtime fills."""

from __future__ import annotations

import pytest

from adcore.ir import parse_function, parse_type
from adcore.lower import FrameLayout
from adcore.runtime import frames

TYPES = ("f64", "array<f64,2,C>", "i32", "list<f64,1,S>", "bool", "array<i64,0,C>", "array<f32,3,S>", "f32")


def test_offsets_count_every_word() -> None:
    function = parse_function("func @f(%a: array<f64,2,S>, %n: i64, %l: list<f64,1,C>) -> (i64) {\n  return %n\n}\n")
    layout = FrameLayout.of(function)
    assert [slot.offset for slot in layout.params] == [6, 11, 12]
    assert [slot.offset for slot in layout.results] == [14]
    assert layout.total == 15


@pytest.mark.parametrize("split", range(len(TYPES)))
def test_runtime_and_lowering_agree(split: int) -> None:
    params, results = ([parse_type(t) for t in part] for part in (TYPES[:split], TYPES[split:]))
    mine, theirs = FrameLayout(tuple(params), tuple(results)), frames.FrameLayout.of(params, results)
    assert tuple(slot.offset for slot in mine.params) == theirs.param_words
    assert tuple(slot.offset for slot in mine.results) == theirs.result_words
    assert mine.total == theirs.size
