"""Random loop nests with random subscripts: dropping and moving checks changes neither results nor errors."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from adcore.ir import F64, I64, ArrayType, Builder, Function, Value, interpret, print_function, verify
from adcore.ops import TABLE
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.simplify import simplify


class Nest:
    """One to three loops around one to three subscripts, each an affine form of the loop variables."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.b = Builder(TABLE)
        self.arrays = [Value(ArrayType(F64, 1, "C"), name) for name in "xy"]
        self.sizes: list[Value] = []
        self.n = Value(I64, "n")
        self.subscripts = self.random.choice((1, 1, 1, 2, 3))

    def program(self) -> Function:
        self.sizes = [self.b.emit("dim", a, axis=0) for a in self.arrays]
        total = self.loops(self.random.randint(1, 3), [], self.b.const(0.0))
        return verify(Function("f", self.b.finish((*self.arrays, self.n), (total,))), TABLE)

    def term(self, variables: list[Value]) -> Value:
        """A loop variable, a size, the parameter or a constant, perhaps shifted or scaled."""
        b, r = self.b, self.random
        value = r.choice([*variables, *variables, *variables, *self.sizes, self.n, b.const(r.randint(-2, 6))])
        for _ in range(r.choice((0, 0, 1, 1, 2))):
            op, other = r.choice((("add", 1), ("sub", 1), ("mul", 2), ("add", 3), ("mul", -1)))
            value = b.emit(op, value, b.const(other))
        if variables and r.random() < 0.2:
            value = b.emit(r.choice(("add", "sub", "minimum", "maximum")), value, r.choice(variables))
        return value

    def loops(self, depth: int, variables: list[Value], total: Value) -> Value:
        if depth == 0:
            for _ in range(self.subscripts):
                total = self.element(variables, total)
            return total
        b, r = self.b, self.random
        lo, hi = (
            (b.const(0), self.term(variables)) if r.random() < 0.6 else (self.term(variables), self.term(variables))
        )
        if r.random() < 0.15:
            total = self.element(variables, total)
        params = (Value(I64), Value(F64))
        with b.region(params) as opened:
            opened.yields = (self.loops(depth - 1, [*variables, params[0]], params[1]),)
        step = r.choice((1, 1, 1, 1, 2, -1, -2))
        (result,) = b.emit_many("for", (lo, hi, total), {"step": step}, (opened.region,), (F64,))
        return result

    def element(self, variables: list[Value], total: Value) -> Value:
        b, k = self.b, self.random.randrange(2)
        index = b.emit("index", self.term(variables), self.sizes[k], axis=0)
        return b.emit("add", total, b.emit("load", self.arrays[k], index))


def outcome(function: Function, arguments: tuple[Any, ...]) -> tuple[str, str]:
    try:
        return "result", repr(interpret(function, TABLE, arguments))
    except (IndexError, OverflowError) as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("start", range(0, 160, 40))
def test_nests(start: int) -> None:
    moved = 0
    for seed in range(start, start + 40):
        nest = Nest(seed)
        original = simplify(nest.program(), TABLE)
        changed = verify(simplify(verify(simplify_checks(original, TABLE), TABLE), TABLE), TABLE)
        moved += sum(i.op == "check" for i in changed.region.body)
        rng = np.random.default_rng(seed)
        for sizes in ((5, 5), (0, 3), (7, 2), (1, 1), (4, 9)):
            arguments = (*(rng.normal(size=s) for s in sizes), int(rng.integers(-2, 9)))
            expected, actual = outcome(original, arguments), outcome(changed, arguments)
            same = expected == actual if nest.subscripts == 1 else expected[0] == actual[0]
            assert same, f"{seed}: {expected} became {actual} for {arguments}\n" + "\n".join(
                map(print_function, (original, changed))
            )
    assert moved
