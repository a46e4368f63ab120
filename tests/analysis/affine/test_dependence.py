"""The dependence test against what programs really do, and systems of integers against their solutions."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adcore.analysis.affine import conflicts
from adcore.analysis.affine.dependence import AliasClasses, Dependence, dependence_of
from adcore.analysis.affine.forms import Form
from adcore.analysis.affine.systems import Constraint, feasible, project, some_solutions
from adcore.analysis.planning.mincut import FlowNetwork
from adcore.analysis.structure import Structure, contains, structure_of
from adcore.ir import Function, Instr, Value, interpret
from adcore.ir.core import Region, walk
from adcore.machine_model import MODEL
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from tests.transform.random_programs import random_program

# Systems


def random_form(draw: random.Random, atoms: str, largest: int = 3) -> Form:
    form: Form = {a: draw.randint(-largest, largest) for a in draw.sample(atoms, draw.randint(1, len(atoms)))}
    form[1] = draw.randint(-6, 6)
    return {atom: c for atom, c in form.items() if c}


def box(atoms: str, size: int) -> list[Constraint]:
    """0 <= atom < size, for each."""
    return [row for a in atoms for row in (({a: 1}, False), ({a: -1, 1: size - 1}, False))]


def value(form: Form, at: Mapping[Any, int]) -> int:
    return sum(c * (1 if atom == 1 else at[atom]) for atom, c in form.items())


def satisfied(rows: list[Constraint], at: Mapping[Any, int]) -> bool:
    return all(value(form, at) == 0 if is_equality else value(form, at) >= 0 for form, is_equality in rows)


def random_rows(draw: random.Random, atoms: str) -> list[Constraint]:
    return [(random_form(draw, atoms), draw.random() < 0.3) for _ in range(draw.randint(1, 4))]


def points(atoms: str, size: int) -> list[dict[Any, int]]:
    return [dict(zip(atoms, values, strict=True)) for values in itertools.product(range(size), repeat=len(atoms))]


def test_what_is_infeasible_has_no_solution() -> None:
    """Never a false "no"; and the test is worth something: nearly all systems without a solution are found out."""
    draw, found, missed = random.Random(1), 0, 0
    for _ in range(1500):
        rows = box("abc", 4) + random_rows(draw, "abc")
        solvable = any(satisfied(rows, at) for at in points("abc", 4))
        answer = feasible([f for f, eq in rows if eq], [f for f, eq in rows if not eq])
        assert answer or not solvable
        found, missed = found + (not answer), missed + (answer and not solvable)
    assert found > 400
    assert missed < found / 10


def test_projection_is_exact() -> None:
    """What is left has the solutions that extend to solutions of the whole system, no more and no fewer."""
    draw, removed = random.Random(2), 0
    for _ in range(400):
        rows = box("abc", 4) + random_rows(draw, "abc")
        left = project(rows, lambda atom: atom in "bc")
        whole = [at for at in points("abc", 4) if satisfied(rows, at)]
        if left is None:
            assert not whole
            continue
        atoms = {a for form, _ in left for a in form if a != 1}
        removed += 3 - len(atoms | {"a"})
        kept = sorted({*atoms, "a"})
        expected = {tuple(at[a] for a in kept) for at in whole}
        inside = [at for at in points("".join(kept), 4) if satisfied(left, at)]
        assert {tuple(at[a] for a in kept) for at in inside} == expected
    assert removed > 300


def test_examples_are_solutions() -> None:
    draw, seen = random.Random(3), 0
    for _ in range(400):
        rows = box("ab", 5) + random_rows(draw, "abn")
        found = some_solutions(rows, "ab", lambda atom: 7)
        seen += len(found)
        assert all(satisfied(rows, {"a": a, "b": b, "n": 7}) for a, b in found)
    assert seen > 500


# Cuts


def cheapest_side(arcs: list[tuple[int, int, float]], nodes: int) -> float:
    """Over all sets of nodes that hold the source 0 and not the sink 1."""
    sides = itertools.product((False, True), repeat=nodes - 2)
    return min(
        sum(c for u, v, c in arcs if side[u] and not side[v]) for side in ((True, False, *rest) for rest in sides)
    )


@pytest.mark.parametrize("seed", range(60))
def test_minimum_cuts_are_minimal(seed: int) -> None:
    draw = random.Random(seed)
    nodes = draw.randint(3, 8)
    arcs = []
    for _ in range(draw.randint(2, 24)):
        u, v = draw.sample(range(nodes), 2)
        arcs.append((u, v, draw.choice([0.5, 1.0, 2.0, 3.25, float("inf")])))
    network = FlowNetwork()
    for arc in arcs:
        network.arc(*arc)
    cost, side = network.cut(0, 1)
    assert cost == cheapest_side(arcs, nodes)
    if cost < float("inf"):
        assert sum(c for u, v, c in arcs if u in side and v not in side) == pytest.approx(cost)


# Where instructions stand


@pytest.mark.parametrize("seed", range(80))
def test_what_follows_agrees_with_the_definition(seed: int) -> None:
    """Intervals of numbers against walking up to the region that two instructions share."""
    s = structure_of(simplify(random_program(seed), TABLE), TABLE)
    instrs = s.instructions()
    for first, second in itertools.product([i for i in instrs if not i.regions], instrs):
        assert contains(s.following(first), s.number[second]) == follows(s, first, second)


def follows(s: Structure, first: Instr, second: Instr) -> bool:
    for region in s.chain(s.home[first]):
        a, b = s.ancestor(first, region), s.ancestor(second, region)
        assert a is not None
        if b is not None and a is not b:
            return s.position[b] > s.position[a]
        if b is not None:  # different regions of one instruction, or second holds first
            return a.op == "while" and b is not second and not s.inside(s.home[second], a.regions[0])
    return False


# Programs

Touch = tuple[Instr, int, tuple[int, ...]]
"""An access, the address of its element, and the turns of the loops around it."""


class Traced:
    """One run of a program, with every access that it made: the instruction, the address, and the turns of the loops
    around it (counted from 0 in the order in which they run)."""

    def __init__(self, function: Function, arguments: list[Any]) -> None:
        self.function = function
        self.structure = structure_of(function, TABLE)
        self.touched: list[Touch] = []
        self.region(function.region, dict(zip(function.params, arguments, strict=True)), ())

    def region(self, region: Region, env: dict[Value, Any], turns: tuple[int, ...]) -> None:
        for instr in region.body:
            self.instr(instr, env, turns)

    def instr(self, instr: Instr, env: dict[Value, Any], turns: tuple[int, ...]) -> None:
        given = [env[v] for v in instr.operands]
        if instr.op == "for":
            env.update(zip(instr.results, self.loop(instr, env, given, turns), strict=True))
        elif instr.op == "while":
            env.update(zip(instr.results, self.repeat(instr, env, given, turns), strict=True))
        elif instr.op == "if":
            taken = instr.regions[0 if given[0] else 1]
            self.region(taken, env, turns)
            env.update(zip(instr.results, [env[v] for v in taken.yields], strict=True))
        else:
            if instr.op in TABLE.elements:
                self.note(instr, env, turns)
            values = single(instr, given)
            env.update(zip(instr.results, values, strict=True))

    def loop(self, instr: Instr, env: dict[Value, Any], given: list[Any], turns: tuple[int, ...]) -> list[Any]:
        lo, hi, *carried = given
        (body,) = instr.regions
        for turn, i in enumerate(range(lo, hi, instr.attrs["step"])):
            env.update(zip(body.params, [i, *carried], strict=True))
            self.region(body, env, (*turns, turn))
            carried = [env[v] for v in body.yields]
        return carried

    def repeat(self, instr: Instr, env: dict[Value, Any], carried: list[Any], turns: tuple[int, ...]) -> list[Any]:
        test, body = instr.regions
        for turn in itertools.count():
            env.update(zip(test.params, [turn, *carried], strict=True))
            self.region(test, env, (*turns, turn))
            if not env[test.yields[0]]:
                return [*carried, turn]
            env.update(zip(body.params, [turn, *carried], strict=True))
            self.region(body, env, (*turns, turn))
            carried = [env[v] for v in body.yields]
        raise AssertionError

    def note(self, instr: Instr, env: dict[Value, Any], turns: tuple[int, ...]) -> None:
        array, index = env[TABLE.array(instr)], [env[v] for v in TABLE.subscripts(instr)]
        address = array.ctypes.data + sum(i * stride for i, stride in zip(index, array.strides, strict=True))
        self.touched.append((instr, address, turns))


def single(instr: Instr, given: list[Any]) -> tuple[Any, ...]:
    """What one instruction without regions gives, by the interpreter."""
    params = tuple(Value(v.type) for v in instr.operands)
    results = tuple(Value(v.type) for v in instr.results)
    alone = Instr(instr.op, params, results, instr.attrs)
    return tuple(interpret(Function("one", Region(params, (alone,), results)), TABLE, given))


SHAPES = ((12,), (12,), (5, 6))


def trace(seed: int, shared: bool) -> Traced:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in SHAPES]
    if shared:
        arrays[1] = arrays[0]
    return Traced(simplify(random_program(seed), TABLE), [*arrays, float(rng.normal()), 4])


@pytest.mark.parametrize("shared", [False, True])
def test_every_overwrite_that_happens_is_reported(shared: bool) -> None:
    """Each time a store hits what a load (or store) touched before, the level at which it does is among those found."""
    hits = 0
    for seed in range(60):
        traced = trace(seed, shared)
        dependence = dependence_of(traced.function, TABLE, AliasClasses(((0, 1),) if shared else ()))
        earlier: dict[int, list[Touch]] = {}
        for instr, place, turns in traced.touched:
            for before, _, then in earlier.get(place, ()) if instr.op != "load" else ():
                hits += 1
                assert is_reported(dependence, before, then, instr, turns), (seed, before, instr)
            earlier.setdefault(place, []).append((instr, place, turns))
    assert hits > 1000


def is_reported(
    dependence: Dependence, load: Instr, before: tuple[int, ...], store: Instr, after: tuple[int, ...]
) -> bool:
    """Whether the level of this overwrite was found. Memory of arrays that live in a turn is used again in others."""
    root = dependence.access(load).root
    scope = dependence.structure.depth(dependence.structure.home[root])
    if dependence.access(store).root is not root and scope:
        return True
    common = len(dependence.common_loops(load, store))
    level = next((k + 1 for k in range(common) if before[k] != after[k]), 0)
    return 0 < level <= scope or level in dependence.levels(load, store)


def test_examples_only_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying pairs on examples first saves work and changes no answer."""
    answers = []
    for sizes in (MODEL.sample_sizes, ()):
        monkeypatch.setattr(conflicts, "MODEL", replace(MODEL, sample_sizes=sizes))
        answers.append([all_levels(simplify(random_program(seed), TABLE)) for seed in range(50)])
    assert answers[0] == answers[1]


def all_levels(function: Function) -> list[tuple[int, ...]]:
    dependence = dependence_of(function, TABLE)
    accesses = [i for i in walk(function.region) if i.op in TABLE.elements]
    return [dependence.levels(a, b) for a in accesses for b in accesses if b.op != "load"]
