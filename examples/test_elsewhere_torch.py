"""A gradient by PyTorch: right, and which of its functions ask for memory."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def energy(x):
    return np.sum(np.sin(x) * x**2)


def gradient(x):
    leaf = torch.from_numpy(x).requires_grad_()
    (slope,) = torch.autograd.grad((torch.sin(leaf) * leaf**2).sum(), leaf)
    return slope.numpy()


def test_it_is_right(adalloc):
    report = adalloc.check_gradient(energy, np.linspace(1.0, 2.0, 100), grad=gradient)
    assert report.max_error < 1e-9


def test_it_allocates_in_every_call(adalloc):
    """Each operation makes a tensor and a node of the graph that is walked backwards: a tape."""
    with pytest.raises(AssertionError, match="allocates: the gradient of energy") as failure:
        adalloc.check(energy, np.linspace(1.0, 2.0, 100), grad=gradient, calls=20)
    allocations = failure.value.report.allocations
    assert min(allocations.allocs_per_call) > 0
    assert any(library.startswith("libtorch") for library in allocations.by_library)
    tensors = next(site for site in allocations.sites if "alloc_cpu" in site.symbol)
    assert tensors.function == "posix_memalign"
    assert tensors.bytes > 20 * 800  # at least one tensor of 100 numbers in each of the 20 calls


def test_operations_into_given_tensors_allocate_nothing(adalloc):
    """The same gradient by hand: operations with a place for their result need no memory of their own."""
    x, out, scratch = torch.linspace(1.0, 2.0, 100), torch.zeros(100), torch.zeros(100)

    def by_hand():
        torch.cos(x, out=out)
        out.mul_(x).mul_(x)
        torch.sin(x, out=scratch).mul_(x)
        out.add_(scratch, alpha=2.0)

    with torch.no_grad():
        assert adalloc.measure(by_hand).pattern == "none"
    assert torch.allclose(out, torch.cos(x) * x**2 + 2.0 * torch.sin(x) * x)
