"""What to write in place of functions that programs may not call."""

from __future__ import annotations

import sysconfig
from functools import cache
from typing import Any

from adcore.frontend.registry import FUNCTIONS

OUTSIDE = "compute it outside, and pass the result as an argument"

REPORT = "return the number, or store it into an array, and report it after the call"
"""For functions that write a message: compiled code writes to arrays only."""

ADVICE: dict[str, tuple[str, str]] = {
    "numpy.linalg.inv": ("np.linalg.solve", "write `np.linalg.solve(A, b)` for `np.linalg.inv(A) @ b`"),
    "numpy.linalg.solve": ("", "eliminate in loops; where the matrix is constant, pass its inverse as an argument"),
    "numpy.linalg.det": ("", "for small matrices write the formula; otherwise eliminate in loops"),
    "numpy.linalg.matrix_power": ("", "multiply in a loop: `P = P @ A`"),
    "numpy.linalg.multi_dot": ("", "write `A @ B @ C`"),
    "numpy.sort": ("", "sort outside, and pass the order: `x[order]`"),
    "numpy.argsort": ("", "sort outside, and pass the order as an argument"),
    "numpy.median": ("", "sort outside, and pass the order: the middle of `x[order]`"),
    "numpy.einsum": ("", "write `@`, `np.sum` over an axis, and new axes: `np.sum(A[:, :, None] * B, axis=1)`"),
    "numpy.tensordot": ("", "write `@`, or reshape to matrices before"),
    "numpy.kron": ("", "write `(A[:, None, :, None] * B[None, :, None, :]).reshape(n, m)`"),
    "numpy.trapezoid": ("", "write `np.sum(0.5 * (y[1:] + y[:-1]) * np.diff(x))`"),
    "numpy.trapz": ("", "write `np.sum(0.5 * (y[1:] + y[:-1]) * np.diff(x))`"),
    "numpy.polyval": ("", "write Horner's scheme: `for c in p: y = y * x + c`"),
    "numpy.convolve": ("", "write a loop over the kernel: `y += k[i] * x[i : i + n]`"),
    "numpy.vectorize": ("", "call the function in a loop, or write it with arrays"),
    "numpy.apply_along_axis": ("", "loop over the rows"),
    "numpy.unique": ("", OUTSIDE),
    "numpy.histogram": ("", OUTSIDE),
}
"""By function: the call that serves in its place, if programs may call that, and what to write."""


def advice(name: str) -> str:
    """What to write in place of a function of this name."""
    call, text = ADVICE.get(name, ("", ""))
    if text and (not call or call in _supported()):
        return text
    if name.startswith(("logging.", "warnings.")):
        return REPORT
    if ".random." in name or name.startswith("random."):
        return "draw outside, and pass the numbers as an argument"
    if name.startswith("numpy.linalg."):
        return "where the matrix is constant, compute it outside and pass the result; otherwise eliminate in loops"
    if name.startswith(("time.", "os.", "sys.", "open")):
        return "call it outside the compiled function"
    return "use a function of docs/supported.md, or compute it outside and pass the result as an argument"


@cache
def _supported() -> frozenset[str]:
    return frozenset(entry.name for entry in FUNCTIONS.values())


def library_name(function: Any) -> str:
    """A function as its documentation calls it: without the private modules that it is made in."""
    owner = getattr(function, "__self__", None)
    module = str(getattr(function, "__module__", "") or "")
    name = getattr(function, "__name__", type(function).__name__)
    if not module and owner is not None and not isinstance(owner, type):
        module = type(owner).__module__
    # The C part of a module is named after it.
    module = {"_warnings": "warnings"}.get(module, module)
    public = [part for part in module.split(".") if part and not part.startswith("_")]
    return ".".join([*public, name]).removeprefix("builtins.")


def writes_messages(function: Any) -> bool:
    """Whether a function is one of `logging`'s or `warnings`', a method of a logger included: what these are made of
    (locks, handlers, frames of callers) would only hide that the call itself can't be compiled."""
    return getattr(function, "__module__", None) in ("logging", "warnings", "_warnings")


def is_of_a_library(file: str) -> bool:
    """Whether a source file belongs to an installed package or to Python itself."""
    return any(f"/{part}/" in file for part in ("site-packages", "dist-packages")) or file.startswith(_python())


@cache
def _python() -> tuple[str, ...]:
    return tuple(path for key in ("stdlib", "platstdlib") if (path := sysconfig.get_path(key)))
