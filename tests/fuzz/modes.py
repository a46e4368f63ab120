"""The other modes: split sweeps, several tangents, second derivatives, and the functional interface."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

import adcore as ad
from pytest_adalloc.checks.differences.extrapolation import SMOOTH, Precision, measured_noise, slopes
from tests.fuzz.cases import RAISED, Case, Outcome, Point, alike, numbers_of
from tests.fuzz.checks import Report, expect
from tests.fuzz.derivatives import derivatives_of, gradient_numbers
from tests.fuzz.rounding import Rounding

LANES = 3


def flat(value: Any) -> Any:
    return np.array(numbers_of(value), dtype=float)


def split(case: Case, rounding: Rounding, report: Report) -> None:
    """Two calls give what one gives, with another forward call in between, and the caller's memory overwritten."""
    weights = case.random()

    def gradient(run: Any, at: Point | None = None) -> Any:
        own, shadow = (at or case.point).copy(), weights.copy()
        annotated = case.annotated(own, shadow, False)
        derivatives = run(annotated, own)
        return Point(shadow.buffers, gradient_numbers(annotated, derivatives)).flat()

    def whole(annotated: list[Any], _: Point) -> Any:
        return ad.autodiff(ad.Reverse, case.function, *annotated)

    def halves(annotated: list[Any], own: Point) -> Any:
        g = ad.compile(case.function, *annotated, mode=ad.ReverseSplit, pending=2)
        step = g.forward(*annotated)
        other = case.random()
        with contextlib.suppress(*RAISED):
            g.forward(*case.annotated(other, other.copy(), False))  # perhaps outside the domain
        for buffer in own.buffers:
            buffer.fill(np.nan if buffer.dtype.kind == "f" else 0)
        return g.reverse(step)

    try:
        apart = gradient(halves)
    except ad.ArgumentError as error:
        if "can't be split" in str(error) or "list of arrays" in str(error):
            report.features.add("not split")
            return
        raise
    together = gradient(whole)
    compare("split", apart, together, rounding, lambda at: gradient(whole, at))
    report.checks.append("split = whole")


def batched(case: Case, rounding: Rounding, report: Report) -> None:
    """Several tangents in one sweep are those of as many sweeps."""
    tangents = [case.random() for _ in range(LANES)]

    def single(at: Point | None = None) -> Any:
        found = []
        for tangent in tangents:
            own = tangent.copy()
            moved = ad.autodiff(ad.Forward, case.function, *case.annotated((at or case.point).copy(), own, True))
            found += [flat(moved), Point(own.buffers, []).flat()]
        return np.concatenate(found)

    lanes = [t.copy() for t in tangents]
    shadows = [[getattr(a, "shadow", None) for a in case.annotated(lane.copy(), lane, True)] for lane in lanes]
    arguments = case.annotated(case.point.copy(), case.point.copy(), True)
    annotated = [ad.BatchDuplicated(a.value, column) if isinstance(a, ad.Duplicated) else a
                 for a, column in zip(arguments, zip(*shadows, strict=True), strict=True)]  # fmt: skip
    if not any(isinstance(a, ad.BatchDuplicated) for a in annotated):
        return
    moved = ad.autodiff(ad.Forward, case.function, *annotated)
    together = np.concatenate([x for m, own in zip(moved, lanes, strict=True)
                               for x in (flat(m), Point(own.buffers, []).flat())])  # fmt: skip
    compare("batch", together, single(), rounding, single)
    report.checks.append("batch = single")


def compare(kind: str, got: Any, expected: Any, rounding: Rounding, again: Any) -> None:
    """Equal up to rounding relative to the largest number; where that is not so, as far as rounded inputs explain."""
    scale = float(np.max(np.abs(expected), initial=0.0))
    close = not np.isfinite(scale) or rounding.close(got, expected, scale, lambda: rounding.spread_of(again))
    k = int(np.argmax(np.nan_to_num(np.abs(got - expected), nan=np.inf)))
    expect(close, kind, f"{got[k]!r} and {expected[k]!r}")


