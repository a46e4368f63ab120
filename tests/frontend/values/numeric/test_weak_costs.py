"""What it costs that numbers are Python's or NumPy's as the data decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adcore as ad
from adcore.driver.pipeline import GRADIENT, SIMPLIFIED
from adcore.ir.core import walk
from tests.frontend.support import compiled

# Ways to come to a number `m`: `x` is an array (NumPy's floats), `c` a Python float, `k` an integer that decides.
from tests.frontend.values.numeric.weak_numbers import flags, of_a_list_of_any_length, replaced


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
