"""A pass that changes nothing gives back the same function, so that what is known about it goes on holding; what a pass
leaves alone in a function that it changes stays the same objects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.ir.core import Function, walk
from adcore.ops import TABLE
from adcore.transform.arrays.mem2reg import mem2reg
from adcore.transform.arrays.producer_fusion import fuse_producers
from adcore.transform.canonical.assumptions import assume_checks
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.dead_code import eliminate_dead_code
from adcore.transform.canonical.induction import close_inductions
from adcore.transform.canonical.inline import expand
from adcore.transform.canonical.range_folding import fold_ranges
from adcore.transform.canonical.running_choices import untie_running_choices
from adcore.transform.canonical.short_circuit import flatten_conditions
from adcore.transform.canonical.simplify import simplify
from adcore.transform.canonical.unchecked import without_index_checks
from adcore.transform.diff.reverse import emit_reverse
from adcore.transform.diff.selection import lower_attach, track_selections
from adcore.transform.diff.squared_roots import differentiate_squared_roots
from adcore.transform.optimize.bit_tiles import tile_bits
from adcore.transform.optimize.check_sinking import sink_checks
from adcore.transform.optimize.dead_zeroing import remove_dead_zeroing
from adcore.transform.optimize.gather import gather_accumulations
from adcore.transform.optimize.improve import improve
from adcore.transform.optimize.loop_reversal import reverse_loops
from adcore.transform.optimize.predictive_commoning import common_accumulations
from adcore.transform.optimize.product_separation import separate_products
from adcore.transform.optimize.scalar_promotion import promote_sums
from adcore.transform.optimize.sweep_fusion import fuse
from tests.transform.random_programs import random_program
from tests.transform.texts import parse, text

KINDS = ("duplicated", "duplicated", "duplicated", "active", "const")

PASSES: dict[str, Callable[[Function], Function]] = {
    "simplify": lambda f: simplify(f, TABLE),
    "dead code": lambda f: eliminate_dead_code(f, TABLE),
    "inductions": lambda f: close_inductions(f, TABLE),
    "expansion": lambda f: expand(f, everything=True),
    "range folding": lambda f: fold_ranges(f, TABLE),
    "short circuit": lambda f: flatten_conditions(f, TABLE),
    "checks": lambda f: simplify_checks(f, TABLE),
    "assumptions": lambda f: assume_checks(f, TABLE),
    "unchecked": without_index_checks,
    "producer fusion": lambda f: fuse_producers(f, TABLE),
    "mem2reg": lambda f: mem2reg(f, TABLE),
    "selections": lambda f: track_selections(f, KINDS, [True], TABLE),
    "squared roots": lambda f: differentiate_squared_roots(f, TABLE),
    "running choices": lambda f: untie_running_choices(f, TABLE),
    "attach": lambda f: lower_attach(f, TABLE),
    "dead zeroing": lambda f: remove_dead_zeroing(f, TABLE),
    "sweep fusion": lambda f: fuse(f, TABLE),
    "scalar promotion": lambda f: promote_sums(f, TABLE),
    "gather": lambda f: gather_accumulations(f, TABLE),
    "predictive commoning": lambda f: common_accumulations(f, TABLE),
    "loop reversal": lambda f: reverse_loops(f, TABLE),
    "improve": lambda f: improve(f, TABLE),
    "product separation": lambda f: separate_products(f, TABLE),
    "check sinking": lambda f: sink_checks(f, TABLE),
    "bit tiles": lambda f: tile_bits(f, TABLE),
}

PRIMAL_ONLY = frozenset({"selections"})
"""Passes that know the parameters of the random programs."""

TIMES = 4
"""How often a pass may find something to do in what it made."""


def programs(seeds: range) -> list[tuple[str, Function]]:
    """Random programs and their gradients."""
    found = []
    for seed in seeds:
        program = simplify(random_program(seed), TABLE)
        planner = analyse(program, KINDS, [True], AliasClasses(), TABLE)
        gradient = emit_reverse(planner, planner.plan(), KINDS, [True], TABLE).function
        found += [(f"program {seed}", program), (f"gradient {seed}", gradient)]
    return found


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_that_changes_nothing_gives_back_the_same_function(name: str) -> None:
    run = PASSES[name]
    for which, function in programs(range(6)):
        if name in PRIMAL_ONLY and "gradient" in which:
            continue
        for _ in range(TIMES):
            before, function = function, run(function)
            if function is before:
                break
            assert text(function) != text(before), f"{name} rebuilt {which} without changing it"


def test_what_a_pass_leaves_alone_stays_the_same_objects() -> None:
    function = parse(
        """
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          %w: f64 = mul %v, %v
          store %w, %y, %i
          yield
        }
        for 0, %n [step=1] {
        (%j: i64):
          %t: f64 = load %y, %j
          %u: f64 = mul %t, 1.0
          store %u, %d, %j
          yield
        }
        """
    )
    after = simplify(function, TABLE)
    first, second = [i for i in walk(function.region) if i.op == "for"]
    kept, changed = [i for i in walk(after.region) if i.op == "for"]
    assert kept is first
    assert changed is not second
    assert changed.regions[0].body[0] is second.regions[0].body[0]
