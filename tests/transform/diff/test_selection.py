"""Running maxima and other selections: nothing changes but what the reverse sweep needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adcore as ad
from adcore.analysis.activity import activity_of
from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.ir import BOOL, F64, I64, ArrayType, Builder, Function, Value, interpret, verify
from adcore.ir.core import walk
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff import selection
from adcore.transform.diff.reverse import emit_reverse
from adcore.transform.diff.selection import lower_attach, track_selections
from adcore.transform.optimize.improve import improve
from tests.transform.derivative_texts import kinds_of
from tests.transform.random_programs import Generator
from tests.transform.test_random_programs import KINDS, Problem, close
from tests.transform.texts import check_docstring, check_unchanged


class Selections(Generator):
    """Random programs whose loops choose what they carry, from anything that their bodies have."""

    def for_loop(self, scalars: list[Value], arrays: list[tuple[Value, int]], depth: int) -> None:
        b, r = self.b, self.random
        lo, hi, step, top = r.choice([(0, 4, 1, 3), (3, -1, -1, 3), (0, 5, 2, 4), (2, 2, 1, 3)])
        inits = [self.pick(scalars) for _ in range(r.choice([1, 2, 2, 3]))]
        counter = Value(I64, self.name())
        params = [Value(F64, self.name()) for _ in inits]
        with b.region([counter, *params]) as opened:
            inner = list(scalars)
            self.loops.append((counter, top))
            self.turn(inner, arrays, params, depth)
            joint = self.random.random() < 0.3
            separate = (self.chosen(inner, arrays, p, params, 2) for p in params)
            opened.yields = self.together(inner, arrays, params) if joint else tuple(separate)
            self.loops.pop()
        attrs, bounds = {"step": step}, (b.const(lo), b.const(hi))
        scalars += b.emit_many("for", (*bounds, *inits), attrs, (opened.region,), [F64] * len(inits))

    def while_loop(self, scalars: list[Value], arrays: list[tuple[Value, int]], depth: int) -> None:
        b, r = self.b, self.random
        inits = [self.pick(scalars) for _ in range(r.choice([1, 2]))]
        first, second = ([Value(I64, "k"), *(Value(F64, self.name()) for _ in inits)] for _ in range(2))
        with b.region(first) as condition:
            goes = b.emit("lt", first[1], b.const(r.choice([0.3, 2.0])))
            condition.yields = (b.emit("and", b.emit("lt", first[0], b.const(3)), goes),)
        with b.region(second) as body:
            inner = list(scalars)
            self.loops.append((second[0], 2))
            self.turn(inner, arrays, second[1:], depth)
            body.yields = tuple(self.chosen(inner, arrays, p, second[1:], 2) for p in second[1:])
            self.loops.pop()
        results = b.emit_many("while", inits, {}, (condition.region, body.region), [*[F64] * len(inits), I64])
        scalars += results[:-1]

    def turn(self, inner: list[Value], arrays: list[tuple[Value, int]], params: list[Value], depth: int) -> None:
        """What a turn does; now and then it uses what is carried for more than choices."""
        self.load(inner, arrays)
        self.block(inner + params if self.random.random() < 0.2 else inner, list(arrays), depth + 1)

    def together(self, inner: list[Value], arrays: list[tuple[Value, int]], params: list[Value]) -> tuple[Value, ...]:
        """One decision for all that is carried, as for a maximum and what stands beside it."""
        b = self.b
        decides = b.emit("lt", self.random.choice(params), self.pick(inner))
        with b.region() as taken:
            found: list[Value] = []
            for _ in params:
                self.load(found, arrays)
            taken.yields = tuple(found)
        with b.region() as left:
            left.yields = tuple(params)
        return b.emit_many("if", (decides,), {}, (taken.region, left.region), [F64] * len(params))

    def chosen(
        self, inner: list[Value], arrays: list[tuple[Value, int]], own: Value, params: list[Value], depth: int
    ) -> Value:
        b, r = self.b, self.random
        draw = r.random()
        if depth == 0 or draw < 0.2:
            return own if r.random() < 0.5 else self.pick(inner) if r.random() < 0.7 else r.choice(params)
        x, y = (self.chosen(inner, arrays, own, params, depth - 1) for _ in range(2))
        if draw < 0.4:
            return b.emit(r.choice(["minimum", "maximum"]), x, y)
        decides = b.emit(r.choice(["lt", "ge"]), self.pick(inner), r.choice([own, self.pick(inner), b.const(0.0)]))
        if draw < 0.7:
            return b.emit("select", decides, x, y)
        values = []
        for value in (x, y):
            with b.region() as opened:
                found = [value]
                if r.random() < 0.4:
                    self.load(found, arrays)
                opened.yields = (found[-1],)
            values.append(opened.region)
        assert decides.type == BOOL
        return b.emit_many("if", (decides,), {}, values, [F64])[0]


class Selecting(Problem):
    """A random program that selects, over arguments in which ties and both zeros are usual."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.program = verify(Selections(seed).program(), TABLE)
        for array in self.arguments[:3]:
            array[...] = np.round(array * 2) / 2 * np.where(np.arange(array.size).reshape(array.shape) % 3, 1, -1)


