"""Ops that no pass has heard of (see `foreign`) go through every pass: what their definitions say is all it takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.ir import Function, interpret, parse_function, verify
from adcore.ir.core import walk
from adcore.transform.arrays.mem2reg import mem2reg
from adcore.transform.arrays.producer_fusion import fuse_producers
from adcore.transform.canonical.assumptions import assume_checks
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.dead_code import eliminate_dead_code
from adcore.transform.canonical.induction import close_inductions
from adcore.transform.canonical.range_folding import fold_ranges
from adcore.transform.canonical.running_choices import untie_running_choices
from adcore.transform.canonical.short_circuit import flatten_conditions
from adcore.transform.canonical.simplify import simplify
from adcore.transform.canonical.unchecked import without_index_checks
from adcore.transform.diff.overwritten_shadows import set_to_zero
from adcore.transform.diff.reverse import emit_reverse, reverse
from adcore.transform.diff.selection import lower_attach, track_selections
from adcore.transform.diff.squared_roots import differentiate_squared_roots
from adcore.transform.expansion import expand_bulk, in_elements
from adcore.transform.optimize.bit_tiles import tile_bits
from adcore.transform.optimize.check_sinking import sink_checks
from adcore.transform.optimize.dead_zeroing import remove_dead_zeroing
from adcore.transform.optimize.gather import gather_accumulations
from adcore.transform.optimize.improve import improve
from adcore.transform.optimize.loop_reversal import reverse_loops
from adcore.transform.optimize.predictive_commoning import common_accumulations
from adcore.transform.optimize.product_instructions import emit_products
from adcore.transform.optimize.product_separation import separate_products
from adcore.transform.optimize.scalar_promotion import promote_sums
from adcore.transform.optimize.sweep_fusion import fuse
from tests.lower.native import Native, agree
from tests.ops.foreign import FOREIGN, bulk
from tests.test_layers import import_graph
from tests.transform.test_random_programs import KINDS, Problem, close

Pass = Callable[[Function], Function]

PASSES: dict[str, Pass] = {
    "simplify": lambda f: simplify(f, FOREIGN),
    "dead_code": lambda f: eliminate_dead_code(f, FOREIGN),
    "checks": lambda f: simplify_checks(f, FOREIGN),
    "assumptions": lambda f: assume_checks(f, FOREIGN),
    "induction": lambda f: close_inductions(f, FOREIGN),
    "range_folding": lambda f: fold_ranges(f, FOREIGN),
    "unchecked": without_index_checks,
    "producer_fusion": lambda f: fuse_producers(f, FOREIGN),
    "selection": lambda f: lower_attach(track_selections(f, KINDS, [True], FOREIGN), FOREIGN),
    "squared_roots": lambda f: differentiate_squared_roots(f, FOREIGN),
    "running_choices": lambda f: untie_running_choices(f, FOREIGN),
    "mem2reg": lambda f: mem2reg(f, FOREIGN),
    "short_circuit": lambda f: flatten_conditions(f, FOREIGN),
    "product_instructions": lambda f: emit_products(f, FOREIGN),
    "expansion": lambda f: expand_bulk(f, FOREIGN),
    "overwritten_shadows": lambda f: set_to_zero(f, (), FOREIGN),
    "dead_zeroing": lambda f: remove_dead_zeroing(f, FOREIGN),
    "sweep_fusion": lambda f: fuse(f, FOREIGN),
    "scalar_promotion": lambda f: promote_sums(f, FOREIGN),
    "gather": lambda f: gather_accumulations(f, FOREIGN),
    "predictive_commoning": lambda f: common_accumulations(f, FOREIGN),
    "loop_reversal": lambda f: reverse_loops(f, FOREIGN),
    "improve": lambda f: improve(f, FOREIGN),
    "product_separation": lambda f: separate_products(f, FOREIGN),
    "check_sinking": lambda f: sink_checks(f, FOREIGN),
    "bit_tiles": lambda f: tile_bits(f, FOREIGN),
}

BY = {
    "reverse": "diff.reverse",  # emit_reverse, reverse: with plans that store, recompute and undo, and under a limit
    "forward": "diff.forward",  # what every adjoint is compared with
    **dict.fromkeys(
        ["finals", "forward_sweep", "primals", "record_storage", "redo", "replay", "reverse_sweep", "remedies",
         "checkpoint", "outline", "rewind", "schedules", "snapshots"], "diff.reverse"),
    **dict.fromkeys(["contraction", "joint_fusion", "local_arrays", "loop_fusion", "rematerialisation"],
                    "arrays.producer_fusion"),
    **dict.fromkeys(["memory_versions", "patterns", "rewrites", "settled_regions"], "canonical.simplify"),
    "selection_search": "diff.selection",
    "accumulation_chains": "optimize.gather",
    **dict.fromkeys(["loop_distribution", "scalar_expansion"], "optimize.product_separation"),
    "loop_building": "diff.reverse",
}  # fmt: skip
"""Modules that are used by another that these tests run, and which. That one may find no use for them in a program with
foreign ops: the test below holds the imports to this, not the calls."""

ELSEWHERE = {
    "inline": "before any op is looked at: it puts the bodies of functions in the place of calls",
    "retyping": "makes the twin of a check, which is refused where an op has none in wide numbers",
    "split_sweeps": "cuts what `reverse` made, which has no foreign op left",
}


def foreign_problem(seed: int, temporaries: bool = False) -> Problem:
    return Problem(seed, temporaries, FOREIGN, bulk)


def has_foreign(function: Function) -> bool:
    return any(i.op in FOREIGN.expandable for i in walk(function.region))


def check_same(problem: Problem, before: Function, after: Function) -> None:
    expected, arrays = problem.run(before)
    results, found = problem.run(after)
    np.testing.assert_allclose(results, expected, rtol=1e-12, atol=1e-12)
    for array, want in zip(found, arrays, strict=True):
        np.testing.assert_allclose(array, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_keeps_what_programs_with_foreign_ops_do(name: str) -> None:
    """Before and after simplification: one has more for passes to find, the other is what they get."""
    seen = 0
    for seed in range(40):
        problem = foreign_problem(seed, temporaries=bool(seed % 3))
        lean = simplify(problem.program, FOREIGN)
        seen += has_foreign(lean)
        for before in (problem.program, lean):
            check_same(problem, before, verify(PASSES[name](before), FOREIGN))
    assert seen >= 20


def test_no_module_of_the_passes_is_left_out() -> None:
    graph = {m: found for m, found in import_graph("adcore").items() if m.startswith("adcore.transform.")}
    modules = {m for m in graph if not any(other.startswith(m + ".") for other in graph)}
    assert {m.rpartition(".")[2] for m in modules} == {*PASSES, *BY, *ELSEWHERE}
    for name, through in BY.items():
        reached = waiting = {f"adcore.transform.{through}"}
        while waiting:
            waiting = set().union(*(graph.get(m, set()) for m in waiting)) - reached
            reached = reached | waiting
        assert any(m.rpartition(".")[2] == name for m in reached), f"{through} does not use {name}"


@given(st.integers(0, 10**9), st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_expansion_does_what_the_op_does(seed: int, temporaries: bool) -> None:
    problem = foreign_problem(seed, temporaries)
    expanded = verify(expand_bulk(problem.program, FOREIGN), FOREIGN)
    assert not has_foreign(expanded)
    assert problem.run(expanded)[0] == problem.run(problem.program)[0]


@given(st.integers(0, 10**9), st.sampled_from([0.02, 1.0, 20.0]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_reverse_agrees_with_forward(seed: int, price: float, temporaries: bool) -> None:
    """At prices from "store everything" to "recompute what can be", so that plans store, recompute and undo."""
    problem = foreign_problem(seed, temporaries)
    program = in_elements(problem.program, FOREIGN)
    planner = analyse(program, KINDS, [True], AliasClasses(), FOREIGN)
    gradient = verify(emit_reverse(planner, planner.plan(price), KINDS, [True], FOREIGN).function, FOREIGN)
    expected = problem.tangent()
    assert close(problem.adjoint(gradient), expected)
    assert close(problem.adjoint(verify(simplify(gradient, FOREIGN), FOREIGN)), expected)
    assert close(problem.adjoint(verify(improve(gradient, FOREIGN), FOREIGN)), expected)


@pytest.mark.parametrize("limit", [None, 10_000])
def test_sweeps_take_the_program_as_it_is(limit: int | None) -> None:
    for seed in range(12):
        problem = foreign_problem(seed, temporaries=bool(seed % 2))
        program = simplify(problem.program, FOREIGN)
        made = reverse(program, KINDS, [True], FOREIGN, limit=limit, arguments=problem.arguments)
        assert close(problem.adjoint(verify(made.function, FOREIGN)), problem.tangent())


def test_native_code_comes_by_way_of_the_expansion() -> None:
    for seed in (1, 2, 3):
        problem = foreign_problem(seed)
        program = simplify(problem.program, FOREIGN)
        assert has_foreign(program)
        agree(Native(expand_bulk(program, FOREIGN)), *problem.arguments, tolerance=1e-12)


READ_AROUND_A_FILL = """
func @f(%x: array<f64,1,C>, %v: f64) -> (f64) {
  %z: i64 = const [type='i64', value=0]
  %a: f64 = load %x, %z
  fill %v, %x
  %b: f64 = load %x, %z
  %s: f64 = add %a, %b
  return %s
}
"""


def test_reads_are_not_merged_around_an_op_that_writes() -> None:
    function = verify(parse_function(READ_AROUND_A_FILL), FOREIGN)
    for pass_ in PASSES.values():
        if pass_ is not PASSES["selection"]:
            after = verify(pass_(function), FOREIGN)
            assert interpret(after, FOREIGN, (np.array([1.0, 2.0]), 5.0)) == (6.0,)
