"""Numbers that are Python's or NumPy's as the data decide: each raises, or not, as the object that Python has there."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest

import adcore as ad
from adcore.driver.pipeline import GRADIENT, SIMPLIFIED
from adcore.errors import CompileError
from adcore.ir.core import walk
from tests.frontend.support import agrees, compiled, outcome, run

# Ways to come to a number `m`: `x` is an array (NumPy's floats), `c` a Python float, `k` an integer that decides.


def minimum(x, c, k):
    return min(x[k], c)


def maximum_of_three(x, c, k):
    return max(c, x[k], -2.0)


def chained(x, c, k):
    return min(max(x[0], c), x[1], c)


def conditional(x, c, k):
    return x[0] if k > 0 else c


def branches(x, c, k):
    if k > 0:
        m = c
    else:
        m = x[0]
    return m


def one_branch(x, c, k):
    m = c
    if k > 0:
        m = x[1]
    return m


def elif_branches(x, c, k):
    if k > 1:
        m = c
    elif k > 0:
        m = x[0]
    else:
        m = 0.0
    return m


def running(x, c, k):
    m = 0.0
    for i in range(k):
        m = max(m, x[i])
    return m


def replaced(x, c, k):
    m = c
    for i in range(k):
        m = x[i]
    return m


def replaced_by_pythons(x, c, k):
    m = x[0]
    for _ in range(k):
        m = c
    return m


def alternating(x, c, k):
    m, other = c, x[0]
    for _ in range(k):
        m, other = other, m
    return m


def counted_down(x, c, k):
    m = c
    while k > 0:
        m = x[k]
        k -= 1
    return m


def with_break(x, c, k):
    m = c
    for i in range(len(x)):
        if i >= k:
            break
        m = x[i]
    return m


def with_continue(x, c, k):
    m = c
    for i in range(len(x)):
        if i != k + 1:
            continue
        m = x[i]
    return m


def with_else(x, c, k):
    m = x[0]
    for i in range(len(x)):
        if i > k:
            break
    else:
        m = c
    return m


def unbound_before(x, c, k):
    for i in range(k + 1):
        m = x[i] if i < 1 else c
    return m


def nested_loops(x, c, k):
    m = c
    for i in range(k):
        for j in range(i):
            m = min(m, x[j])
    return m


def early(x, c, k):
    def first_above(y):
        for i in range(k):
            if x[i] > y:
                return x[i]
        return c

    return first_above(0.25)


def helper(x, c, k):
    return picked(x[0], c, k)


def picked(a, b, k):
    if k > 1:
        return a
    return b


def operand(x, c, k):
    return (c and x[k]) if k > 0 else (x[0] or c)


def of_a_tuple(x, c, k):
    return (x[0], c, x[1])[k]


def of_a_long_tuple(x, c, k):
    return (x[0], c, x[1], c, c, x[0], x[1], c, 0.5, x[0])[k]


def of_a_list(x, c, k):
    m = [x[0], c, x[1]]
    m[k] = c
    return m[k - 1]


def of_a_long_list(x, c, k):
    m = [c] * 12
    for i in range(k):
        m[i] = x[i]
    return m[1]


def of_a_list_of_any_length(x, c, k):
    m = [0.0] * len(x)
    m[k] = x[k]
    return m[1]


def of_a_slice(x, c, k):
    m = [c] * len(x)
    m[k] = x[k]
    return m[1:][0]


def of_a_comprehension(x, c, k):
    m = [(x[i] if i > k else c) for i in range(len(x))]
    return m[1]


def unrolled_comprehension(x, c, k):
    m = [(x[i] if i > k else c) for i in range(3)]
    return m[1]


def list_in_a_loop(x, c, k):
    m = [c, c]
    for i in range(k):
        m[0], m[1] = x[i], m[0]
    return m[1]


def summed(x, c, k):
    return sum(x[:k])


def summed_from(x, c, k):
    return sum(x[:k], c)


def summed_generator(x, c, k):
    return sum((x[i] if x[i] < 0.2 else 0.0) for i in range(k))


def least_of_generator(x, c, k):
    return min((x[i] if i > 1 else c) for i in range(k + 1))


class Pair(NamedTuple):
    first: float
    second: float


def in_a_record(x, c, k):
    p = Pair(c, x[0])
    for _ in range(k):
        p = Pair(p.second, p.first)
    return p.first


def in_a_tuple(x, c, k):
    p = (c, x[0])
    if k > 0:
        p = (x[0], c)
    return p[0]


def same_number(x, c, k):
    m = x[0]
    if k > 0:
        m = float(m)
    return m


def same_number_in_a_loop(x, c, k):
    m = x[0]
    for _ in range(k):
        m = float(m)
    return m


def computed(x, c, k):
    m = min(x[k], c)
    return m * 1.0 + 0.0 * max(c, x[0])


def absolute(x, c, k):
    return abs(-min(x[k], c))


def over_items(x, c, k):
    m = 1.0
    for v in (c, x[0], x[1]):
        if k > 0:
            m = v
        k -= 1
    return m


def default_argument(x, c, k):
    def own(a, m=c):
        if k > 0:
            m = a
        return m

    return own(x[0])


JOINS = (
    minimum, maximum_of_three, chained, conditional, branches, one_branch, elif_branches, running, replaced,
    replaced_by_pythons, alternating, counted_down, with_break, with_continue, with_else, unbound_before, nested_loops,
    early, helper, operand, of_a_tuple, of_a_long_tuple, of_a_list, of_a_long_list, of_a_list_of_any_length, of_a_slice,
    of_a_comprehension, unrolled_comprehension, list_in_a_loop, summed, summed_from, summed_generator,
    least_of_generator, in_a_record, in_a_tuple, same_number, same_number_in_a_loop, computed, absolute, over_items,
    default_argument,
)  # fmt: skip

OPERATIONS = {
    "divided": lambda m, x: 1.0 / m,
    "divides": lambda m, x: m / 0.0,
    "integer zero": lambda m, x: m / 0,
    "floor": lambda m, x: 1.0 // m,
    "modulo": lambda m, x: 1.0 % m,
    "divmod": lambda m, x: divmod(2.0, m)[1],
    "itself": lambda m, x: m / m,
    "negative power": lambda m, x: m**-1.0,
    "negative integer power": lambda m, x: m**-3,
    "unknown power": lambda m, x: m ** (m - 1.0),
    "power of a negative": lambda m, x: (m - 0.5) ** 2.0,
    "overflowing square": lambda m, x: (1e200 * (m + 1.0)) ** 2,
    "overflowing power": lambda m, x: 10.0 ** (400.0 + m),
    "overflowing cube": lambda m, x: pow(1e150 * abs(1.0 + m), 3.5),
    "by NumPy's": lambda m, x: x[0] / m,
    "of NumPy's": lambda m, x: m / np.float64(0.0),
    "made Python's": lambda m, x: 1.0 / float(m),
    "made NumPy's": lambda m, x: 1.0 / np.float64(m),
    "NumPy function": lambda m, x: 1.0 / np.sin(m),
    "math function": lambda m, x: 1.0 / math.sin(m),
    "negated": lambda m, x: 1.0 / -m,
    "added up": lambda m, x: 1.0 / (m + m),
    "doubled": lambda m, x: 3.0 / (2 * m + 0),
    "as a flag": lambda m, x: 1.0 / (m * (m > -5.0)),
    "class": lambda m, x: isinstance(m, np.floating),
    "both classes": lambda m, x: isinstance(m, float),
}


def agree(function, cases):
    """The compiled function does what Python does for all `cases`, which agree in their kinds."""
    program = compiled(function, *cases[0])
    for args in cases:
        expected, error, line = outcome(function, *args)
        got, our_error, our_line = outcome(lambda *a: run(program, *a), *args)
        assert type(our_error) is type(error), f"{our_error!r}, {got!r} instead of {error!r}, {expected!r} of {args}"

        assert str(our_error) == str(error) or "divmod" in str(error)
        assert our_line == line
        assert error is not None or got == pytest.approx(expected, rel=1e-13, abs=0.0, nan_ok=True), args


def points():
    """Values of which many are zero, in all orders in which `min` and `max` can meet them."""
    for first, second, c, k in itertools.product((0.0, 1.0), (0.0, -1.0), (0.0, -0.5, 0.5), range(3)):
        yield np.array([first, second, 0.25]), c, k


@pytest.mark.parametrize("join", JOINS, ids=lambda f: f.__name__)
def test_a_number_of_either_kind(join):
    for operation in (OPERATIONS[name] for name in ("divided", "by NumPy's", "class", "negative power")):

        def program(x, c, k, operation=operation):
            return operation(join(x, c, k), x)

        agree(program, list(points()))
    classes = {isinstance(join(*point), np.floating) for point in points()}
    assert classes == {False, True}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_at_all_values(name):
    operation = OPERATIONS[name]

    def program(x, c, k):
        return operation(min(x[k], c), x)

    values = (0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -400.0, math.inf, -math.inf, math.nan)
    agree(program, [(np.array([own]), c, 0) for own, c in itertools.product(values, values)])


# Integers and bools


def integer(n, c, k):
    return min(n[k], c)


INTEGER_OPERATIONS = {
    "divided": lambda m, n: 1 / m,
    "float by it": lambda m, n: 1.0 / m,
    "by NumPy's": lambda m, n: n[0] / m,
    "negative power": lambda m, n: m**-1,
    "negative float power": lambda m, n: m**-1.0,
    "square": lambda m, n: m**2,
    "power": lambda m, n: 2 ** abs(m),
    "bits": lambda m, n: (m & 3) + (m | 4) + (m ^ 1) + (m << 1) + (m >> 1) + ~m,
    "rounded": lambda m, n: (round(m), math.floor(m), math.ceil(m), int(m), abs(m), -m, +m)[3],
    "truncated": lambda m, n: math.trunc(m),
    "floored": lambda m, n: math.floor(m + (2**60 + 1)) - 2**60,
    "class": lambda m, n: isinstance(m, int),
    "subscript": lambda m, n: n[m],
    "range": lambda m, n: sum(i for i in range(m)),
}


@pytest.mark.parametrize("name", INTEGER_OPERATIONS)
def test_integers_of_either_kind(name):
    operation = INTEGER_OPERATIONS[name]

    def program(n, c, k):
        return operation(min(n[k], c), n)

    values = (0, 1, -1, 2)
    agree(program, [(np.array([a, b, 2]), c, k) for a in values for b in values for c in values for k in (0, 1)])


@pytest.mark.parametrize("name", ["truncated", "floored"])
def test_rounding_of_numpys_integers(name):
    # They have no `__trunc__`, and no `__floor__`, so that floor goes through a float and loses digits.
    operation = INTEGER_OPERATIONS[name]

    def program(n, c, k):
        return operation(n[k], n)

    if name == "floored":
        agree(program, [(np.array([k]), 1, 0) for k in range(5)])
    else:
        with pytest.raises(CompileError, match=r"math\.trunc does not take NumPy i64"):
            compiled(program, np.array([1]), 1, 0)


def flags(x, c, k):
    found = False
    for i in range(k):
        found = found or x[i] > c
    return found


BOOL_OPERATIONS = {
    "not": lambda m, x: not m,
    "and": lambda m, x: m and x[0] > 0.0,
    "or": lambda m, x: isinstance(m or True, bool),
    "as a number": lambda m, x: 1.0 * m + 2 * m,
    "bits": lambda m, x: m & (x[0] > 0.0) | m ^ True,
    "class": lambda m, x: isinstance(m, bool),
    "compared": lambda m, x: m == True,  # noqa: E712
    "chosen": lambda m, x: (1.0 if m else 0.0) / (0.0 if m else x[0]),
    "integer": lambda m, x: ~int(m),
}


@pytest.mark.parametrize("name", BOOL_OPERATIONS)
def test_bools_of_either_kind(name):
    operation = BOOL_OPERATIONS[name]

    def program(x, c, k):
        return operation(flags(x, c, k), x)

    agree(program, list(points()))


def inverted(x, c, k):
    return ~flags(x, c, k)


def minus(x, c, k):
    return -flags(x, c, k)


def plus(x, c, k):
    return +flags(x, c, k)


def added(x, c, k):
    return flags(x, c, k) + True


def absolute_bool(x, c, k):
    return abs(flags(x, c, k))


def rounded_bool(x, c, k):
    return round(flags(x, c, k))


def range_of_bool(x, c, k):
    return sum(1.0 for i in range(flags(x, c, k)))


def indexed_by_bool(x, c, k):
    return (1.0, 2.0)[flags(x, c, k)]


def real_bool(x, c, k):
    return flags(x, c, k).real


def item_of_either(x, c, k):
    return min(x[0], c).item()


def item_of_pythons(x, c, k):
    return (c * 2.0).item()


@pytest.mark.parametrize(
    ("function", "title"),
    [
        (inverted, "`~` of a bool that is Python's on one path and NumPy's on another"),
        (minus, "`-` of a NumPy bool"),
        (plus, "`[+]` of a NumPy bool"),
        (added, "`[+]` of NumPy bools"),
        (absolute_bool, "abs of a NumPy bool"),
        (rounded_bool, "round does not take a NumPy bool"),
        (range_of_bool, "range does not take a NumPy bool"),
        (indexed_by_bool, "a subscript or a length can't be a NumPy bool"),
        (real_bool, "`.real` of a bool that may be NumPy's or Python's"),
        (item_of_either, "a number that may be Python's own has no `item`"),
        (item_of_pythons, "a number that is Python's own has no `item`"),
    ],
)
def test_what_is_ambiguous_is_refused_where_it_stands(function, title):
    line = function.__code__.co_firstlineno + 1
    with pytest.raises(CompileError, match=title) as caught:
        compiled(function, np.array([1.0, 0.0]), 0.5, 1)
    assert caught.value.diagnostics[0].span.line == line
    assert caught.value.diagnostics[0].help


def small(a, v, w, k):
    a[0] = min(v[0], w)
    a[1] = v[0]


def small_slice(a, v, w, k):
    a[:] = min(v[0], w)


def small_copy(a, v, w, k):
    a[:] = v


def test_integers_that_do_not_fit():
    for dtype in (np.int8, np.uint8, np.int16, np.uint32, np.uint64, np.int64):
        for value, own in itertools.product((5, 300, -1), (7, 400, -2)):
            for function in (small, small_slice, small_copy):
                agrees(function, np.zeros(2, dtype), np.array([value, value]), own, 0)


# float32


def single_sum(x, c, k):
    s = 0.0
    for i in range(k):
        s += x[i]
    return 0.5 * s, s / 2, s - 1, s < 0.1, -s, abs(s), s * x[0], math.sqrt(s), float(s), s * s


def single_average(x, c, k):
    s = 0.0
    for i in range(k):
        s = s * 0.75 + x[i]
    return s


def single_quotient(x, c, k):
    s = 0.0
    for i in range(k):
        s += x[i]
    return 1.0 / s


def single_tenth(x, c, k):
    s = 1.0
    for i in range(k):
        s += x[i]
    return s * 0.1


def single_wave(x, c, k):
    s = 0.0
    for i in range(k):
        s += x[i]
    return np.exp(s)


def single_by_either(x, c, k):
    m = c
    for _ in range(k):
        m = np.float64(1.5)
    return x[0] * m


def compared_single(x, c, k):
    s = np.float32(0.1)
    m = min(x[0], 0.5)
    return m == s, m < 0.3, m > 0.1, max(m, 0.25)


@pytest.mark.parametrize("function", [single_sum, single_average, single_quotient])
def test_float32_of_either_kind(function):
    for k in range(3):
        agrees(function, np.array([0.1, 0.7, 0.0], np.float32), 0.3, k)


def test_comparisons_of_float32_of_either_kind():
    for value in (0.1, 0.3, 0.5, 0.7):
        agrees(compared_single, np.array([value], np.float32), 0.3, 0)


@pytest.mark.parametrize("function", [single_tenth, single_wave, single_by_either])
def test_where_the_precision_depends_on_whose_a_number_is_nothing_goes_on(function):
    x = np.array([0.1, 0.7], np.float32)
    program = compiled(function, x, 0.3, 0)
    with pytest.raises(TypeError, match=r"a Python float here .* write float") as caught:
        run(program, x, 0.3, 0)
    assert caught.value.span.line == function.__code__.co_firstlineno + 4
    if function is not single_by_either:
        agrees(function, x, 0.3, 2)
    else:
        assert run(program, x, 0.3, 1) == function(x, 0.3, 1)


# Rules


def scaled(a, b):
    return a * b


def quotient(a, b):
    return a / b


ad.rule(scaled, adjoint=lambda a, b, result, ct: (b * ct, a * ct))
ad.rule(quotient, adjoint=lambda a, b, result, ct: (ct / b, -ct * a / (b * b)))


def by_a_rule(x, c, k):
    m = min(x[k], c)
    return scaled(m, m) + 1.0 / scaled(m, 2.0) + quotient(1.0, m) + quotient(max(x[0], c), m)


def test_a_rule_for_numbers_of_either_kind():
    agree(by_a_rule, list(points()))
    # What is the same for both is called once.
    once = compiled(lambda x, c: scaled(min(x[0], c), 2.0), np.ones(1), 1.0)
    assert [i.op for i in walk(once.module.main.region)].count("rule") == 1


def test_derivatives_by_a_rule_for_numbers_of_either_kind():
    def program(x, c):
        return quotient(2.0, max(x[0], c)) + scaled(min(x[0], c), x[1])

    for own in (0.5, 2.0):
        value, gradient = ad.value_and_grad(program)(np.array([own, 3.0]), 1.0)
        assert value == program(np.array([own, 3.0]), 1.0)
        expected = [3.0 if own < 1.0 else -2.0 / own**2, min(own, 1.0)]
        np.testing.assert_allclose(gradient, expected, rtol=1e-14)


# What it costs


def norm(x, w):
    largest = 0.0
    for i in range(len(x)):
        largest = max(largest, x[i])
    total = 0.0
    for i in range(len(x)):
        total += w * (x[i] / largest) ** 2
    return total * largest


def inverse(x, w):
    largest = 0.0
    for i in range(len(x)):
        largest = max(largest, x[i])
    total = 0.0
    for i in range(len(x)):
        total += w / largest * x[i] ** 2
    return total


def test_without_an_operation_that_asks_there_are_no_flags():
    for function in (norm, flags, replaced, of_a_list_of_any_length):
        program = compiled(function, np.ones(3), 0.5, *([] if function is norm else [1]))
        instrs = list(walk(program.module.main.region))
        types = [str(r.type) for i in instrs if i.op in ("for", "while", "if", "select", "alloc") for r in i.results]
        found = 2 if function is flags else 0
        assert sum("bool" in t for t in types) == found, types


def test_a_flag_that_is_asked_before_is_not_kept_for_the_reverse_sweep():
    x, dx = np.array([0.5, 2.0, 1.0]), np.zeros(3)
    kept = [ad.compile(function, ad.Duplicated(x, dx), ad.Active(0.5), mode=ad.Reverse) for function in (norm, inverse)]
    assert kept[0].workspace_bytes == kept[1].workspace_bytes == 0
    for handle in kept:
        gradient = handle._run.specialisation.build.product(GRADIENT)
        assert not any(i.op == "push" or i.attrs.get("role") == "stored" for i in walk(gradient.region))
    gradient, own = ad.grad(inverse, (0, 1))(x, 0.5)
    np.testing.assert_allclose(gradient, 0.5 * x + np.array([0.0, -0.5 * (x @ x) / 4.0, 0.0]), rtol=1e-14)
    assert own == pytest.approx((x @ x) / 2.0)


@pytest.mark.parametrize("mode", ["primal", "value_and_grad", "jvp"])
def test_machine_code_and_derivatives_raise_like_python(mode):
    call = {
        "primal": lambda x, w: ad.compile(inverse, x, w, mode=ad.Primal)(x, w),
        "value_and_grad": lambda x, w: ad.value_and_grad(inverse)(x, w)[0],
        "jvp": lambda x, w: ad.jvp(inverse, (x, w), (np.ones_like(x), 1.0))[0],
    }[mode]
    for x in (np.array([0.0, -1.0]), np.array([-0.0, -1.0]), np.zeros(1)):
        with pytest.raises(ZeroDivisionError, match="float division by zero"):
            inverse(x, 0.5)
        with pytest.raises(ZeroDivisionError, match="float division by zero"):
            call(x, 0.5)
        with np.errstate(all="ignore"):
            assert np.isnan(call(x, 0.5 * np.float64(1.0))) == np.isnan(inverse(x, np.float64(0.5)))
    assert call(np.array([0.5, 2.0]), 0.5) == pytest.approx(0.25 * 4.25)


def quotients(x, w):
    smallest, total = w, 0.0
    for i in range(len(x)):
        smallest = x[i] * smallest if i % 3 else min(smallest, x[i])
        total += w / smallest * math.exp(x[i])
        x[i] = total
    return total


def test_the_plan_is_that_of_the_program_without_flags():
    x, dx = np.array([0.5, 0.3, 1.2, 0.9]), np.zeros(4)
    # For a NumPy `w` nothing has to be asked.
    handles = [ad.compile(quotients, ad.Duplicated(x, dx), ad.Active(w)) for w in (0.7, np.float64(0.7))]
    programs = [h._run.specialisation.build.product(SIMPLIFIED) for h in handles]
    asked = [any(i.attrs.get("error") == "ZeroDivisionError" for i in walk(p.region)) for p in programs]
    assert asked == [True, False]
    assert str(handles[0].explain()) == str(handles[1].explain())
    assert handles[0].workspace_bytes == handles[1].workspace_bytes > 0
    gradients = [ad.grad(quotients, (0, 1))(x.copy(), w) for w in (0.7, np.float64(0.7))]
    np.testing.assert_array_equal(gradients[0][0], gradients[1][0])
    assert gradients[0][1] == gradients[1][1]
    with pytest.raises(ZeroDivisionError):
        quotients(np.array([1.0, 0.5]), 0.0)
    with pytest.raises(ZeroDivisionError):
        ad.grad(quotients)(np.array([1.0, 0.5]), 0.0)