def tracked(program: Function) -> Function:
    return verify(track_selections(program, KINDS, [True], TABLE), TABLE)


def bits(results: tuple[Any, ...], arrays: list[np.ndarray]) -> list[bytes]:
    return [np.float64(r).tobytes() for r in results] + [a.tobytes() for a in arrays]


@given(st.integers(0, 10**9), st.sampled_from([0.0, 0.1]))
@settings(max_examples=80, deadline=None)
def test_every_bit_stays(seed: int, missing: float) -> None:
    problem = Selecting(seed)
    rng = np.random.default_rng(seed)
    for array in problem.arguments[:3]:
        array[rng.random(array.shape) < missing] = math.nan
    program = simplify(problem.program, TABLE)
    expected = bits(*problem.run(program))
    assert bits(*problem.run(tracked(program))) == expected
    assert bits(*problem.run(verify(simplify(lower_attach(tracked(program), TABLE), TABLE), TABLE))) == expected


@given(st.integers(0, 10**9), st.sampled_from([1.0, 20.0]))
@settings(max_examples=100, deadline=None)
def test_reverse_agrees_with_forward(seed: int, price: float) -> None:
    """Forward mode runs the program as it is: both take the same element where several are largest."""
    problem = Selecting(seed)
    program = simplify(tracked(simplify(problem.program, TABLE)), TABLE)
    planner = analyse(program, KINDS, [True], AliasClasses(), TABLE)
    gradient = verify(emit_reverse(planner, planner.plan(price), KINDS, [True], TABLE).function, TABLE)
    expected = problem.tangent()
    assert close(problem.adjoint(gradient), expected)
    assert close(problem.adjoint(verify(improve(lower_attach(gradient, TABLE), TABLE), TABLE)), expected)


@given(st.integers(0, 10**9))
@settings(max_examples=40, deadline=None)
def test_the_tracked_program_has_the_same_tangent(seed: int) -> None:
    """As forward over reverse needs it."""
    problem = Selecting(seed)
    expected = problem.tangent()
    problem.program = simplify(tracked(simplify(problem.program, TABLE)), TABLE)
    assert close(problem.tangent(), expected)


def test_the_sample_has_selections_of_every_form() -> None:
    """Loops of both kinds are tracked, some save integers, some members share a record, some pass to each other."""
    seen = set()
    for seed in range(150):
        program = simplify(Selections(seed).program(), TABLE)
        after = tracked(program)
        if after is program:
            seen.add("none")
            continue
        for loop in walk(after.region):
            if loop.op in ("for", "while"):
                records = [v for v in loop.results if v.hint.startswith("turn of")]
                taken = [i for i in walk(after.region) if i.op == "attach" and i.operands[0] in loop.results]
                seen |= {loop.op} if records else set()
                seen |= {"shared"} if 0 < len(records) < len(taken) else set()
                seen |= {"several"} if len(records) > 1 else set()
    assert seen == {"none", "for", "while", "shared", "several"}


def remaining(program: Function, kinds: tuple[str, ...]) -> int:
    """Loops that still carry something active after tracking."""
    after = track_selections(program, kinds, [True], TABLE)
    active = activity_of(after, TABLE, AliasClasses(), tuple(kinds), (True,))
    loops = [i for i in walk(after.region) if i.op in ("for", "while")]
    return sum(any(p in active.values for p in loop.regions[-1].params) for loop in loops)


