"""Dataclasses whose fields are assigned, or whose making runs code: they are objects, as Python has them."""

from __future__ import annotations

import copy
from dataclasses import InitVar, dataclass, field, replace

import numpy as np
import pytest

import adcore as ad
from adcore.errors import ArgumentError, CompileError


@dataclass
class Particle:
    x: float
    v: float = 1.0
    steps: int = 0
    seen: list[float] = field(default_factory=list)

    def move(self, dt):
        self.x += dt * self.v
        self.steps += 1
        return self.x

    @property
    def speed(self):
        return abs(self.v)

    @speed.setter
    def speed(self, value):
        self.v = value


@dataclass
class Pair:
    a: Particle
    b: Particle
    weights: np.ndarray
    name: str = "pair"


@dataclass
class Derived:
    a: float
    b: float = field(init=False)
    c: float = field(default=2.0, init=False)
    scale: InitVar[float] = 3.0

    def __post_init__(self, scale):
        self.b = self.a * scale + self.c


@dataclass(frozen=True)
class Cubed:
    a: float
    cube: float = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "cube", self.a**3)


@dataclass
class Base:
    a: float = 1.0

    def act(self, x):
        return self.a * x


@dataclass
class Sub(Base):
    b: float = 2.0

    def act(self, x):
        self.b = self.b + x
        return super().act(x) * self.b


@dataclass(slots=True)
class Slotted:
    a: float
    b: float = 2.0

    def act(self, x):
        self.a = self.a * x
        return self.a * self.b


def moves(p, x):
    p.x = p.x * x
    return p.move(x) * p.v


def swaps(s, x):
    s.a.x += x
    s.b.v = s.b.v * 2.0
    s.weights = s.weights * x
    s.a, s.b = s.b, s.a
    return float(s.a.x * s.weights.sum() + s.b.v)


def makes(x):
    made = Derived(x)
    made.a = 5.0
    return made.b * made.a * made.c + Derived(x, scale=x).b


def makes_frozen(x):
    return Cubed(x).cube * x


def acts(owner, x):
    return owner.act(x)


def moves_all(particles, x):
    for p in particles:
        p.move(x)
    total = 0.0
    for p in particles:
        total += p.x * p.v
    return total


def replaces(p, x):
    other = replace(p, x=p.x * x)
    other.v = 4.0
    return other.x * other.v + p.v * x


def replaces_derived(d, x):
    return replace(d, a=x, scale=2.0).b * d.a


def makes_in_a_loop(x):
    p = Particle(x)
    for k in range(5):
        p.move(0.1 * k)
    return p.x * p.x


def sets_by_name(p, x):
    p.x = x * 2.0
    p.speed = x
    return p.x * p.v


def two(p, q, x):
    p.x = x
    q.x = 3.0 * x
    return p.x * q.x


def on_one_path(p, x):
    if x > 0.0:
        p.v = x
    else:
        p.x = x
    return p.v * p.x


def particle():
    return Particle(1.0, 2.0)


def twice():
    p = particle()
    return p, p, 1.5


def same_pair():
    p = particle()
    return Pair(p, p, np.array([1.0, 2.0])), 1.5


CALLS = [
    (moves, lambda: (particle(), 1.5)),
    (swaps, lambda: (Pair(particle(), Particle(3.0, 4.0), np.array([1.0, 2.0])), 1.5)),
    (swaps, same_pair),
    (makes, lambda: (1.5,)),
    (makes_frozen, lambda: (1.5,)),
    (acts, lambda: (Sub(1.0, 2.0), 1.5)),
    (acts, lambda: (Slotted(1.0), 1.5)),
    (moves_all, lambda: ([particle(), Particle(3.0, 4.0)], 1.5)),
    (moves_all, lambda: ([particle()] * 2, 1.5)),
    (replaces, lambda: (particle(), 1.5)),
    (replaces_derived, lambda: (Derived(1.5), 1.5)),
    (makes_in_a_loop, lambda: (1.5,)),
    (sets_by_name, lambda: (particle(), 1.5)),
    (two, lambda: (particle(), particle(), 1.5)),
    (two, twice),
    (on_one_path, lambda: (particle(), 1.5)),
    (on_one_path, lambda: (particle(), -1.5)),
]