def curvature(case: Case, rounding: Rounding, report: Report) -> None:
    """Hessian-vector products: symmetric, and what differences of gradients give."""
    program = case.program
    arguments = case.arguments(case.point)
    wrt = tuple(k for k, a in enumerate(arguments) if tangent_like(a, a) is not None)
    if program.result != "float" or program.aliased or not wrt or rounding.single:
        return
    if seeds_like(case.python().value) is None:
        return  # an element of an integer array is a number to the generator, and has no derivative
    u, v = case.random(), case.random()

    def part(point: Point) -> tuple[Any, ...]:
        made = case.arguments(point)
        return tuple(made[k] for k in wrt)

    product = ad.hvp(case.function, wrt=wrt)
    along_v = inner(part(u), product(*arguments, vector=part(v)))
    along_u = inner(part(v), product(*arguments, vector=part(u)))
    if not np.isfinite([along_u, along_v]).all():
        return
    size = inner_abs(part(u), product(*arguments, vector=part(v)))

    def both(at: Point) -> Any:
        args = case.arguments(at)
        return np.array([inner(part(u), product(*args, vector=part(v)))])

    close = rounding.close(np.array([along_u]), np.array([along_v]), size, lambda: rounding.spread_of(both))
    expect(close, "Hessian symmetric", f"{along_u!r} and {along_v!r} of {size!r}")
    report.checks.append("Hessian symmetric")
    gradient = ad.grad(case.function, wrt=wrt)

    def slope(step: float) -> float:
        try:
            return inner(part(u), gradient(*case.arguments(case.point.moved(v, step))))
        except RAISED:
            return float("nan")

    base, precision = slope(0.0), Precision.of(np.dtype(np.float64))
    noise = measured_noise(slope, precision, base)
    found = slopes(lambda _, step: slope(step), np.array([1.0]), base, noise, precision)
    error = float(found.error[0])
    if found.kind[0] != SMOOTH or not error <= 1e-4 * max(1.0, abs(along_v)):
        return
    allowed = 8.0 * error + 1e-11 * max(1.0, abs(along_v), size)
    expect(abs(float(found.value[0]) - along_v) <= allowed, "hvp", f"{found.value[0]!r} +- {error!r} and {along_v!r}")
    report.checks.append("hvp = differences of gradients")
    report.features |= {"curved"} if along_v else set()


def functional(case: Case, expected: Outcome, rounding: Rounding, report: Report) -> None:
    """`vjp` and `jvp` agree with each other and leave the arguments alone."""
    own = case.point.copy()
    arguments = case.arguments(own)
    direction = case.random()
    value, pullback = ad.vjp(case.function, *arguments)
    untouched(own, case, "vjp")
    expect(alike(value, expected.value), "vjp value", f"{value!r} not {expected.value!r}")
    left, right = flat(value), flat(expected.value)
    close = rounding.close(left, right, spread=lambda: rounding.spread[: len(right)])
    expect(close, "vjp value", f"{left!r} not {right!r}")
    if expected.value is None:
        return
    seeds = seeds_like(value)
    back = pullback(seeds)
    tangents = tuple(tangent_like(a, d) for a, d in zip(arguments, case.arguments(direction), strict=True))
    if case.program.aliased:
        return  # every argument has a tangent of its own, which is not what shared memory means
    _, moved = ad.jvp(case.function, arguments, tangents)
    untouched(own, case, "jvp")
    left_sum, right_sum = inner(seeds, moved), sum(inner(b, t) for b, t in zip(back, tangents, strict=True))
    scale = max(inner_abs(seeds, moved), sum(inner_abs(b, t) for b, t in zip(back, tangents, strict=True)))
    if not np.isfinite(scale):
        return
    report.checks.append("vjp = jvp")

    def again(at: Point) -> Any:
        return np.array([inner(seeds, ad.jvp(case.function, case.arguments(at), tangents)[1])])

    both = np.array([left_sum]), np.array([right_sum])
    close = rounding.close(*both, scale, lambda: rounding.spread_of(again))
    expect(close, "vjp and jvp", f"{right_sum!r} and {left_sum!r}")


def untouched(own: Point, case: Case, kind: str) -> None:
    kept = all(np.array_equal(a, b, equal_nan=b.dtype.kind == "f")
               for a, b in zip(own.buffers, case.point.buffers, strict=True))  # fmt: skip
    expect(kept, f"{kind} keeps its arguments", "they were changed")


def tangent_like(argument: Any, direction: Any) -> Any:
    """The direction, None for what has no derivative."""
    discrete = isinstance(argument, (bool, int)) or getattr(argument, "dtype", np.dtype(float)).kind != "f"
    return None if discrete else direction


def seeds_like(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(seeds_like(v) for v in value)
    if isinstance(value, (bool, int, np.integer)):
        return None
    return np.ones_like(value) if isinstance(value, np.ndarray) else 1.0


def inner(a: Any, b: Any) -> float:
    """The inner product of two structures."""
    return float(sum(products(a, b)))


def inner_abs(a: Any, b: Any) -> float:
    return float(sum(map(abs, products(a, b))))


def products(a: Any, b: Any) -> list[float]:
    """The summands of the inner product."""
    if a is None or b is None:
        return []
    if isinstance(a, (list, tuple)):
        return [p for x, y in zip(a, b, strict=True) for p in products(x, y)]
    if hasattr(a, "weight"):
        return products((a.place, a.speed, a.weight), (b.place, b.speed, b.weight))
    both = np.asarray(a, dtype=float) * np.asarray(b, dtype=float)
    return [float(x) for x in np.ravel(both)]


__all__ = ["batched", "curvature", "derivatives_of", "functional", "split"]
