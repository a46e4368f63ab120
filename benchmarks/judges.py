"""`python -m benchmarks.judges`: which checkers of gradients see a planted error; same function, same errors.

The errors of `tests/soundness/planted.py`, in one component of the gradient of `np.sum(np.sin(x) * x**2)`: for each
checker with the settings that its documentation gives, how many of the fifteen kinds it calls wrong. A checker that is
not installed is left out with a note.

    ours              pytest_adalloc.check_gradient
    scipy check_grad  the norm of the difference; wrong above 1e-5 of the gradient's, as its examples have it
    torch gradcheck   float64, eps 1e-6, atol 1e-5, rtol 1e-3 (its defaults)
    jax check_grads   float64, its defaults
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.soundness.planted import KINDS, PLACES, Place, energy

SIZES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)

Judge = Callable[[Place, Callable[[Any], Any]], bool]
"""Whether a gradient of the place's function is called wrong."""


def ours(place: Place, gradient: Callable[[Any], Any]) -> bool:
    return place.report(gradient).verdict != "passed"


def scipy_check_grad(place: Place, gradient: Callable[[Any], Any]) -> bool:
    from scipy.optimize import check_grad

    return bool(check_grad(energy, gradient, place.x) > 1e-5 * np.linalg.norm(gradient(place.x)))


def torch_gradcheck(place: Place, gradient: Callable[[Any], Any]) -> bool:
    import torch

    class Energy(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return torch.sum(torch.sin(x) * x**2)

        @staticmethod
        def backward(ctx: Any, above: Any) -> Any:
            (x,) = ctx.saved_tensors
            return above * torch.from_numpy(gradient(x.detach().numpy()))

    x = torch.tensor(place.x, requires_grad=True)
    return not torch.autograd.gradcheck(Energy.apply, (x,), raise_exception=False)


def jax_check_grads(place: Place, gradient: Callable[[Any], Any]) -> bool:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    @jax.custom_vjp
    def value(x: Any) -> Any:
        return jnp.sum(jnp.sin(x) * x**2)

    value.defvjp(lambda x: (value(x), x), lambda x, above: (above * jnp.asarray(gradient(np.asarray(x))),))
    try:
        check_grads(value, (place.x,), order=1, modes=["rev"])
    except AssertionError:
        return True
    return False


JUDGES: dict[str, tuple[str, Judge]] = {
    "ours": ("numpy", ours),
    "scipy check_grad": ("scipy", scipy_check_grad),
    "torch gradcheck": ("torch", torch_gradcheck),
    "jax check_grads": ("jax", jax_check_grads),
}


def seen(judge: Judge, place: Place, size: float) -> int:
    """How many kinds of errors of a size are called wrong."""
    return sum(judge(place, lambda x, kind=kind: place.wrong(kind, size, x)) for kind in KINDS)


def main() -> None:
    """A table for each place: a row for each size, a column for each checker."""
    present = {name: judge for name, (module, judge) in JUDGES.items() if importlib.util.find_spec(module)}
    for place in PLACES[:2]:
        print(f"\n{place.name}: errors called wrong, of {len(KINDS)} kinds")
        print("| size | " + " | ".join(present) + " |\n| --- |" + " --- |" * len(present))
        print(
            "| right | " + " | ".join("wrong" if j(place, place.right) else "passed" for j in present.values()) + " |"
        )
        for size in SIZES:
            print(f"| {size:.0e} | " + " | ".join(str(seen(j, place, size)) for j in present.values()) + " |")
    for name in JUDGES.keys() - present.keys():
        print(f"\n{name} is not installed: left out")


if __name__ == "__main__":
    main()
