"""Objects that are read: attributes of every kind, methods, properties, inheritance, operators, callables."""

from __future__ import annotations

import enum
import functools
import math

import numpy as np
import pytest

import adcore as ad
from adcore.errors import ArgumentError, CompileError
from tests.frontend.objects.agreement import assert_same, check, named, slope


class Material:
    """Attributes that stand on the class."""

    density = 2.5
    table = (1.0, 2.0, 4.0)

    def __init__(self, modulus):
        self.modulus = modulus
        self.kind = "steel"
        self.ageing = None
        self.is_linear = True
        self.order = 2

    @property
    def stiffness(self):
        return self.modulus * self.density

    @staticmethod
    def strain(length, rest):
        return (length - rest) / rest

    @classmethod
    def default_density(cls):
        return 2.0 * cls.density

    def __call__(self, strain):
        return self.stiffness * strain**2 / 2.0


class Rubber(Material):
    def __init__(self, modulus, hardening):
        super().__init__(modulus)
        self.hardening = hardening
        self.kind = "rubber"

    @property
    def stiffness(self):
        return super().stiffness + self.hardening**2

    def __call__(self, strain):
        return super().__call__(strain) + self.hardening * strain**4


class Bar:
    def __init__(self, length, material, loads):
        self.length, self.material, self.loads = length, material, loads
        self.bounds = (0.5, 2.0)
        self.parts = [material, Material(3.0)]

    def energy(self, x, scale=2.0):
        strain = self.material.strain(x, self.length)
        total = self.material(strain) * self.area() * scale
        if self.material.kind == "rubber":
            total += self.material.hardening * x
        if self.material.ageing is None and self.material.is_linear:
            total += self.material.default_density() * strain
        low, high = self.bounds
        for part in self.parts:
            total += part.modulus * math.sin(x) * part.table[1]
        return total + np.sum(self.loads * x) + low * high

    def area(self):
        return math.pi * self.length**2 / 4.0


def bar():
    return Bar(1.3, Rubber(2.0, 0.7), np.array([0.1, 0.2, 0.3]))


PATHS = ("self.length", "self.material.modulus", "self.material.hardening", "x", "self.parts[1].modulus")


def test_methods_properties_inheritance_and_super():
    check(bar().energy, 1.7, paths=PATHS)


def total_energy(model, x):
    return model.energy(x) * model.length


def test_an_object_as_an_argument():
    check(total_energy, bar(), 1.7, paths=tuple(path.replace("self", "model") for path in PATHS))


def test_the_gradient_of_an_object_is_one_of_its_class_with_all_its_floats():
    model = bar()
    model.unread, model.logger = 3.0, print
    found = ad.grad(model.energy, wrt="self")(1.7)
    assert type(found) is Bar
    assert type(found.material) is Rubber
    assert found.material is found.parts[0]
    assert found.length == pytest.approx(slope(model.energy, (1.7,), "self.length"))
    assert found.material.hardening == pytest.approx(slope(model.energy, (1.7,), "self.material.hardening"))
    assert np.array_equal(found.loads, np.full(3, 1.7))
    assert (found.unread, found.logger, found.material.kind, found.material.order) == (0.0, None, None, None)
    assert found.material.is_linear is None
    assert found.bounds == (2.0, 0.5)


def test_one_layer_at_two_places_has_one_summed_derivative():
    class Pair:
        def __init__(self, first, second):
            self.first, self.second = first, second

        def value(self, x):
            return self.first.modulus * x + self.second.modulus**2 * x

    shared = Material(3.0)
    found = ad.grad(Pair(shared, shared).value, wrt="self")(2.0)
    assert found.first is found.second
    assert found.first.modulus == 2.0 + 2.0 * 3.0 * 2.0
    apart = ad.grad(Pair(Material(3.0), Material(3.0)).value, wrt="self")(2.0)
    assert (apart.first.modulus, apart.second.modulus) == (2.0, 12.0)
    assert ad.grad(Pair(shared, shared).value, wrt="self.second.modulus")(2.0) == 14.0


def test_one_array_in_two_attributes_has_one_derivative():
    class Model:
        def __init__(self, a, b):
            self.a, self.b = a, b

        def value(self, x):
            return x * np.sum(self.a * self.b)

    w = np.array([1.0, 2.0])
    found = ad.grad(Model(w, w).value, wrt="self")(3.0)
    assert found.a is found.b
    assert np.array_equal(found.a, 2.0 * 3.0 * w)
    found = ad.grad(Model(w, w.copy()).value, wrt=("self.a", "self"))(3.0)
    assert np.array_equal(found[0], 3.0 * w)
    assert np.array_equal(found[1].b, 3.0 * w)


