"""Mathematics that builds IR: rules are written as formulas over `Expr`."""

from __future__ import annotations

from dataclasses import dataclass

from adcore.ir.builder import Builder
from adcore.ir.core import Value
from adcore.ir.types import Scalar, is_float


@dataclass(frozen=True)
class Expr:
    """An IR value with arithmetic operators; each operator appends one instruction, constants fold by identity."""

    builder: Builder
    value: Value

    @property
    def type(self) -> Scalar:
        assert isinstance(self.value.type, Scalar)
        return self.value.type

    def lift(self, other: Expr | float) -> Expr:
        """`other` as an expression of this one's type."""
        if isinstance(other, Expr):
            return other
        number = float(other) if is_float(self.type) else int(other)
        return Expr(self.builder, self.builder.const(number, self.type))

    def apply(self, op: str, *others: Expr | float) -> Expr:
        """`op(self, *others)`."""
        return Expr(self.builder, self.builder.emit(op, self.value, *(self.lift(o).value for o in others)))

    def __add__(self, other: Expr | float) -> Expr:
        return self.apply("add", other)

    def __radd__(self, other: float) -> Expr:
        return self.lift(other).apply("add", self)

    def __sub__(self, other: Expr | float) -> Expr:
        return self.apply("sub", other)

    def __rsub__(self, other: float) -> Expr:
        return self.lift(other).apply("sub", self)

    def __mul__(self, other: Expr | float) -> Expr:
        return self.apply("mul", other)

    def __rmul__(self, other: float) -> Expr:
        return self.lift(other).apply("mul", self)

    def __truediv__(self, other: Expr | float) -> Expr:
        return self.apply("div", other)

    def __rtruediv__(self, other: float) -> Expr:
        return self.lift(other).apply("div", self)

    def __neg__(self) -> Expr:
        return self.apply("neg")

    def __lt__(self, other: Expr | float) -> Expr:
        return self.apply("lt", other)

    def __le__(self, other: Expr | float) -> Expr:
        return self.apply("le", other)

    def __gt__(self, other: Expr | float) -> Expr:
        return self.apply("gt", other)

    def __ge__(self, other: Expr | float) -> Expr:
        return self.apply("ge", other)

    def equals(self, other: Expr | float) -> Expr:
        """Elementwise `==` (Python's `==` on expressions compares the records)."""
        return self.apply("eq", other)


def where(condition: Expr, then: Expr | float, otherwise: Expr | float) -> Expr:
    """`then if condition else otherwise`, both evaluated."""
    base = then if isinstance(then, Expr) else otherwise
    assert isinstance(base, Expr), "one branch must be an expression"
    b = condition.builder
    return Expr(b, b.emit("select", condition.value, base.lift(then).value, base.lift(otherwise).value))


def sloped(value: Expr, *slopes: tuple[Expr, Expr]) -> Expr:
    """`value`, whose derivative by each `x` is `slope`, for pairs `(x, slope)`, however it was computed."""
    b, pairs = value.builder, (e.value for pair in slopes for e in pair)
    return Expr(b, b.emit("sloped", value.value, *pairs))


def sqrt(x: Expr) -> Expr:
    return x.apply("sqrt")


def exp(x: Expr) -> Expr:
    return x.apply("exp")


def log(x: Expr) -> Expr:
    return x.apply("log")


def sin(x: Expr) -> Expr:
    return x.apply("sin")


def cos(x: Expr) -> Expr:
    return x.apply("cos")


def sinh(x: Expr) -> Expr:
    return x.apply("sinh")


def cosh(x: Expr) -> Expr:
    return x.apply("cosh")


def tanh(x: Expr) -> Expr:
    return x.apply("tanh")


def power(x: Expr, y: Expr | float) -> Expr:
    return x.apply("pow", y)


def polygamma(order: int, x: Expr) -> Expr:
    return Expr(x.builder, x.builder.emit("polygamma", x.value, order=order))