def maximum_of(read: Callable[[Builder, Value, Value], Value], write: bool = False) -> Function:
    """The running maximum of what `read` makes of an array and the counter; `write`: the loop overwrites the array."""
    b = Builder(TABLE)
    x, i, m = Value(ArrayType(F64, 1, "C"), "x"), Value(I64, "i"), Value(F64, "m")
    with b.region((i, m)) as body:
        value = read(b, x, i)
        body.yields = (b.emit("maximum", m, value),)
        if write:
            b.emit_many("store", (value, x, b.const(0)), {})
    bounds = (b.const(0), b.emit("dim", x, axis=0), b.const(-1.0))
    (result,) = b.emit_many("for", bounds, {"step": 1}, (body.region,), (F64,))
    return verify(Function("maximum", b.finish((x,), (result,))), TABLE)


def element(b: Builder, x: Value, i: Value) -> Value:
    return b.emit("load", x, i)


def test_memory_that_the_loop_overwrites_is_not_read_again() -> None:
    assert remaining(maximum_of(element), ("duplicated",)) == 0
    assert remaining(maximum_of(element, write=True), ("duplicated",)) == 1


def test_no_turn_at_all_leaves_the_initial_value() -> None:
    program = track_selections(maximum_of(element), ("duplicated",), [True], TABLE)
    assert interpret(program, TABLE, [np.zeros(0)]) == (-1.0,)


def test_counters_below_zero() -> None:
    """Choice and turn share one integer, whatever the sign of the turn."""
    b = Builder(TABLE)
    x, i, m = Value(ArrayType(F64, 1, "C"), "x"), Value(I64, "i"), Value(F64, "m")
    with b.region((i, m)) as body:
        body.yields = (b.emit("maximum", m, b.emit("load", x, b.emit("add", i, b.const(3)))),)
    bounds = (b.const(-3), b.const(2), b.const(-1e9))
    (result,) = b.emit_many("for", bounds, {"step": 1}, (body.region,), (F64,))
    program = track_selections(Function("f", b.finish((x,), (result,))), ("duplicated",), [True], TABLE)
    planner = analyse(program, ("duplicated",), [True], AliasClasses(), TABLE)
    gradient = emit_reverse(planner, planner.plan(), ("duplicated",), [True], TABLE).function
    for largest in range(5):
        x_given, shadow = np.eye(5)[largest], np.zeros(5)
        interpret(verify(gradient, TABLE), TABLE, [x_given, shadow, 1.0])
        np.testing.assert_array_equal(shadow, x_given)


# In Python, to the end


def logsumexp(x):
    largest = x[0]
    for i in range(1, len(x)):
        if x[i] > largest:
            largest = x[i]
    total = 0.0
    for v in x:
        total += math.exp(v - largest)
    return largest + math.log(total)


def logsumexp_by_numpy(x):
    largest = np.max(x)
    total = 0.0
    for v in x:
        total += math.exp(v - largest)
    return largest + math.log(total)


def rows(a):
    """Log of the sums of exponentials of each row: an inner selection for each turn of the outer loop."""
    result = 0.0
    for i in range(a.shape[0]):
        largest = a[i, 0]
        for j in range(1, a.shape[1]):
            largest = max(largest, a[i, j])
        total = 0.0
        for j in range(a.shape[1]):
            total += math.exp(a[i, j] - largest)
        result += largest + math.log(total)
    return result


def softmax(a, out):
    for i in range(a.shape[0]):
        largest = a[i, 0]
        for j in range(1, a.shape[1]):
            largest = max(largest, a[i, j])
        total = 0.0
        for j in range(a.shape[1]):
            total += math.exp(a[i, j] - largest)
        for j in range(a.shape[1]):
            out[i, j] = math.exp(a[i, j] - largest) / total
    return out[0, 0] - out[1, 1] * out[0, 2]


def nearest(x, y):
    """The value at the place nearest to 0.3, and the distance: two values chosen together."""
    best = abs(x[0] - 0.3)
    value = y[0]
    for i in range(1, len(x)):
        distance = abs(x[i] - 0.3)
        if distance < best:
            best = distance
            value = y[i] * y[i]
    return value * best


def two_largest(x):
    """One carried value passes to the other."""
    first = second = -1e300
    for v in x:
        if v > first:
            second = first
            first = v
        elif v > second:
            second = v
    return first * second