def test_a_path_to_what_is_never_read_is_zero():
    model = bar()
    model.unread = Material(2.0)
    assert ad.grad(model.energy, wrt="self.unread.modulus")(1.0) == 0.0
    assert ad.grad(model.energy, wrt="self.unread")(1.0).modulus == 0.0


@pytest.mark.parametrize(
    ("wrt", "text"),
    [
        ("self.material.stiffness", "is computed, from `modulus`, `density`|is computed, from"),
        ("self.nothing", "a Bar has no attribute `nothing`"),
        ("self.length +", "is no path"),
        ("self.material.kind", "has no derivative"),
        ("other.length", "has no argument `other.length`"),
        (("self.length", "self.length"), "names an argument twice"),
        (7, "has 2 arguments"),
    ],
)
def test_wrt_of_what_has_no_derivative_is_refused(wrt, text):
    with pytest.raises(ArgumentError, match=text):
        ad.grad(bar().energy, wrt=wrt)(1.0)


def test_numbers_in_wrt_do_not_count_the_object():
    model = bar()
    assert ad.grad(model.energy)(1.7) == ad.grad(model.energy, wrt="x")(1.7) == ad.grad(model.energy, wrt=0)(1.7)
    assert ad.grad(model.energy, wrt=1)(1.7, 2.0) == ad.grad(model.energy, wrt="scale")(1.7)
    assert ad.grad(Bar.energy, wrt=1)(model, 1.7) == ad.grad(model.energy)(1.7)


def test_callables_partials_and_bound_methods():
    material = Rubber(2.0, 0.5)
    assert ad.grad(material)(0.3) == pytest.approx(
        slope(named(material.__call__, (0.3,))[0], (material, 0.3), "strain")
    )
    model = bar()
    half = functools.partial(model.energy, scale=0.5)
    assert ad.grad(half)(1.7) == ad.grad(model.energy)(1.7, 0.5)
    first = functools.partial(total_energy, model)
    assert ad.grad(first)(1.7) == ad.grad(total_energy, wrt="x")(model, 1.7)
    assert ad.vjp(model.energy, 1.7)[1](1.0)[0] == ad.grad(model.energy)(1.7)
    assert ad.jvp(model.energy, (1.7,), (1.0,))[1] == pytest.approx(ad.grad(model.energy)(1.7))


SETTINGS = bar()
ENERGY = SETTINGS.energy


def through_globals(x):
    return SETTINGS.energy(x) + ENERGY(2.0 * x) + SETTINGS.material(x)


def test_objects_and_methods_of_globals_and_closures_are_looked_up_at_each_call():
    local = bar()

    def closure(x):
        return local.energy(x) * local.length

    check(through_globals, 1.7, paths=("x",))
    check(closure, 1.7, paths=("x",))
    before = ad.grad(closure)(1.7), ad.grad(through_globals)(1.7)
    local.length = SETTINGS.length = 1.9
    assert ad.grad(closure)(1.7) == pytest.approx(slope(closure, (1.7,), "x")) != before[0]
    assert ad.grad(through_globals)(1.7) == pytest.approx(slope(through_globals, (1.7,), "x")) != before[1]


def uses_both(model, x):
    return model.energy(x) + SETTINGS.length


def test_a_global_that_is_an_argument_too_is_refused():
    with pytest.raises(CompileError, match="`SETTINGS` is the same object as the argument `model`"):
        ad.grad(uses_both, wrt="x")(SETTINGS, 1.0)
    ad.grad(uses_both, wrt="x")(bar(), 1.0)


# Operators ------------------------------------------------------------------------------------------------------------


class Dual:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b

    def __add__(self, other):
        if not isinstance(other, Dual):
            return NotImplemented
        return Dual(self.a + other.a, self.b + other.b)

    def __radd__(self, other):
        return Dual(other + self.a, self.b)

    def __mul__(self, other):
        return Dual(self.a * other.a, self.a * other.b + self.b * other.a)

    def __matmul__(self, other):
        return self.a * other.b

    def __neg__(self):
        return Dual(-self.a, -self.b)

    def __getitem__(self, key):
        return self.a if key == 0 else self.b

    def __len__(self):
        return 2

    def __bool__(self):
        return self.a > 0.0

    def __eq__(self, other):
        return self.a == other.a

    def __lt__(self, other):
        return self.a < other.a

    def __abs__(self):
        return abs(self.a) + abs(self.b)

    def __contains__(self, item):
        return item == self.a or item == self.b

    def __iter__(self):
        return iter((self.a, self.b))

    def __float__(self):
        return self.a * 2.0


