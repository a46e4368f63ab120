"""Equal operands of min and max share the derivative: half each of two, as a central difference has it.

max(x, 0) + log1p(exp(-abs(x))) is smooth, and its slope at 0 is 1/2: half of what max passes on, as abs passes
nothing. The value stays that of the operand that is chosen; `attach` gives it the derivative of the mean of those that
are equal.
"""

from __future__ import annotations

from adcore.frontend.session import FunctionScope
from adcore.ir.core import Value
from adcore.ir.types import Scalar, is_float


class TiedMean:
    """The mean of the operands so far that are equal to the best, and how many there are (None: one)."""

    def __init__(self, scope: FunctionScope) -> None:
        self.scope = scope
        self.count: Value | None = None

    def shared(self, choice: Value, best: Value, value: Value, better: Value | None = None) -> Value:
        """`choice` of `best` so far (which has the derivative of its mean) and the next `value`, with the derivative of
        the mean of all that are equal. `better`: whether `value` was chosen; None where no third operand follows."""
        if not is_float(choice.type):
            return choice
        emit, type_ = self.scope.emit, choice.type
        assert isinstance(type_, Scalar)
        one, equal = self.scope.const(1.0, type_), emit("eq", value, best)
        before = one if self.count is None else self.count
        share = self.scope.const(0.5, type_) if self.count is None else emit("div", one, emit("add", before, one))
        mean = emit("add", best, emit("mul", emit("sub", value, best), share))
        if better is not None:
            more = emit("select", equal, emit("add", before, one), before)
            self.count = emit("select", better, one, more)
        return emit("attach", choice, emit("select", equal, mean, choice))