@pytest.mark.parametrize(("function", "make"), CALLS, ids=[f"{f.__name__}{k}" for k, (f, _) in enumerate(CALLS)])
def test_as_python_in_place_and_untouched_under_grad(function, make):
    plain, ours, kept = make(), make(), make()
    expected = function(*plain)
    assert ad.compile(function, *make(), mode=ad.Primal)(*ours) == pytest.approx(expected, rel=1e-14)
    assert repr(ours) == repr(plain)
    *rest, x = kept
    slope = (function(*copy.deepcopy(rest), x + 1e-5) - function(*copy.deepcopy(rest), x - 1e-5)) / 2e-5
    value, gradient = ad.value_and_grad(function, wrt=len(rest))(*kept)
    assert value == pytest.approx(expected, rel=1e-14)
    assert gradient == pytest.approx(slope, rel=1e-7)
    assert repr(kept) == repr(make())
    tangents = (*(None for _ in rest), 1.0)
    assert ad.jvp(function, kept, tangents)[1] == pytest.approx(gradient, rel=1e-12)


def test_the_gradient_is_one_of_the_class():
    found = ad.grad(moves)(particle(), 1.5)
    # (x * 1.5 + 1.5 * v) * v
    assert found == Particle(3.0, 7.5, None, [])


def test_a_shadow_is_added_to():
    p, shadow = particle(), ad.zeros_like(particle())
    ad.autodiff(ad.Reverse, moves, ad.Duplicated(p, shadow), ad.Const(1.5))
    assert (shadow.x, shadow.v) == (3.0, 7.5)
    assert p.steps == 1


def test_the_same_class_stays_a_value_where_nothing_is_assigned():
    def total(particles):
        found = 0.0
        for p in particles:
            found += p.a * p.a
        return found

    many = [Base(float(k)) for k in range(500)]
    assert ad.grad(total)(many)[7].a == 14.0


def test_a_returned_argument_is_itself():
    def moved(p, x):
        p.x = x
        return p

    p = particle()
    assert ad.compile(moved, particle(), 1.0, mode=ad.Primal)(p, 3.0) is p
    assert p.x == 3.0


def stores_frozen(x):
    made = Cubed(x)
    made.a = 2.0
    return made.a


def replaces_a_derived_field(d, x):
    return replace(d, b=x).a


def scales_all(many, x):
    for one in many:
        one.a = one.a * x
    return many[0].a


def test_refusals():
    with pytest.raises(CompileError, match="Cubed is frozen: its field `a` can't be assigned"):
        ad.grad(stores_frozen)(1.0)
    with pytest.raises(CompileError, match="declared with init=False"):
        ad.grad(replaces_a_derived_field, wrt=1)(Derived(1.0), 2.0)
    with pytest.raises(ArgumentError, match="300 instances of Base, whose fields the function assigns"):
        ad.grad(scales_all, wrt=1)([Base() for _ in range(300)], 1.0)


class Holder:
    def __init__(self, a, b):
        self.a, self.b = a, b

    def energy(self, x):
        self.a, self.b = self.b, self.a
        return self.a.x * self.b.x * x

    def same(self, x):
        return x * 2.0 if self.a is self.b else x

    def calls(self, x):
        return self.a(x)


@dataclass
class Caller:
    k: float

    def __call__(self, x):
        return self.k * x


def test_one_instance_in_two_attributes_has_one_derivative():
    p = particle()
    shared = Holder(p, p)
    assert ad.grad(shared.energy, wrt="self.a.x")(3.0) == 6.0
    assert ad.grad(Holder(particle(), particle()).energy, wrt="self.a.x")(3.0) == 3.0
    found = ad.grad(shared.energy, wrt="self")(3.0)
    assert found.a is found.b
    assert found.a.x == 6.0


def test_identity_is_asked_of_the_instances():
    p = particle()
    assert ad.grad(Holder(p, p).same)(1.0) == 2.0
    assert ad.grad(Holder(particle(), particle()).same)(1.0) == 1.0


def test_an_instance_may_be_called():
    assert ad.grad(Holder(Caller(4.0), None).calls)(1.0) == 4.0
