"""Later calls with objects, records and containers: the same as the first, in a fraction of its time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import adcore as ad
from adcore.errors import ArgumentError


class Motor:
    gain = 2.0

    def __init__(self, k=1.0):
        self.k, self.calls, self.mode = k, 0, "fast"
        self.table = np.array([1.0, 2.0, 3.0])
        self.part = Part(k)

    def act(self, x):
        self.calls += 1
        self.part.wear = self.part.wear + x
        if x > 100.0:
            raise ValueError(f"{x} is too much")
        factor = 1.0 if self.mode == "fast" else 0.5
        return self.gain * factor * self.k * x * x + self.table[0] * self.part.wear

    def energy(self, x):
        return self.k * x * x + self.table[1] * self.part.wear

    def smooth(self, x):
        self.table = self.table * x
        return self.table.sum()


class Part:
    def __init__(self, wear):
        self.wear = wear


@dataclass
class Config:
    k: float
    scale: np.ndarray
    name: str = "a"


class Point(NamedTuple):
    x: float
    y: float


def general(config, point, both, options, x):
    return config.k * config.scale[0] * point.x * point.y * both[0] * both[1] * options["w"] * x * x


def stretched(config, x):
    return np.sum(config.scale * x)


def state(motor):
    return {name: repr(vars(value)) if isinstance(value, Part) else repr(value) for name, value in vars(motor).items()}


def arguments():
    return Config(2.0, np.array([3.0])), Point(1.0, 2.0), (1.5, 2.5), {"w": 2.0}, 1.5


@pytest.mark.parametrize("mode", [ad.Primal, ad.Reverse, ad.ReverseWithPrimal, ad.Forward], ids=lambda m: m.name)
@pytest.mark.parametrize("method", [Motor.act, Motor.energy, Motor.smooth], ids=lambda f: f.__name__)
def test_every_call_is_as_the_first(method, mode):
    wrapped = {"primal": lambda x: x, "reverse": ad.Active, "forward": lambda x: ad.Duplicated(x, 1.0)}[mode.sweep]
    plain, ours = Motor(), Motor()
    handle = ad.compile(method, ad.Const(Motor()), wrapped(2.0), mode=mode)
    for x in (1.0, 2.0, 3.0, 4.0):
        before = Motor()
        before.__dict__.update(vars(plain))
        slope = ad.grad(method, wrt=1)(before, x)
        expected = method(plain, x)
        found = handle(ours, wrapped(x)) if x < 3.0 else handle(ad.Const(ours), wrapped(x))
        wanted = {"Primal": expected, "Forward": slope, "Reverse": (slope,), "ReverseWithPrimal": ((slope,), expected)}
        assert np.allclose(np.hstack([np.ravel(p) for p in _flat(found)]), np.hstack(_flat(wanted[mode.name])))
        assert state(ours) == state(plain)


def _flat(value):
    return [item for part in value for item in _flat(part)] if isinstance(value, tuple) else [value]


def test_they_are_served_by_native_code():
    motor = Motor()
    handle = ad.compile(Motor.act, ad.Const(motor), ad.Active(2.0))
    handle(motor, 2.0)
    handle._prepared = None  # the general path would need it
    before = motor.calls
    for k in range(1, 4):
        assert handle(motor, 2.0) == (pytest.approx(8.0 + 1.0),)
        assert motor.calls == before + k


def test_what_differs_goes_the_general_path():
    handle = ad.compile(Motor.act, ad.Const(Motor()), 2.0, mode=ad.Primal)
    motor = Motor()
    for _ in range(3):
        handle(motor, 2.0)
    motor.mode = "slow"
    with pytest.raises(ArgumentError):
        handle(motor, 2.0)
    with pytest.raises(ArgumentError):
        handle(motor)
    motor.mode = "fast"
    with pytest.raises(ValueError, match=r"200.0 is too much"):
        handle(motor, 200.0)
    assert (motor.calls, motor.part.wear) == (4, 1.0 + 3 * 2.0 + 200.0)


def test_an_axis_of_length_1_stretches_here_too():
    config = Config(1.0, np.ones(3))
    handle = ad.compile(stretched, config, np.ones(3), mode=ad.Primal)
    for _ in range(3):
        assert handle(config, np.arange(3.0)) == 3.0
    config.scale = np.ones(1)
    assert handle(config, np.arange(3.0)) == 3.0


@pytest.mark.parametrize("wrt", [0, 1, 2, 3, 4, (0, 4), (4, 1)], ids=str)
def test_gradients_of_structures_stay_what_they_were(wrt):
    gradient = ad.value_and_grad(general, wrt=wrt)
    first = gradient(*arguments())
    for _ in range(3):
        assert repr(gradient(*arguments())) == repr(first)
    config, *rest = arguments()
    config.k = 4.0
    assert gradient(config, *rest)[0] == 2.0 * first[0]
    config.name = "b"
    assert gradient(config, *rest)[0] == 2.0 * first[0]


def test_gradients_of_an_object_with_counters_leave_it_alone():
    motor = Motor()
    by_x, by_self = ad.grad(motor.act), ad.grad(motor.act, wrt="self")
    for _ in range(3):
        assert by_x(3.0) == 2.0 * 2.0 * 3.0 + 1.0
        found = by_self(3.0)
        assert (found.k, found.part.wear, found.calls) == (18.0, 1.0, None)
        assert np.array_equal(found.table, [4.0, 0.0, 0.0])
    assert state(motor) == state(Motor())
    motor.k = 2.0
    assert by_x(3.0) == 4.0 * 2.0 * 3.0 + 1.0
    assert math.isfinite(by_x(1.0))


def test_a_replaced_method_or_class_attribute_is_noticed(monkeypatch):
    motor = Motor()
    gradient = ad.grad(motor.act)
    for _ in range(3):
        gradient(1.0)
    monkeypatch.setattr(Motor, "gain", 4.0)
    assert gradient(1.0) == 9.0
    monkeypatch.setattr(Motor, "act", lambda self, x: 7.0 * x)
    assert ad.grad(motor.act)(1.0) == 7.0
