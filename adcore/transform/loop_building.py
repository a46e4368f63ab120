"""Small pieces of loop code that passes emit."""

from __future__ import annotations

from collections.abc import Callable

from adcore.analysis.affine.forms import Form
from adcore.ir.builder import Builder
from adcore.ir.core import Instr, Value


def trip_count(builder: Builder, loop: Instr) -> Value:
    """The number of iterations of a `for`, from its bounds (which must be in scope)."""
    lo, hi = loop.operands[:2]
    step = loop.attrs["step"]
    distance = builder.emit("sub", hi, lo, exact=True) if step > 0 else builder.emit("sub", lo, hi, exact=True)
    if abs(step) > 1:
        rounded = builder.emit("add", distance, builder.const(abs(step) - 1), exact=True)
        distance = builder.emit("floordiv", rounded, builder.const(abs(step)), exact=True)
    return builder.emit("maximum", distance, builder.const(0))


def inits_of(loop: Instr) -> tuple[Value, ...]:
    """The initial carried values of a loop."""
    return loop.operands[len(loop.operands) - len(loop.regions[-1].yields) :]


def iteration_number(builder: Builder, loop: Instr, counter: Value) -> Value:
    """The number (from 0) of the iteration of a `for` in which its variable is `counter`."""
    lo, step = loop.operands[0], loop.attrs["step"]
    distance = builder.emit("sub", counter, lo, exact=True)
    return distance if step == 1 else builder.emit("floordiv", distance, builder.const(step), exact=True)


def emit_form(b: Builder, form: Form, named: Callable[[Value], Value]) -> Value:
    """The value of an affine form, which is known to fit; `named` says what an atom is called here."""
    total: Value | None = None
    for atom, coefficient in form.items():
        if atom == 1:
            continue
        assert isinstance(atom, Value)
        term = named(atom)
        if coefficient not in (1, -1):
            term = b.emit("mul", term, b.const(coefficient), exact=True)
        if total is None:
            total = term if coefficient != -1 else b.emit("neg", term, exact=True)
        else:
            total = b.emit("sub" if coefficient == -1 else "add", total, term, exact=True)
    constant = form.get(1, 0)
    if total is None:
        return b.const(constant)
    return b.emit("add", total, b.const(constant), exact=True) if constant else total
