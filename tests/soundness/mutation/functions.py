"""For each op with a derivative rule: functions of one line in which it decides the gradient."""

from __future__ import annotations

import math

import numpy as np

import adcore as ad
from tests.soundness.mutation.programs import Program

NUMPY = {
    "abs": "abs(x)", "acos": "np.arccos(x)", "acosh": "np.arccosh(x + 1.0)", "asin": "np.arcsin(x)",
    "asinh": "np.arcsinh(x)", "atan": "np.arctan(x)", "atanh": "np.arctanh(x)", "cbrt": "np.cbrt(x)",
    "cos": "np.cos(x)", "cosh": "np.cosh(x)", "erf": "math.erf(x)", "erfc": "math.erfc(x)", "exp": "np.exp(x)",
    "exp2": "np.exp2(x)", "expm1": "np.expm1(x)", "gamma": "math.gamma(x)", "lgamma": "math.lgamma(x)",
    "log": "np.log(x)", "log10": "np.log10(x)", "log1p": "np.log1p(x)", "log2": "np.log2(x)", "neg": "-x",
    "sin": "np.sin(x)", "sinh": "np.sinh(x)", "sqrt": "np.sqrt(x)", "tan": "np.tan(x)", "tanh": "np.tanh(x)",
    "polygamma": "ad.grad(log_gamma)(x)", "mulz": "ad.grad(of_root)(x)",
}  # fmt: skip
OF_TWO = {
    "add": "x + y", "sub": "x - y", "mul": "x * y", "div": "x / y", "pow": "x ** y", "atan2": "np.arctan2(x, y)",
    "hypot": "np.hypot(x, y)", "logaddexp": "np.logaddexp(x, y)", "copysign": "np.copysign(x, -y)",
    "fmod": "math.fmod(10.0 * x, y)", "mod": "(10.0 * x) % y",
}  # fmt: skip
OF_TWO_ORDERS = {"maximum": "np.maximum(x, y)", "minimum": "np.minimum(x, y)"}
POINT = (0.6, 0.85)


def log_gamma(x):
    return math.lgamma(x)


def of_root(x):
    return x * np.sin(x * np.sqrt(x))


def _made(name: str, parameters: str, text: str) -> Program:
    """A function with a source that the compiler can read."""
    import linecache

    file, source = f"<{name}>", f"def {name}({parameters}):\n    return {text}\n"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    scope = {"np": np, "math": math, "ad": ad, "log_gamma": log_gamma, "of_root": of_root}
    exec(compile(source, file, "exec"), scope)
    return scope[name], POINT[: len(parameters.split(", "))]  # type: ignore[return-value]


FUNCTIONS: dict[str, list[Program]] = {
    **{op: [_made(f"of_{op}", "x", text)] for op, text in NUMPY.items()},
    **{op: [_made(f"of_{op}", "x, y", text)] for op, text in OF_TWO.items()},
}
for _op, _text in OF_TWO_ORDERS.items():
    _f, (_x, _y) = _made(f"of_{_op}", "x, y", _text)
    FUNCTIONS[_op] = [(_f, (_x, _y)), (_f, (_y, _x))]
