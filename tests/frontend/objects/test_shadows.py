"""Shadows of objects: in place, tangents, second order along objects, and objects as vectors."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest

import adcore as ad
from adcore.errors import ArgumentError
from tests.frontend.objects.test_reading import Bar, Material, Rubber, bar


class Limits(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Frozen:
    a: float
    name: str = "f"


@dataclass
class Loose:
    b: float
    values: list = field(default_factory=list)


class Everything:
    __slots__ = ("array", "cycle", "frozen", "limits", "loose", "mapping", "n", "numbers", "same", "text", "x")

    def __init__(self):
        self.x, self.n, self.text = 1.5, 3, "text"
        self.array = np.array([1.0, 2.0])
        self.same = self.array
        self.limits, self.frozen, self.loose = Limits(0.5, 2.0), Frozen(3.0), Loose(4.0, [5.0, 6])
        self.mapping = {"k": 7.0, "f": print, "n": None}
        self.numbers = (8.0, 9, [10.0])
        self.cycle = self


def test_zeros_like_keeps_structure_sharing_and_cycles():
    value = Everything()
    zeros = ad.zeros_like(value)
    assert type(zeros) is Everything
    assert (zeros.x, zeros.n, zeros.text, zeros.cycle) == (0.0, None, None, zeros)
    assert zeros.same is zeros.array
    assert zeros.array.tolist() == [0.0, 0.0]
    assert zeros.limits == Limits(0.0, 0.0)
    assert (zeros.frozen.a, zeros.frozen.name) == (0.0, None)
    assert (zeros.loose.b, zeros.loose.values) == (0.0, [0.0, None])
    assert zeros.mapping == {"k": 0.0, "f": None, "n": None}
    assert zeros.numbers == (0.0, None, [0.0])
    assert ad.zeros_like(2.0) == 0.0
    assert ad.zeros_like(np.ones((2, 3), np.float32)).dtype == np.float32
    assert ad.zeros_like(["a", 1]) == [None, None]


def test_a_chain_of_objects_needs_no_recursion():
    class Node:
        pass

    first = node = Node()
    for k in range(5000):
        node.value, node.next = float(k), Node()
        node = node.next
    node.value, node.next = 1.0, None
    zeros, count = ad.zeros_like(first), 0
    while zeros is not None:
        zeros, count = zeros.next, count + 1
    assert count == 5001


def test_in_place_derivatives_are_added_to_the_shadow():
    model = bar()
    gradient, dx = ad.grad(model.energy, wrt=("self", "x"))(1.7)
    shadow = ad.zeros_like(model)
    shadow.length = 100.0
    found = ad.autodiff(ad.Reverse, Bar.energy, ad.Duplicated(model, shadow), ad.Active(1.7))
    assert found == (pytest.approx(dx),)
    assert shadow.length == pytest.approx(100.0 + gradient.length)
    assert shadow.material.hardening == pytest.approx(gradient.material.hardening)
    assert shadow.parts[1].modulus == pytest.approx(gradient.parts[1].modulus)
    assert np.allclose(shadow.loads, gradient.loads)
    compiled = ad.compile(Bar.energy, ad.Duplicated(model, shadow), ad.Active(1.7), 2.0)
    again = ad.zeros_like(model)
    assert compiled(model, again, 1.7, 2.0) == (pytest.approx(dx),)
    assert again.material.modulus == pytest.approx(gradient.material.modulus)
    model.length = 1.1
    bound = compiled.bind(model, again, 1.7, 2.0)
    before = again.length
    bound()
    assert again.length - before == pytest.approx(ad.grad(model.energy, wrt="self.length")(1.7))
    split = ad.compile(Bar.energy, ad.Duplicated(model, shadow), ad.Active(1.7), 2.0, mode=ad.ReverseSplit)
    fresh = ad.zeros_like(model)
    split.reverse(split.forward(model, fresh, 1.7, 2.0))
    assert fresh.length == pytest.approx(ad.grad(model.energy, wrt="self.length")(1.7))


def test_a_shadow_must_be_built_and_shared_as_the_object_is():
    model = bar()
    for spoil, text in (
        (lambda s: setattr(s, "material", 3.0), "the shadow of `self.material` is a float"),
        (lambda s: delattr(s, "length"), "has no attribute `length`"),
        (lambda s: setattr(s, "loads", np.zeros(2)), "has shape"),
        (lambda s: s.parts.__setitem__(0, Rubber(0.0, 0.0)), "is the same"),
    ):
        shadow = ad.zeros_like(model)
        spoil(shadow)
        with pytest.raises(ArgumentError, match=text):
            ad.autodiff(ad.Reverse, Bar.energy, ad.Duplicated(model, shadow), 1.7)
    with pytest.raises(ArgumentError, match="is the object itself"):
        ad.autodiff(ad.Reverse, Bar.energy, ad.Duplicated(model, model), 1.7)
    with pytest.raises(ArgumentError, match="it can't be Active"):
        ad.autodiff(ad.Reverse, Bar.energy, ad.Active(model), 1.7)


def test_tangents_of_objects():
    model = bar()
    gradient = ad.grad(model.energy, wrt="self")(1.7)
    tangent = ad.zeros_like(model)
    tangent.length, tangent.material.hardening = 1.0, -2.0
    tangent.loads[:] = 0.5
    expected = gradient.length - 2.0 * gradient.material.hardening + 0.5 * np.sum(gradient.loads)
    assert ad.jvp(Bar.energy, (model, 1.7), (tangent, None))[1] == pytest.approx(expected)
    by_path = {"length": 1.0, "material.hardening": -2.0, "loads": np.full(3, 0.5)}
    assert ad.jvp(Bar.energy, (model, 1.7), (by_path, None))[1] == pytest.approx(expected)
    assert ad.jvp(Bar.energy, (model, 1.7), ({"parts[1].modulus": 1.0}, 1.0))[1] == pytest.approx(
        gradient.parts[1].modulus + ad.grad(model.energy)(1.7)
    )
    assert ad.autodiff(ad.Forward, Bar.energy, ad.Duplicated(model, tangent), 1.7) == pytest.approx(expected)
    lanes = (tangent, ad.zeros_like(model))
    assert ad.autodiff(ad.Forward, Bar.energy, ad.BatchDuplicated(model, lanes), 1.7) == (pytest.approx(expected), 0.0)
    with pytest.raises(ArgumentError, match=r"`material.kind` is no float"):
        ad.jvp(Bar.energy, (model, 1.7), ({"material.kind": 1.0}, None))


def test_hessian_vector_products_along_objects():
    model = bar()
    direction = ad.zeros_like(model)
    direction.length = 1.0
    found = ad.hvp(model.energy, wrt="self")(1.7, vector=direction)
    h = 1e-5
    moved = [copy.deepcopy(model), copy.deepcopy(model)]
    moved[0].length += h
    moved[1].length -= h
    high, low = (ad.grad(m.energy, wrt="self")(1.7) for m in moved)
    assert found.material.modulus == pytest.approx((high.material.modulus - low.material.modulus) / (2 * h), rel=1e-6)
    assert found.length == pytest.approx((high.length - low.length) / (2 * h), rel=1e-6)
    assert ad.hessian(model.energy, wrt=("self.length", "x"))(1.7)[0][1] == pytest.approx(
        ad.hessian(model.energy, wrt=("self.length", "x"))(1.7)[1][0]
    )
    assert ad.jacobian(model.energy, wrt="self.loads")(1.7).tolist() == [1.7] * 3


class Cell:
    """Attributes that are assigned are state."""

    def __init__(self, x, v, steps):
        self.x, self.v, self.steps = x, v, steps

    def step(self, dt):
        self.steps += 1
        self.v = self.v - dt * self.x * self.x
        self.x = self.x + dt * self.v
        return np.sum(self.v)


@pytest.mark.parametrize("value", [0.7, np.array([0.5, 0.8])])
def test_the_shadow_of_an_assigned_attribute_goes_from_its_final_to_its_initial_value(value):
    dt, seeds = 0.3, (2.0, -3.0)

    def final(x, v):
        cell = Cell(x, v, 0)
        total = cell.step(dt)
        return total + seeds[0] * np.sum(cell.x) + seeds[1] * np.sum(cell.v)

    x, v = np.asarray(value, float), np.asarray(value, float) + 1.0
    h = 1e-6
    expected = [(final(x + a * h, v + b * h) - final(x - a * h, v - b * h)) / (2 * h) for a, b in ((1, 0), (0, 1))]
    cell = Cell(copy.copy(value), value + 1.0, 0)
    shadow = ad.zeros_like(cell)
    for name, seed in zip(("x", "v"), seeds, strict=True):
        setattr(shadow, name, np.full(value.shape, seed) if isinstance(value, np.ndarray) else seed)
    ad.autodiff(ad.Reverse, Cell.step, ad.Duplicated(cell, shadow), dt)
    assert [np.sum(shadow.x), np.sum(shadow.v)] == [pytest.approx(e) for e in expected]
    assert cell.steps == 1
    # Forward mode goes the other way.
    cell, tangent = Cell(copy.copy(value), value + 1.0, 0), ad.zeros_like(Cell(value, value, 0))
    tangent.x = np.ones(value.shape) if isinstance(value, np.ndarray) else 1.0
    moved = ad.autodiff(ad.Forward, Cell.step, ad.Duplicated(cell, tangent), dt)
    assert moved + seeds[0] * np.sum(tangent.x) + seeds[1] * np.sum(tangent.v) == pytest.approx(expected[0])


def test_a_constant_object_keeps_its_derivatives_to_itself():
    cell = Cell(0.7, 1.7, 0)
    found = ad.autodiff(ad.Reverse, Cell.step, ad.Const(cell), ad.Active(0.3))
    assert found == (pytest.approx(-(0.7**2)),)
    assert (cell.steps, cell.v) == (1, 1.7 - 0.3 * 0.7**2)


# Vectors --------------------------------------------------------------------------------------------------------------


def test_ravel_and_its_inverse():
    value = Everything()
    vector, unravel = ad.ravel(value)
    assert sorted(vector) == [0.5, 1.0, 1.5, 2.0, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 10.0]
    other = unravel(vector * 2.0)
    assert (other.x, other.array.tolist(), other.limits, other.n) == (3.0, [2.0, 4.0], Limits(1.0, 4.0), 3)
    assert other.same is other.array
    assert other.cycle is other
    assert (other.frozen, other.loose, other.mapping["k"]) == (Frozen(6.0), Loose(8.0, [10.0, 6]), 14.0)
    assert value.x == 1.5
    assert np.array_equal(ad.ravel(other)[0], 2.0 * vector)
    array = value.array
    unravel.into(value, vector * 3.0)
    assert value.array is array
    assert (value.x, array.tolist(), value.limits.low, value.numbers) == (4.5, [3.0, 6.0], 1.5, (24.0, 9, [30.0]))
    assert np.array_equal(ad.ravel(value)[0], 3.0 * vector)


def test_ravel_of_parts():
    model = bar()
    vector, unravel = ad.ravel(model, only=("length", "material.modulus"))
    assert vector.tolist() == [1.3, 2.0]
    other = unravel(np.array([5.0, 6.0]))
    assert (other.length, other.material.modulus, other.material.hardening) == (5.0, 6.0, 0.7)
    assert other.parts[0] is other.material
    assert other.parts[1] is model.parts[1]
    assert other.loads is model.loads
    with pytest.raises(ArgumentError, match="there is no float there"):
        ad.ravel(model, only=("material.kind",))
    with pytest.raises(ArgumentError, match=r"has shape \(3,\)"):
        unravel(np.zeros(3))
    with pytest.raises(ArgumentError, match="a tuple can't be changed in place"):
        ad.ravel((1.0, 2.0))[1].into((1.0, 2.0), np.zeros(2))


@pytest.mark.slow
def test_an_optimiser_over_an_object():
    model = bar()
    vector, unravel = ad.ravel(model)
    for _ in range(100):
        gradient, _ = ad.ravel(ad.grad(lambda m, x: (m.energy(x) - 3.0) ** 2, wrt="m")(unravel(vector), 0.9))
        assert gradient.shape == vector.shape
        vector = vector - 1e-5 * gradient
    assert abs(unravel(vector).energy(0.9) - 3.0) < abs(model.energy(0.9) - 3.0)


def test_only_floats_of_a_material_are_taken():
    assert ad.ravel(Material(2.0))[0].tolist() == [2.0]