def arithmetic(p, q, x):
    r = 3.0 + p * q + Dual(x, 1.0)
    total = (-r)[0] * r[1] + (p @ q) * len(r) + abs(r) + float(q)
    if p:
        total += x**2
    if not q:
        total += x**3
    if p < q:
        total += 2.0 * x
    if p > q:
        total += 5.0 * x
    if p == q:
        total += 7.0 * x
    if p != q:
        total += 11.0 * x
    if q.b in q:
        total += 13.0 * x
    for item in q:
        total += item * x
    r *= q
    return total + r.a


@pytest.mark.parametrize(("a", "b"), [(1.5, -0.5), (-1.0, 2.0), (2.0, 2.0)])
def test_operators(a, b):
    paths = ("p.a", "p.b", "q.a", "q.b", "x") if a != b else ("p.b", "q.b", "x")
    check(arithmetic, Dual(a, 0.3), Dual(b, -0.7), 1.2, paths=paths)


class Quiet:
    """An operator that a subclass takes over, and one that its operand has to answer."""

    def __init__(self, v):
        self.v = v

    def __sub__(self, other):
        return self.v - other.v

    def __rsub__(self, other):
        return 100.0


class Loud(Quiet):
    def __rsub__(self, other):
        return 2.0 * (other.v - self.v)


def subtracted(a, b):
    return a - b


def test_the_right_operand_is_asked_first_if_its_class_is_a_subclass():
    for left, right in ((Quiet(3.0), Loud(1.0)), (Loud(3.0), Quiet(1.0)), (Quiet(3.0), Quiet(1.0))):
        check(subtracted, left, right, paths=("a.v", "b.v"))


# Enums, cached properties ---------------------------------------------------------------------------------------------


class Scheme(enum.Enum):
    EULER = 1
    HEUN = 2


class Solver:
    def __init__(self, scheme, step):
        self.scheme, self.step = scheme, step

    @functools.cached_property
    def squared(self):
        return self.step**2

    def advance(self, x):
        if self.scheme is Scheme.EULER:
            return x * self.step + self.squared
        return x * self.step + x * self.squared * self.squared


def test_enums_decide_and_a_changed_one_is_noticed():
    solver = Solver(Scheme.EULER, 0.3)
    check(solver.advance, 1.5, paths=("x", "self.step"))
    solver.scheme = Scheme.HEUN
    check(solver.advance, 1.5, paths=("x", "self.step"))


def test_a_filled_cached_property_has_the_derivative_of_what_it_is_computed_from():
    solver = Solver(Scheme.HEUN, 0.3)
    empty = ad.grad(solver.advance, wrt="self.step")(1.5)
    assert solver.squared == 0.09
    assert ad.grad(solver.advance, wrt="self.step")(1.5) == empty == pytest.approx(1.5 + 1.5 * 4 * 0.3**3)


# What is noticed at a call --------------------------------------------------------------------------------------------


class Switch:
    def __init__(self, gain, mode, count):
        self.gain, self.mode, self.count, self.extra = gain, mode, count, None

    def act(self, x):
        total = 0.0
        for _ in range(self.count):
            total += self.gain * x
        if self.mode == "square":
            total = total * total
        if self.extra is not None:
            total += self.extra(x)
        return total


def test_a_changed_attribute_is_noticed():
    switch = Switch(2.0, "plain", 3)
    assert ad.grad(switch.act)(1.5) == 6.0
    switch.gain = 3.0
    assert ad.grad(switch.act)(1.5) == 9.0
    switch.count = 5
    assert ad.grad(switch.act)(1.5) == 15.0
    switch.mode = "square"
    assert ad.grad(switch.act)(1.5) == 2 * 15.0 * 15.0 * 1.5
    switch.mode, switch.extra = "plain", math.sin
    assert ad.grad(switch.act)(1.5) == pytest.approx(15.0 + math.cos(1.5))
    switch.extra = Material(1.0)
    assert ad.grad(switch.act)(1.5) == pytest.approx(15.0 + 2.5 * 1.5)
    switch.gain = np.float32(2.0)
    switch.extra = None
    assert ad.grad(switch.act)(1.5) == 10.0


def test_a_replaced_method_is_noticed_on_the_class_a_base_and_the_instance():
    class Base:
        def inner(self, x):
            return 2.0 * x

    class Derived(Base):
        def outer(self, x):
            return self.inner(x) * x

    thing = Derived()
    assert ad.grad(thing.outer)(3.0) == 12.0
    Base.inner = lambda self, x: 5.0 * x
    assert ad.grad(thing.outer)(3.0) == 30.0
    Derived.inner = lambda self, x: 7.0 * x
    assert ad.grad(thing.outer)(3.0) == 42.0

    def own(x):
        return 11.0 * x

    thing.inner = own
    assert ad.grad(thing.outer)(3.0) == 66.0
    del thing.inner
    assert ad.grad(thing.outer)(3.0) == 42.0