def of_a_matrix(a):
    """Two counters are to be remembered, one of them by the outer loop."""
    least = a[0, 0]
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            least = min(least, a[i, j])
    return least * least


def longest_row(a):
    """What is chosen takes a loop of its own."""
    longest = 0.0
    for i in range(a.shape[0]):
        length = 0.0
        for j in range(a.shape[1]):
            length += a[i, j] * a[i, j]
        longest = max(longest, math.sqrt(length))
    return longest


def wandering(x):
    """The place follows from its own past: it is remembered instead of the turn."""
    place = 0
    largest = -1e300
    for i in range(2 * len(x)):
        place = (5 * place + i) % len(x)
        if x[place] > largest:
            largest = x[place]
    return largest**3


def first_above(x):
    for v in x:
        if v > 0.3:
            return v * v
    return 0.0


def until_large(x):
    i = 0
    largest = x[0]
    while i < len(x) and largest < 0.9:
        largest = max(largest, x[i])
        i += 1
    return largest * largest


VECTOR = np.array([0.1, -0.4, 0.75, 0.2, 0.6, -0.9, 0.4])
MATRIX = np.array([[0.1, -0.4, 0.75], [0.25, 0.6, -0.9]])
PROGRAMS = [
    (logsumexp, (VECTOR,)), (logsumexp_by_numpy, (VECTOR,)), (rows, (MATRIX,)), (softmax, (MATRIX, np.zeros((2, 3)))),
    (nearest, (VECTOR, VECTOR[::-1].copy())), (two_largest, (VECTOR,)), (of_a_matrix, (MATRIX,)),
    (longest_row, (MATRIX,)), (wandering, (VECTOR,)), (first_above, (VECTOR,)), (until_large, (VECTOR,)),
]  # fmt: skip


@pytest.mark.parametrize(("program", "arguments"), PROGRAMS, ids=lambda p: getattr(p, "__name__", ""))
def test_nothing_is_kept(program: Any, arguments: tuple[np.ndarray, ...]) -> None:
    found = []
    for workspace in (0, "auto"):
        given = [ad.Duplicated(a.copy(), np.zeros_like(a)) for a in arguments]
        gradient = ad.compile(program, *given, workspace=workspace)
        gradient(*given)
        found.append([g.shadow for g in given])
        if workspace == 0:
            assert gradient.workspace_bytes == gradient.high_water == 0
    for k, argument in enumerate(arguments):
        for place in np.ndindex(argument.shape):
            tangents = [np.zeros_like(a) for a in arguments]
            tangents[k][place] = 1.0
            copies = tuple(a.copy() for a in arguments)
            _, moved = ad.jvp(program, copies, tuple(tangents))
            assert found[0][k][place] == pytest.approx(moved, rel=1e-12, abs=1e-14)
            assert found[1][k][place] == pytest.approx(moved, rel=1e-12, abs=1e-14)


def test_the_exponentials_are_all_that_logsumexp_keeps() -> None:
    gradient = ad.compile(logsumexp, ad.Duplicated(VECTOR.copy(), np.zeros_like(VECTOR)))
    assert gradient.workspace_formula == "8*len(x)"


def test_ties_go_where_forward_mode_goes() -> None:
    x = np.array([1.0, 3.0, 3.0, 2.0])
    for program in (two_largest, logsumexp, logsumexp_by_numpy):
        slopes = [ad.jvp(program, (x,), (row,))[1] for row in np.eye(4)]
        np.testing.assert_allclose(ad.grad(program)(x), slopes)


def test_second_derivatives() -> None:
    exponentials = np.exp(VECTOR - VECTOR.max())
    p = exponentials / exponentials.sum()
    np.testing.assert_allclose(ad.hessian(logsumexp)(VECTOR), np.diag(p) - np.outer(p, p), atol=1e-12)


def remembering(function: Function) -> Function:
    return simplify(track_selections(function, kinds_of(function), [True], TABLE), TABLE)


def test_a_running_maximum_by_its_text() -> None:
    check_docstring(selection, remembering)


def test_a_recurrence_is_no_selection() -> None:
    check_unchanged(
        remembering,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> (f64) {
          %p: f64 = for 0, %n, 1.0 [step=1] {
          (%i: i64, %u: f64):
            %v: f64 = load %x, %i
            %w: f64 = mul %u, %v
            yield %w
          }
          return %p
        }
        """,
    )
