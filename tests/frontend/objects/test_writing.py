"""Attributes that programs assign, objects that they make, and what comes back."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import adcore as ad
from adcore.errors import CompileError
from tests.frontend.objects.agreement import assert_same, check, named


class Oscillator:
    def __init__(self, x, v, k):
        self.x, self.v, self.k = x, v, k
        self.steps, self.largest, self.trace = 0, 0.0, np.zeros(4)

    def force(self):
        return -self.k * self.x

    def step(self, dt):
        self.steps += 1
        self.v = self.v + dt * self.force()
        self.x += dt * self.v
        self.trace[self.steps % 4] = self.x
        if self.x > self.largest:
            self.largest = self.x
        return self.x

    def run(self, dt, n):
        total = 0.0
        for _ in range(n):
            total += self.step(dt) ** 2
        return total + self.largest

    def run_while(self, dt, limit):
        total = 0.0
        while self.steps < limit:
            total += self.step(dt)
            if total > 100.0:
                break
        return total


class Field(Oscillator):
    """The same with arrays, which are rebound at each step."""

    def __init__(self, x, v, k):
        self.x, self.v, self.k, self.steps = x, v, k, 0

    def step(self, dt):
        self.steps += 1
        self.v = self.v + dt * self.force()
        self.x = self.x + dt * self.v * self.x
        return np.sum(self.x)

    def run(self, dt, n):
        total = 0.0
        for _ in range(n):
            total += self.step(dt) ** 2
        return total


MODELS = [(Oscillator, (1.0, 0.2, 2.0)), (Field, (np.linspace(0.5, 1.0, 3), np.zeros(3), 1.5))]


def in_place(function, *args):
    """What compiled code returns, and what it leaves of its arguments, against Python."""
    plain, bound = named(function, args)
    ours, expected = copy.deepcopy(bound), copy.deepcopy(bound)
    compiled = ad.compile(plain, *bound.values(), mode=ad.Primal)
    value = compiled(*ours.values())
    wanted = plain(**expected)
    close(ours, expected)
    close(value, wanted)
    return compiled, ours


def close(a, b, seen=None):
    """As `assert_same`, up to rounding."""
    seen = {} if seen is None else seen
    if id(a) in seen:
        assert seen[id(a)] is b
        return
    if isinstance(a, (float, np.ndarray)):
        assert type(a) is type(b) or not seen
        assert np.allclose(a, b, rtol=1e-12)
        return
    assert type(a) is type(b)
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            close(x, y, seen)
    elif isinstance(a, dict):
        assert set(a) == set(b)
        for key in a:
            close(a[key], b[key], seen)
    elif hasattr(a, "__dict__") and not callable(a):
        seen[id(a)] = b
        close(vars(a), vars(b), seen)
    else:
        assert a == b


@pytest.mark.parametrize(("cls", "state"), MODELS)
def test_a_simulation_changes_its_object_in_place_and_not_under_grad(cls, state):
    model = cls(*state)
    in_place(model.run, 0.1, 12)
    before = copy.deepcopy(model)
    found = ad.grad(model.run)(0.1, 12)
    assert_same(vars(model), vars(before))
    h = 1e-5
    runs = [copy.deepcopy(model).run(0.1 + d, 12) for d in (h, -h)]
    assert found == pytest.approx((runs[0] - runs[1]) / (2 * h), rel=1e-6)


def test_every_mode_leaves_the_object_as_python_does():
    model = Oscillator(1.0, 0.2, 2.0)
    expected = copy.deepcopy(model)
    value = expected.run(0.1, 7)
    gradient = ad.grad(model.run)(0.1, 7)
    for mode in (ad.Reverse, ad.ReverseWithPrimal):
        ours = copy.deepcopy(model)
        found = ad.autodiff(mode, ours.run, ad.Active(0.1), 7)
        assert (found if mode is ad.Reverse else found[0]) == (pytest.approx(gradient),)
        close(ours, expected)
    ours = copy.deepcopy(model)
    tangent, again = ad.autodiff(ad.ForwardWithPrimal, ours.run, ad.Duplicated(0.1, 1.0), 7)
    assert (tangent, again) == (pytest.approx(gradient), pytest.approx(value))
    close(ours, expected)
    ours = copy.deepcopy(model)
    split = ad.compile(ours.run, ad.Active(0.1), 7, mode=ad.ReverseSplit)
    step = split.forward(0.1, 7)
    close(ours, expected)
    assert split.reverse(step) == (pytest.approx(gradient),)
    hessian = ad.hessian(model.run)(0.1, 7)
    h = 1e-5
    slopes = [ad.grad(model.run)(0.1 + d, 7) for d in (h, -h)]
    assert hessian == pytest.approx((slopes[0] - slopes[1]) / (2 * h), rel=1e-5)
    assert ad.jacobian(model.run)(0.1, 7) == pytest.approx(gradient)


def test_counters_do_not_compile_anew():
    from adcore.driver import specialisations

    model = Oscillator(1.0, 0.2, 2.0)
    compiled = ad.compile(model.step, 0.1, mode=ad.Primal)
    compiled(0.1)
    before = len(specialisations._primals)
    for _ in range(3):
        compiled(0.1)
    assert (model.steps, len(specialisations._primals)) == (4, before)


def test_a_bound_call_reads_the_object_and_changes_it_each_time():
    model, expected = Oscillator(1.0, 0.2, 2.0), Oscillator(1.0, 0.2, 2.0)
    bound = ad.compile(model.run_while, 0.1, 5, mode=ad.Primal)
    assert bound(0.1, 5) == pytest.approx(expected.run_while(0.1, 5))
    close(model, expected)
    assert bound(0.1, 9) == pytest.approx(expected.run_while(0.1, 9))
    close(model, expected)


def swap(s, t):
    s.a, t.a = t.a, s.a
    s.values, t.values = t.values, s.values
    s.best = t
    t.best = s.values
    return s.a * 2.0 + t.a


class Bag:
    def __init__(self, a, values):
        self.a, self.values, self.best = a, values, None


def test_swapped_attributes_are_the_same_objects():
    s, t = Bag(1.0, np.ones(2)), Bag(2.0, np.zeros(3))
    first, second = s.values, t.values
    in_place(swap, s, t)
    check(swap, s, t, paths=("s.a", "t.a"), hessian=False)
    ad.compile(swap, s, t, mode=ad.Primal)(s, t)
    assert s.values is second
    assert t.values is first
    assert s.best is t
    assert t.best is second


def through_another_name(p, q, x):
    p.a = x * 3.0
    q.a += 1.0
    return p.a * q.a


def test_identity_is_a_part_of_what_is_compiled_for():
    for p, q in ((Bag(1.0, 0), Bag(2.0, 0)), (shared := Bag(1.0, 0), shared), (Bag(4.0, 0), Bag(5.0, 0))):
        in_place(through_another_name, p, q, 0.7)
        expected = 3.0 * (q.a + 1.0) if p is not q else 2.0 * (3.0 * 0.7 + 1.0) * 3.0
        assert ad.grad(through_another_name, wrt="x")(p, q, 0.7) == pytest.approx(expected)


def conditional(bag, x):
    if x > 1.0:
        bag.extra = x * x
        bag.a = 5.0
    total = 0.0
    for k in range(3):
        bag.last = x * k
        total += bag.last
    return total + bag.a


@pytest.mark.parametrize("x", [0.5, 2.0])
def test_attributes_that_come_into_being(x):
    in_place(conditional, Bag(1.0, 0), x)
    check(conditional, Bag(1.0, 0), x, paths=("x", "bag.a"), hessian=False)


def reads_what_may_be_missing(bag, x):
    if x > 1.0:
        bag.extra = x
    return bag.extra * 2.0


def test_an_attribute_that_is_missing_at_run_time_raises_as_in_python():
    assert ad.grad(reads_what_may_be_missing, wrt="x")(Bag(1.0, 0), 2.0) == 2.0
    with pytest.raises(AttributeError, match="'Bag' object has no attribute 'extra'"):
        ad.grad(reads_what_may_be_missing, wrt="x")(Bag(1.0, 0), 0.5)


class Account:
    """A property with a setter, and side effects in either."""

    def __init__(self, value):
        self._value, self.reads, self.writes = value, 0, 0

    @property
    def value(self):
        self.reads += 1
        return self._value

    @value.setter
    def value(self, new):
        self.writes += 1
        self._value = new if new > 0.0 else 0.0


def deposit(account, x):
    account.value += x
    account.value = account.value * 2.0
    return account.value


def test_properties_have_their_effects_as_often_as_in_python():
    _, ours = in_place(deposit, Account(3.0), 0.5)
    assert (ours["account"].reads, ours["account"].writes) == (3, 2)
    check(deposit, Account(3.0), 0.5, paths=("account._value", "x"))


# Objects that the program makes -----------------------------------------------------------------------------------


class Vector:
    count = 0

    def __init__(self, x, y):
        self.x, self.y = x, y
        self.label = "v"

    def __add__(self, other):
        return type(self)(self.x + other.x, self.y + other.y)

    def scaled(self, k):
        return Vector(k * self.x, k * self.y)

    def dot(self, other):
        return self.x * other.x + self.y * other.y


def makes(a, b, n):
    p, total = Vector(a, b), Vector(0.0, 0.0)
    for _ in range(n):
        p = p.scaled(0.5) + Vector(a, 1.0)
        total = total + p
    best = p
    if total.x > p.x:
        best = total
    return total.dot(best) + p.dot(p)


def test_objects_made_inside():
    check(makes, 0.7, -0.3, 12, paths=("a", "b"))
    compiled = ad.compile(makes, 0.7, -0.3, 12, mode=ad.Primal)
    assert not compiled.certificate.unproven


def builds(a, other):
    made = Vector(2.0 * a, 1.0)
    made.next = Vector(a * a, 3.0)
    made.next.next = made
    made.values = made.same = np.zeros(3) + a
    made.other = other
    return made, [other, made.next], made


def test_returned_objects_are_built_afterwards_and_arguments_are_themselves():
    other = Vector(1.0, 2.0)
    made, (given, following), again = ad.compile(builds, 3.0, other, mode=ad.Primal)(3.0, other)
    assert again is made
    assert given is other is made.other
    assert following is made.next
    assert following.next is made
    assert made.same is made.values
    assert (made.x, made.label, following.x, list(made.values)) == (6.0, "v", 9.0, [3.0, 3.0, 3.0])


def chooses_then_writes(s, t, x):
    best = s if x > 1.0 else t
    best.a = 2.0
    return s.a + t.a


class Shop:
    rate = 2.0

    def sell(self, x):
        Shop.rate = x
        return x


LEDGER = Bag(1.0, 0)


def writes_a_global(x):
    LEDGER.a = x
    return x


class Guarded:
    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)

    def act(self, x):
        self.a = x
        return self.a


class Narrow:
    __slots__ = ("a",)

    def act(self, x):
        self.b = x
        return x


class Fresh:
    def __new__(cls, *args):
        return object.__new__(cls)


class Meta(type):
    def __call__(cls, *args):
        return 3.0


class Odd(metaclass=Meta):
    pass


def makes_fresh(x):
    return Fresh().a * x


def makes_odd(x):
    return Odd() * x


@pytest.mark.parametrize(
    ("function", "args", "text"),
    [
        (chooses_then_writes, (Bag(1.0, 0), Bag(1.0, 0), 2.0), "on some paths only, is another Bag"),
        (Shop().sell, (1.0,), "an attribute of the class Shop is not supported"),
        (writes_a_global, (1.0,), "`LEDGER` is no argument: assigning to its attribute `a` would be lost"),
        (Guarded().act, (1.0,), "Guarded defines `__setattr__`"),
        (Narrow().act, (1.0,), "'Narrow' object has no attribute 'b'"),
        (makes_fresh, (1.0,), "Fresh defines `__new__`"),
        (makes_odd, (1.0,), "the metaclass of Odd defines `__call__`"),
    ],
)
def test_what_cannot_be_is_refused_by_name(function, args, text):
    with pytest.raises(CompileError, match=text):
        ad.grad(function, wrt=-1)(*args)
