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
    "numpy.logspace": ("", "write `10.0 ** np.linspace(a, b, n)`"),
    "numpy.geomspace": ("", "write `np.exp(np.linspace(np.log(a), np.log(b), n))`"),
    "numpy.dstack": ("", "write `np.stack((A, B), axis=2)`"),
    "numpy.percentile": ("", "sort outside, and pass the order: interpolate in `x[order]`"),
    "numpy.quantile": ("", "sort outside, and pass the order: interpolate in `x[order]`"),
    "numpy.interp": ("", "count the interval, `k = np.sum(xp <= x) - 1`, and write `fp[k] + slope * (x - xp[k])`"),
    "numpy.polyfit": ("", "where the places are constant, it is a matrix times `y`: make the matrix outside"),
    "numpy.roots": ("", "take a root from outside as the start of a few steps of Newton's method"),
    "numpy.correlate": ("", "write a loop over the kernel: `y += k[i] * x[i : i + n]`"),
    "numpy.bincount": ("", "write `np.add.at(counts, k, weights)`"),
    "numpy.digitize": ("", "count: `np.sum(edges <= x)`"),
    "numpy.searchsorted": ("", "count: `np.sum(edges < x)`"),
    "numpy.rot90": ("", "write `A.T[::-1]`"),
    "numpy.put": ("", "write `x[k] = values`"),
    "numpy.choose": ("", "write `np.where` in `np.where`"),
    "numpy.select": ("", "write `np.where` in `np.where`"),
    "numpy.piecewise": ("", "write `np.where` in `np.where`"),
    "numpy.gradient": ("", "write `(x[2:] - x[:-2]) / (2.0 * h)` inside, and differences of neighbours at the ends"),
    "numpy.fromfunction": ("", "write the formula over `np.arange(n)[:, None]` and `np.arange(m)`"),
    "numpy.cov": ("", "write `d = A - np.mean(A, axis=1, keepdims=True)` and `d @ d.T / (n - 1)`"),
    "numpy.corrcoef": ("", "write the covariance, divided by the norms of the rows"),
    "numpy.diagonal": ("np.diag", "write `np.diag(A)`"),
    "numpy.block": ("", "write `np.concatenate` of rows, and of their parts with `axis=1`"),
    "numpy.broadcast_arrays": ("np.broadcast_to", "write `np.broadcast_to` for each"),
    "numpy.moveaxis": ("np.transpose", "write `np.transpose(x, order)`"),
    "numpy.copyto": ("", "write `a[...] = b`"),
    "numpy.array_equal": ("", "write `np.all(a == b)`"),
    "numpy.heaviside": ("", "write `np.where(x < 0.0, 0.0, np.where(x == 0.0, h, 1.0))`"),
    "numpy.sinc": ("", "write `np.where(x == 0.0, 1.0, np.sin(np.pi * x) / (np.pi * x))`"),
    "numpy.real": ("", "numbers are real here: leave it out"),
    "numpy.conjugate": ("", "numbers are real here: leave it out"),
    "numpy.vander": ("", "write `x[:, None] ** np.arange(n)[::-1]`"),
    "numpy.insert": ("", "write `np.concatenate((x[:k], y, x[k:]))`"),
    "numpy.delete": ("", "write `np.concatenate((x[:k], x[k + 1 :]))`"),
    "numpy.ediff1d": ("np.diff", "write `np.diff(x)`"),
    "numpy.float_power": ("", "write `x ** y` of floats"),
    "numpy.divmod": ("", "write `x // y` and `x % y`"),
    "numpy.ldexp": ("", "write `x * 2.0**n`"),
    "numpy.cumulative_sum": ("np.cumsum", "write `np.cumsum(x)`"),
    "numpy.vecdot": ("", "write `np.sum(a * b, axis=-1)`"),
    "numpy.lexsort": ("", "sort outside, and pass the order as an argument"),
    "numpy.partition": ("", "sort outside, and pass the order: `x[order]`"),
    "numpy.argpartition": ("", "sort outside, and pass the order as an argument"),
    "numpy.load": ("", OUTSIDE),
    "numpy.loadtxt": ("", OUTSIDE),
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
    if name.startswith("numpy.fft."):
        return "complex numbers are not compiled: multiply by matrices of cosines and sines that are made outside"
    if name.startswith("numpy.nan"):
        return "replace what is NaN first: `np.where(np.isnan(x), 0.0, x)`"
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
