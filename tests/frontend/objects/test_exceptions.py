"""What a call that ends in an exception leaves behind: what Python leaves, or a note that names what is different."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adcore as ad


class Tank:
    def __init__(self):
        self.level, self.fills, self.warned, self.name = 1.0, 0, False, "tank"
        self.profile = np.ones(3)
        self.other = None

    def fill(self, x):
        self.level, self.warned, self.name = 7.0 * x, True, "filling"
        self.fills += 1
        self.other = self
        if x < 0.0:
            raise ValueError(f"{x} is negative")
        self.level = math.sqrt(x - 1.0)
        self.profile = self.profile * 2.0
        return 1.0 / (x - 3.0)

    def fill_often(self, x):
        for k in range(5):
            self.fills += 1
            self.level = self.level + x * k
            if self.level > 10.0:
                raise OverflowError("full")
        return self.level

    def check_first(self, x):
        if x <= 0.0:
            raise ArithmeticError("empty")
        self.level = x
        return x * x

    def sum_of_roots(self, x):
        self.fills += 1
        total = 0.0
        for k in range(self.profile.shape[0]):
            total += math.sqrt(self.profile[k] * x)
        return total

    def empty(self, x):
        try:
            self.level = x
            if x < 0.0:
                raise ValueError("negative")
        finally:
            self.fills = 99
        return x

    def guarded(self, x):
        self.fills += 1
        try:
            self.level = 1.0 / x
        except ZeroDivisionError:
            self.level = 0.0
            raise ValueError("nothing") from None
        return self.level

    def pick(self, k):
        self.fills += 1
        return self.profile[k] * 1.0


def outcome(function, *args):
    """The exception that a call ends in, if it does."""
    try:
        function(*args)
    except Exception as error:
        return error
    return None


def held(tank):
    return {name: value is tank if name == "other" else repr(value) for name, value in vars(tank).items()}


def compiled(method, mode):
    wrapped = {"Primal": lambda x: x, "Reverse": ad.Active, "Forward": lambda x: ad.Duplicated(x, 1.0)}[mode.name]
    handle = ad.compile(method, ad.Const(Tank()), wrapped(4.0), mode=mode)
    return lambda tank, x: handle(ad.Const(tank), wrapped(x))


@pytest.mark.parametrize("mode", [ad.Primal, ad.Reverse, ad.Forward], ids=lambda mode: mode.name)
@pytest.mark.parametrize(
    ("method", "values"),
    [
        (Tank.fill, (-1.0, 0.5, 3.0, 4.0)),
        (Tank.fill_often, (-1.0, 3.0)),
        (Tank.check_first, (-1.0, 1.0)),
        (Tank.sum_of_roots, (-1.0, 1.0)),
        (Tank.empty, (-1.0, 1.0)),
        (Tank.guarded, (0.0, 2.0)),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_attributes_are_as_python_leaves_them_or_named(method, values, mode):
    called = compiled(method, mode)
    for x in values:
        plain, ours = Tank(), Tank()
        expected, got = outcome(method, plain, x), outcome(called, ours, x)
        assert (type(got), str(got)) == (type(expected), str(expected)), x
        notes = "".join(getattr(got, "__notes__", ()))
        different = {name for name in held(plain) if held(plain)[name] != held(ours).get(name)}
        assert all(f"`self.{name}`" in notes for name in different), (x, different, notes)
        # Only these two have something that can't be told.
        assert bool(notes) == ((method is Tank.fill and x == 3.0) or (method is Tank.empty and x < 0.0)), x


def test_an_index_error_names_what_may_be_different():
    handle = ad.compile(Tank.pick, Tank(), 1, mode=ad.Primal)
    tank = Tank()
    with pytest.raises(IndexError) as caught:
        handle(tank, 7)
    assert tank.fills == 1 or "`self.fills`" in "".join(getattr(caught.value, "__notes__", ()))


def test_under_grad_nothing_is_assigned():
    tank = Tank()
    with pytest.raises(ValueError, match="negative"):
        ad.grad(tank.fill)(-1.0)
    assert held(tank) == held(Tank())


def test_numbers_keep_their_types():
    class Counter:
        def __init__(self):
            self.a, self.b, self.c = np.float32(1.0), np.int32(1), True

        def act(self, x):
            self.a, self.b, self.c = self.a * np.float32(2.0), self.b + np.int32(1), x > 0.0
            if x > 1.0:
                raise ValueError("late")
            return x

    plain, ours = Counter(), Counter()
    assert isinstance(outcome(plain.act, 2.0), ValueError)
    assert isinstance(outcome(ad.compile(Counter.act, Counter(), 1.0, mode=ad.Primal), ours, 2.0), ValueError)
    for name, value in vars(plain).items():
        assert getattr(ours, name) == value
        assert type(getattr(ours, name)) is type(value), name
