"""A gradient by JAX: right, and how often its run time asks for memory."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed")
jax.config.update("jax_enable_x64", True)


def energy(x):
    return np.sum(np.sin(x) * x**2)


@jax.jit
@jax.grad
def compiled(x):
    return jax.numpy.sum(jax.numpy.sin(x) * x**2)


def gradient(x):
    """Wait for the result: JAX returns before it has computed, and the rest would be counted with the next call."""
    return compiled(x).block_until_ready()


def test_it_is_right(adalloc):
    report = adalloc.check_gradient(energy, np.linspace(1.0, 2.0, 100), grad=gradient)
    assert report.max_error < 1e-9


def test_it_allocates_in_every_call(adalloc):
    """What XLA compiled is clean; its run time is not: buffers, events, argument lists."""
    with pytest.raises(AssertionError, match="allocates: the gradient of energy") as failure:
        adalloc.check(energy, np.linspace(1.0, 2.0, 100), grad=gradient, calls=20)
    allocations = failure.value.report.allocations
    assert min(allocations.allocs_per_call) > 0
    assert any("jax" in library for library in allocations.by_library)
    assert "gradient" in {frame.symbol for site in allocations.sites for frame in site.stack}


def test_it_stays_below_a_limit(adalloc):
    """A limit for one call, over all threads: XLA has threads of its own."""
    adalloc.check(energy, np.linspace(1.0, 2.0, 100), grad=gradient, max_allocs=500, scope="process", calls=20)
