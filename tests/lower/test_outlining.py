"""Long kernels in pieces: the same bits, faults, high-water marks and certificate, wherever they are cut."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from adcore.ir import Function, parse_function, verify
from adcore.lower import EmitOptions, Lowered, emit, lower
from adcore.ops import TABLE
from adcore.runtime.loading.linker import load
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.reverse import reverse
from adcore.transform.expansion import expand_bulk
from adcore.transform.optimize.bit_tiles import tile_bits
from tests.lower.calling import ENTRY, pack
from tests.lower.test_random_programs import ACTIVITY, arguments_of, assert_agrees
from tests.samples import sample
from tests.transform.random_programs import random_program

TINY = 1
"""Lines of a piece: a cut behind every instruction that has a loop, and every ten lines else."""

WHOLE = 10**9


def outcome(lowered: Lowered, arguments: list[Any], size: int) -> tuple[Any, ...]:
    """All that a call leaves behind, as bits: LLVM translates the text as it stands."""
    code = emit(lowered, EmitOptions(level=0)).object_code
    loaded = load(code, [lowered.name, *(s.symbol for s in lowered.allocation_sites)])
    given = copy.deepcopy(arguments)
    frame = pack(lowered.layout, given, size)
    status = ENTRY(loaded[lowered.name])(frame.address)
    fault = lowered.faults[status - 1] if status else None
    details = list(frame.words[:2]) if fault and "{" in fault.message else []
    scalars = [frame.words[slot.offset] for slot in lowered.layout.result_slots if not hasattr(slot.type, "rank")]
    arrays = [a.tobytes() for a in given if isinstance(a, np.ndarray)]
    return fault, details, frame.workspace_used, [] if fault else scalars, arrays


def assert_same(function: Function, seed: int, size: int = 1 << 20, **options: Any) -> Lowered:
    whole, cut = lower(function, piece_lines=WHOLE, **options), lower(function, piece_lines=TINY, **options)
    assert not whole.pieces
    assert whole.faults == cut.faults
    arguments = arguments_of(function, seed)
    assert outcome(whole, arguments, size) == outcome(cut, arguments, size)
    return cut


@pytest.mark.parametrize("seed", range(30))
def test_programs(seed: int) -> None:
    function = verify(random_program(seed), TABLE)
    assert_same(function, seed)
    assert_agrees(function, seed, piece_lines=TINY)


@pytest.mark.slow
@pytest.mark.parametrize("seed", sample([*range(30, 36), *range(50, 54), *range(36, 50), *range(54, 60)], quick=10))
@pytest.mark.parametrize("workspace", ["arena", "heap"])
def test_gradients(seed: int, workspace: Any) -> None:
    program = simplify(simplify_checks(simplify(random_program(seed, temporaries=seed >= 50), TABLE), TABLE), TABLE)
    gradient = expand_bulk(reverse(program, ACTIVITY, (True,), ops=TABLE).function, TABLE)
    function = verify(tile_bits(simplify(gradient, TABLE), TABLE), TABLE)
    options: dict[str, Any] = {"workspace": workspace, "stack_limit": 256}
    cut = assert_same(function, seed, **options)
    assert_agrees(function, seed, piece_lines=TINY, **options)
    if workspace == "arena":
        assert emit(cut).certificate.proven
        for size in (0, 64, 400):
            assert_same(function, seed, size)


CHAIN = """
func @f(%x: array<f64,1,S>) -> (f64) {
  %n: i64 = dim %x [axis=0]
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %two: i64 = const [type='i64', value=2]
  %a: f64 = for %i0, %n, %zero [step=1] {
  (%i: i64, %s: f64):
    %k: i64 = index %i, %n [axis=0]
    %v: f64 = load %x, %k
    %t: f64 = add %s, %v
    yield %t
  }
  %b: array<f64,1,C> = alloc %two [zero=True]
  %c: array<f64,1,C> = alloc %two
  store %a, %c, %i0
  %d: f64 = for %i0, %n, %a [step=1] {
  (%j: i64, %u: f64):
    store %u, %b, %i0
    %l: f64 = load %c, %i0
    %m: f64 = add %u, %l
    yield %m
  }
  %e: f64 = load %b, %i0
  %g: f64 = mul %d, %e
  return %g
}
"""


def test_the_text() -> None:
    """Before: one function. After: the loops in pieces of their own, what they share in `%locals`."""
    whole, cut = (lower(parse_function(CHAIN), piece_lines=lines) for lines in (600, TINY))
    assert whole.pieces == ()
    assert "%locals" not in whole.text
    assert cut.pieces == ("kernel.1", "kernel.2", "kernel.3")
    first, second, third, entry = cut.text.split("define ")[-4:]
    assert first.startswith("internal i32 @kernel.1(ptr noalias %frame, ptr noalias %locals) #1 {")
    assert "noinline" in entry.split("attributes #1")[1].splitlines()[0]
    # The sum of the first loop is stored where that piece ends, and loaded where the second begins.
    (store,) = (line for line in first.splitlines() if line.startswith("  store double"))
    name = store.split()[2].rstrip(",")
    assert f"  {name} = load double, ptr {name}.place" in second
    # An array that two pieces use lasts as long as the entry; one that a single piece uses is its own.
    assert "alloca [16 x i8]" in entry
    assert "alloca [16 x i8]" in second
    assert "alloca [16 x i8]" not in first + third
    # Parameters are read again, with what LLVM is told about them.
    assert "!range" in first
    assert "!range" in second
    calls = [line for line in entry.splitlines() if " call i32 @kernel." in line]
    assert [line.split("@")[1].split("(")[0] for line in calls] == list(cut.pieces)


def test_alias_lists_name_what_a_piece_uses() -> None:
    """All pairs would be a million for a thousand arrays."""
    count = 40
    lines = [f"  %v{k}: f64 = load %a{k}, %i0\n  store %v{k}, %a{(k + 1) % count}, %i0" for k in range(count)]
    parameters = ", ".join(f"%a{k}: array<f64,1,C>" for k in range(count))
    loops = [f"  for %i0, %two [step=1] {{\n  (%i{k}: i64):\n  {line}\n  yield\n  }}" for k, line in enumerate(lines)]
    head = "  %i0: i64 = const [type='i64', value=0]\n  %two: i64 = const [type='i64', value=2]\n"
    body = head + "\n".join(loops) + "\n  return\n"
    function = verify(parse_function(f"func @f({parameters}) -> () {{\n{body}}}\n"), TABLE)

    def longest(text: str) -> int:
        nodes = (line.split(" = ")[1] for line in text.splitlines() if line.startswith("!"))
        return max(node.count("!") - 1 for node in nodes if "distinct" not in node)

    assert longest(lower(function).text) == count - 1
    assert longest(lower(function, piece_lines=TINY).text) <= 3


def test_small_kernels_stay_whole() -> None:
    for seed in range(5):
        assert lower(verify(random_program(seed), TABLE)).pieces == ()