def test_instances_share_one_compiled_form_and_unread_attributes_make_no_difference():
    from adcore.driver import specialisations

    first, second = Switch(2.0, "plain", 3), Switch(4.0, "plain", 7)
    ad.grad(first.act)(1.0)
    before = len(specialisations._primals)
    second.name, second.weights = "second", np.ones(3)
    assert ad.grad(second.act)(1.0) == 28.0
    assert len(specialisations._primals) == before


def test_of_a_large_graph_only_what_is_read_becomes_a_parameter():
    class Node:
        def __init__(self, value):
            self.value, self.next, self.previous = value, None, None

    nodes = [Node(float(k)) for k in range(10_000)]
    for a, b in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        a.next, b.previous = b, a

    def two(node, x):
        return node.value * x + node.next.value * x * x

    compiled = ad.compile(two, nodes[3], 1.0, mode=ad.Primal)
    assert len(compiled._run.call.primal.leaves) == 3
    found = ad.grad(two, wrt="node")(nodes[3], 2.0)
    assert (found.value, found.next.value) == (2.0, 4.0)
    assert found.next.next.value == 0.0
    assert found.next.previous is found


def test_arguments_stay_as_they_are():
    model = bar()
    before = bar()
    ad.grad(model.energy, wrt="self")(1.7)
    assert_same(model, before)


# Refused by name ------------------------------------------------------------------------------------------------------


class Reads:
    def __getattribute__(self, name):
        return object.__getattribute__(self, name)

    def act(self, x):
        return x


class MakesUp:
    def __getattr__(self, name):
        return 3.0

    def act(self, x):
        return self.anything * x


class Descriptor:
    def __get__(self, owner, cls):
        return 2.0

    def __set__(self, owner, value):
        pass


class Described:
    part = Descriptor()

    def act(self, x):
        return self.part * x


class Missing:
    def act(self, x):
        return self.nothing * x


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (Reads, None),
        (MakesUp, "has no attribute `anything`, and its `__getattr__`"),
        (Described, "`part` of Described is a descriptor"),
        (Missing, "'Missing' object has no attribute 'nothing'"),
    ],
)
def test_classes_that_change_what_attributes_mean_are_refused_by_name(cls, text):
    if text is None:
        reads = lambda thing, x: thing.act(x)  # noqa: E731
        with pytest.raises(CompileError, match="Reads defines `__getattribute__`"):
            ad.grad(reads, wrt="x")(cls(), 1.0)
    else:
        with pytest.raises(CompileError, match=text):
            ad.grad(cls().act)(1.0)


# Functions that hold values -------------------------------------------------------------------------------------------


def scaled(factor, x, offset=0.0):
    return factor * x * x + offset


class Holder:
    """Bound methods of itself and of others, partials and lambdas in attributes, a dict of settings."""

    def __init__(self, material):
        self.own, self.other, self.material = self.inner, material.__call__, material
        self.partial = functools.partial(scaled, 3.0, offset=0.5)
        self.function, self.settings = scaled, {"k": 1.5, "n": [1.0, 2.0], "f": math.sin}
        self.k = 2.0

    def inner(self, x):
        return self.k * x**3

    def energy(self, x):
        total = self.own(x) + self.other(x) + self.partial(x) + self.function(self.k, x)
        return total + self.settings["k"] * self.settings["f"](x) + self.settings["n"][1] * x


def apply(f, x):
    return f(x) * 2.0


OUTSIDE = functools.partial(scaled, 5.0)


def through_a_global_partial(x):
    return OUTSIDE(x, offset=x)


def test_methods_partials_and_functions_in_attributes_and_arguments():
    holder = Holder(Rubber(2.0, 0.5))
    check(holder.energy, 0.6, paths=("x", "self.k", "self.settings['k']"), hessian=False)
    with pytest.raises(ArgumentError, match="have one derivative together"):
        ad.grad(holder.energy, wrt="self.settings['n'][1]")(0.6)
    assert ad.grad(holder.energy, wrt="self.settings['n']")(0.6) == [0.0, 0.6]
    found = ad.grad(holder.energy, wrt="self")(0.6)
    assert found.own is None
    assert found.material.modulus == pytest.approx(slope(holder.energy, (0.6,), "self.material.modulus"))
    assert ad.grad(apply, wrt="x")(holder.inner, 0.6) == pytest.approx(2.0 * 2.0 * 3.0 * 0.36)
    assert ad.grad(apply, wrt="x")(functools.partial(scaled, 4.0), 0.6) == pytest.approx(2.0 * 8.0 * 0.6)
    assert ad.grad(through_a_global_partial)(0.6) == pytest.approx(10.0 * 0.6 + 1.0)
    holder.own = holder.material
    assert ad.grad(holder.energy)(0.6) == pytest.approx(slope(holder.energy, (0.6,), "x"))
