"""Arguments by name, defaults, records and partials in a check: the row, the calls made of it, and right values."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import pytest_adalloc
from pytest_adalloc import CheckFailed, check, check_gradient, check_jvp, check_vjp
from pytest_adalloc.checks.inputs.flat import in_a_row
from pytest_adalloc.integration.fixture import Adalloc

X = np.array([0.5, -1.5, 2.0])


def several(a: Any, /, b: Any = 1.0, *rest: Any, c: Any = 2.0, **more: Any) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "names", "keywords", "given"),
    [
        ((1.0,), {}, ("a", "b", "c"), ("c",), (0,)),
        ((1.0,), {"c": 3.0}, ("a", "b", "c"), ("c",), (0, 2)),
        ((1.0,), {"b": 3.0}, ("a", "b", "c"), ("c",), (0, 1)),
        ((1.0, 2.0, 3.0), {"k": 4.0}, ("a", "b", "rest[0]", "c", "k"), ("c", "k"), (0, 1, 2, 4)),
    ],
)
def test_the_row_and_the_calls_made_of_it(
    args: tuple[Any, ...], kwargs: dict[str, Any], names: tuple[str, ...], keywords: tuple[str, ...], given: Any
) -> None:
    function, row, wrt = in_a_row(several, args, kwargs, None)
    assert (function.names, function.keywords, function.given) == (names, keywords, given)
    assert function.as_given(row) == (args, kwargs)
    by_position, by_name = function.call(row)
    assert dict(zip(names, (*by_position, *by_name.values()), strict=True)) == dict(zip(names, row, strict=True))
    assert wrt is None if len(given) == len(names) else wrt == given, "of defaults nothing is differentiated"


def test_a_signature_that_cannot_be_read() -> None:
    function, row, _ = in_a_row(max, (1.0, 2.0), {"key": abs}, None)
    assert function.names == ("arg0", "arg1", "key")
    assert function(*row) == 2.0


def test_places_from_the_end_count_what_was_given() -> None:
    assert in_a_row(several, (1.0, 5.0), {}, -1)[2] == 1
    assert in_a_row(several, (1.0,), {"c": 3.0}, (-1, 0))[2] == (2, 0)


def test_a_default_that_is_asked_for_is_given() -> None:
    function, row, _ = in_a_row(several, (1.0,), {}, "b")
    assert function.as_given(row) == ((1.0,), {"b": 1.0})


def drag(v: Any, rho: float = 1.2, *, area: float = 0.5, exponent: int = 2) -> Any:
    return 0.5 * rho * area * np.sum(np.abs(v) ** exponent)


def polynomial(x: float, **coefficients: float) -> float:
    return coefficients["a"] * x * x + coefficients["b"] * x


GIVEN: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], list[Any]]] = [
    (drag, (X,), {}, [1.2 * 0.5 * X]),
    (drag, (X,), {"rho": 2.0}, [X * 0.5 * 2.0, 0.25 * np.sum(X * X)]),
    (drag, (X,), {"area": 3.0}, [1.2 * 3.0 * X, 0.6 * np.sum(X * X)]),
    (drag, (X,), {"exponent": 3, "area": 3.0}, [1.8 * 3 * X * np.abs(X), 0.6 * np.sum(np.abs(X) ** 3)]),
    (drag, (), {"v": X}, [1.2 * 0.5 * X]),
    (polynomial, (3.0,), {"b": 5.0, "a": 2.0}, [17.0, 3.0, 9.0]),
    (functools.partial(drag, area=2.0), (X,), {"rho": 1.0}, [2.0 * X, np.sum(X * X)]),
]


@pytest.mark.parametrize(("f", "args", "kwargs", "expected"), GIVEN)
def test_arguments_by_name_have_the_right_derivatives(f: Any, args: Any, kwargs: Any, expected: list[Any]) -> None:
    report = check(f, *args, mode="both", **kwargs)
    assert set(report.allocs_per_call) == {0}
    for got, right in zip(report.gradients, expected, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-13)
    # What is left to defaults does not make the check weaker; a partial has no source of its own.
    assert report.differences.startswith("exact slopes") or isinstance(f, partial)


@pytest.mark.slow
def test_second_derivatives_and_products_by_name() -> None:
    check(drag, X + 2.0, area=3.0, order=2)
    check_vjp(drag, X, rho=3.0, area=2.0)
    check_jvp(drag, X, rho=3.0)
    check_jvp(drag, X, area=2.0, wrt="v")
    with pytest.raises(TypeError, match="the compiler's jvp can't move 'area', which can be given by name alone"):
        check_jvp(drag, X, area=2.0)


def test_products_of_others_take_what_was_given() -> None:
    seen = []

    def pushed(primals: Any, tangents: Any) -> Any:
        seen.append(len(primals))
        v, area = primals
        return drag(v, area=area), 1.2 * area * (v @ tangents[0]) + 0.6 * np.sum(v * v) * tangents[1]

    def pulled(primals: Any, cotangent: Any) -> Any:
        v, area = primals
        return 1.2 * area * v * cotangent, 0.6 * np.sum(v * v) * cotangent

    check_jvp(drag, X, area=2.0, jvp=pushed)
    check_vjp(drag, X, area=2.0, vjp=pulled)
    assert set(seen) == {2}
    with pytest.raises(CheckFailed, match="gradient wrong"):
        check_vjp(drag, X, area=2.0, vjp=lambda primals, c: (pulled(primals, c)[0] * 1.01, pulled(primals, c)[1]))


def test_a_gradient_of_others_is_called_as_the_function_is() -> None:
    calls = []

    def gradient(v: Any, *, area: float = 0.5) -> Any:
        calls.append(area)
        return 1.2 * area * v, 0.6 * np.sum(v * v)

    report = check(drag, X, area=4.0, grad=gradient, max_numpy=20)
    assert set(calls) == {4.0}
    assert report.gradients[1] == pytest.approx(0.6 * np.sum(X * X))

    def of_one(v: Any) -> Any:
        return 1.2 * 0.5 * v

    check(drag, X, grad=of_one, max_numpy=20)  # defaults are not passed on
    with pytest.raises(CheckFailed, match="gradient wrong"):
        check(drag, X, area=4.0, wrt="v", grad=lambda v, area: v * area)


def test_the_fixture_takes_names_too(adalloc: Adalloc) -> None:
    assert adalloc.check(drag, X, area=3.0).gradients[1] == pytest.approx(0.6 * np.sum(X * X))
    assert adalloc.check_gradient(drag, X, rho=2.0).gradients[1] == pytest.approx(0.25 * np.sum(X * X))
    adalloc.check_vjp(drag, X, rho=2.0)


@pytest.mark.no_alloc_grad(drag, X, area=3.0, wrt=("v", "area"))
def test_the_mark_takes_what_only_a_name_reaches(adalloc: Adalloc) -> None:
    (report,) = adalloc.reports
    assert report.gradients[1] == pytest.approx(0.6 * np.sum(X * X))


@pytest.mark.no_alloc_grad(v=X, area=3.0)
def test_a_body_with_parameters_by_name_alone(v: Any, *, area: float) -> Any:
    return area * np.sum(v * v)


def with_order(x: float, order: float) -> float:
    return x**order


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check(drag, X, max_alocs=0), r"'max_alocs' is no argument of drag\(v.*did you mean 'max_allocs'\?"),
        (lambda: check(drag, X, aria=2.0), r"'aria' is no argument of drag\(.*did you mean 'area'\?"),
        (lambda: check(drag, X, zzz=2.0), "'zzz' is no argument of drag.*the options are wrt, mode, "),
        (lambda: check(drag, X, v=X), "drag.*multiple values for argument 'v'"),
        (lambda: check(drag, area=2.0), "drag.*missing a required argument: 'v'"),
        (lambda: check(with_order, 2.0, order=1), "'order' is an option here: give that argument by position"),
        (lambda: check_gradient(drag, X, mod="both"), "did you mean 'mode'"),
        (lambda: check_vjp(drag, X, raol=1.0), "no argument of drag"),
        (lambda: pytest_adalloc.check_rule(drag, 1.0, rtool=1.0), "'rtool': this is no option; did you mean 'rtol'"),
    ],
)
def test_names_that_mean_nothing(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_an_option_goes_before_an_argument_of_its_name() -> None:
    report = check(with_order, 2.0, 3.0, order=1)
    assert report.gradients == (pytest.approx(12.0), pytest.approx(8.0 * math.log(2.0)))


def test_sizes_and_points_keep_what_is_given_by_name() -> None:
    report = check(drag, X, area=3.0, sizes=(2, 9), points=2)
    assert any("sizes as given, 2, 9" in note for note in report.notes), report.notes
    check(drag, X, area=3.0, points=[(X + 1.0, 4.0), (X - 1.0,)])
    with pytest.raises(TypeError, match="points: an input has 9 arguments"):
        check(drag, X, area=3.0, points=[(1.0,) * 9])


class Pair(NamedTuple):
    left: float
    right: float


@dataclass(frozen=True)
class Market:
    spot: float
    rate: float
    name: str = "here"

    @cached_property
    def discount(self) -> float:
        return math.exp(-self.rate)


@dataclass
class Spring:
    stiffness: float
    rest: float


def of_pair(pair: Pair, k: float) -> float:
    return k * pair.left * pair.right


def of_market(market: Market) -> float:
    return market.spot * market.spot * math.exp(-market.rate)


def of_cached(market: Market) -> float:
    return market.spot * market.discount


def of_spring(spring: Spring, x: float) -> float:
    return 0.5 * spring.stiffness * (x - spring.rest) ** 2


def test_immutable_records_are_differentiated() -> None:
    report = check(of_pair, Pair(2.0, 3.0), 4.0, mode="both")
    assert report.gradients == (Pair(pytest.approx(12.0), pytest.approx(8.0)), pytest.approx(6.0))
    report = check(of_market, Market(3.0, 0.5), mode="both")
    (slope,) = report.gradients
    assert isinstance(slope, Market)
    assert (slope.spot, slope.rate) == (pytest.approx(6 * math.exp(-0.5)), pytest.approx(-9 * math.exp(-0.5)))
    assert set(report.allocs_per_call) == {0}
    check(of_market, market=Market(3.0, 0.5), order=2)


def test_a_record_that_has_computed_something_before_is_still_moved() -> None:
    market = Market(3.0, 0.5)
    assert market.discount == math.exp(-0.5)
    right = math.exp(-0.5)
    check_gradient(of_cached, market, grad=lambda m: Market(right, -3.0 * right))
    with pytest.raises(CheckFailed, match="gradient wrong"):
        check_gradient(of_cached, market, grad=lambda m: Market(right, -0.1 * right))


def test_mutable_records_are_differentiated() -> None:
    (spring, x) = check(of_spring, Spring(2.0, 0.5), 1.5, mode="both").gradients
    assert (spring.stiffness, spring.rest, x) == (pytest.approx(0.5), pytest.approx(-2.0), pytest.approx(2.0))


def test_a_part_of_a_record_is_named_by_its_path() -> None:
    report = check(of_spring, Spring(2.0, 0.5), 1.5, wrt="spring.rest", mode="both", order=2)
    assert report.gradients == (pytest.approx(-2.0),)
    report = check(of_spring, Spring(2.0, 0.5), 1.5, wrt=("x", "spring.stiffness"))
    assert report.gradients == (pytest.approx(2.0), pytest.approx(0.5))
    with pytest.raises(TypeError, match=r"wrt='spring.rust': spring has no such part"):
        check(of_spring, Spring(2.0, 0.5), 1.5, wrt="spring.rust")


def huber(r: float, delta: float = 1.0) -> float:
    return 0.5 * r * r if abs(r) <= delta else delta * (abs(r) - 0.5 * delta)


def robust(x: Any, loss: Callable[[float], float] = huber) -> float:
    total = 0.0
    for i in range(len(x)):
        total += loss(x[i])
    return total


class Gauge:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def read(self, x: float) -> float:
        return self.factor * x


def by_object(x: Any, scale: Callable[[float], float]) -> float:
    total = 0.0
    for i in range(len(x)):
        total += scale(x[i])
    return total


def test_partials_as_functions_and_as_arguments() -> None:
    right = np.clip(X, -0.4, 0.4)
    for f, kwargs in (
        (partial(robust, loss=partial(huber, delta=0.4)), {}),
        (robust, {"loss": partial(huber, delta=0.4)}),
    ):
        (slope,) = check(f, X, mode="both", **kwargs).gradients
        np.testing.assert_allclose(slope, right, rtol=1e-14)
    (slope,) = check(by_object, X, scale=Gauge(2.0).read).gradients
    np.testing.assert_allclose(slope, [2.0, 2.0, 2.0], rtol=1e-14)
    (slope,) = check(robust, X).gradients
    np.testing.assert_allclose(slope, np.clip(X, -1.0, 1.0), rtol=1e-14)
