"""Random programs of the kind that array expressions become: nests that fill arrays of the program's own, read them
shifted, backwards, transposed or added up, and put the outcome into arguments, which may overlap.

All subscripts are in range by construction; own arrays start as zeros or are filled before they are read.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adcore.ir import F64, I64, ArrayType, Builder, Function, Value
from adcore.ops import TABLE

Term = Callable[[], Value]


@dataclass
class Generator:
    """Draws one program from a seed: three vectors `x`, `y`, `w` and two square matrices `a`, `b`, all of size n."""

    seed: int
    raising: bool = False
    b: Builder = field(default_factory=lambda: Builder(TABLE))
    random: random.Random = field(default_factory=random.Random)
    own: list[Value] = field(default_factory=list)
    loops: list[tuple[Value, bool]] = field(default_factory=list)
    scalars: list[Value] = field(default_factory=list)

    def program(self) -> Function:
        self.random.seed(self.seed)
        vectors = [Value(ArrayType(F64, 1, "C"), name) for name in "xyw"]
        matrices = [Value(ArrayType(F64, 2, "C"), name) for name in "ab"]
        self.arguments = [*vectors, *matrices]
        self.n = self.b.emit("dim", vectors[0], axis=0, hint="n")
        self.zero, self.one = self.b.const(0), self.b.const(1)
        self.last = self.b.emit("sub", self.n, self.one, exact=True)
        self.scalars.append(self.b.const(0.3))
        for _ in range(self.random.randint(2, 7)):
            self.statement(0)
        for _ in range(self.random.randint(1, 2)):
            self.nest(self.random.choice(self.arguments))
        total = self.scalars[-1]
        return Function("f", self.b.finish(self.arguments, (total,)))

    # Statements

    def statement(self, depth: int) -> None:
        draw = self.random.random()
        if draw < 0.45:
            self.make()
        elif draw < 0.6 and self.own:
            self.nest(self.random.choice(self.own))
        elif draw < 0.72:
            self.nest(self.random.choice(self.arguments))
        elif draw < 0.82:
            self.reduce()
        elif draw < 0.9 and depth == 0:
            self.time_loop()
        elif self.raising:
            self.check()
        else:
            self.make()

    def make(self) -> None:
        """An own array, and usually a nest that fills it."""
        rank = self.random.choice((1, 1, 2))
        zero = self.random.random() < 0.5
        array = self.b.emit("alloc", *[self.n] * rank, element="f64", zero=zero, hint=f"t{len(self.own)}")
        if not zero or self.random.random() < 0.6:
            self.nest(array, whole=True)
        self.own.append(array)

    def time_loop(self) -> None:
        own, scalars = list(self.own), list(self.scalars)
        counter = Value(I64, "k")
        with self.b.region((counter,)) as opened:
            for _ in range(self.random.randint(1, 4)):
                self.statement(1)
        self.b.emit_many("for", (self.zero, self.b.const(2)), {"step": 1}, (opened.region,), ())
        self.own, self.scalars = own, scalars

    def check(self) -> None:
        array = self.random.choice([*self.arguments, *self.own])
        value = self.load() if self.loops else self.b.emit("load", array, *[self.zero] * self.rank(array))
        good = self.b.emit("lt", value, self.b.const(self.random.uniform(0.5, 2.0)))
        self.b.emit_many("check", (good,), {"error": "ValueError", "message": f"check {self.random.random()}"})

    def nest(self, target: Value, whole: bool = False) -> None:
        """Loops that store to all of `target`, or to a part of it."""
        offsets: list[Value] = []

        def innermost() -> None:
            subscripts = offsets if whole else self.subscripts(self.rank(target))
            value = self.expression(self.random.randint(1, 4))
            if self.raising and self.random.random() < 0.15:
                self.check()
            others = [v for v in (*self.arguments, *self.own) if self.rank(v) == self.rank(target) and v is not target]
            if others and self.random.random() < 0.2:
                other = self.random.choice(others)
                self.b.emit_many("store", (self.load(), other, *self.subscripts(self.rank(other))), {})
            if whole or self.random.random() < 0.8:
                self.b.emit_many("store", (value, target, *subscripts), {})
                return
            condition = self.b.emit("gt", value, self.b.const(0.1))
            with self.b.region() as then:
                self.b.emit_many("store", (value, target, *subscripts), {})
            with self.b.region() as otherwise:
                pass
            self.b.emit_many("if", (condition,), {}, (then.region, otherwise.region), ())

        self.nested(self.rank(target), innermost, whole, offsets)

    def nested(self, rank: int, innermost: Callable[[], None], whole: bool, counters: list[Value]) -> None:
        if not rank:
            return innermost()
        inside = not whole and self.random.random() < 0.4
        lo, hi = (self.one, self.last) if inside else (self.zero, self.n)
        counter = Value(I64, "ijkl"[len(self.loops)])
        scalars, own = list(self.scalars), list(self.own)
        with self.b.region((counter,)) as opened:
            self.loops.append((counter, inside))
            counters.append(counter)
            self.nested(rank - 1, innermost, whole, counters)
            self.loops.pop()
        self.scalars, self.own = scalars, own
        backwards = self.random.random() < 0.15
        self.b.emit_many("for", (lo, hi), {"step": 1, "reverse": backwards}, (opened.region,), ())
        return None

    def reduce(self) -> None:
        """A sum over an array, or over each row of a matrix into an own vector."""
        array = self.random.choice([*self.arguments, *self.own])
        if self.rank(array) == 1:
            self.scalars.append(self.sum_of(lambda j: self.b.emit("load", array, j)))
            return
        sums = self.b.emit("alloc", self.n, element="f64", zero=False, hint=f"s{len(self.own)}")
        counter = Value(I64, "i")
        with self.b.region((counter,)) as opened:
            total = self.sum_of(lambda j: self.b.emit("load", array, counter, j))
            self.b.emit_many("store", (total, sums, counter), {})
        self.b.emit_many("for", (self.zero, self.n), {"step": 1}, (opened.region,), ())
        self.own.append(sums)

    def sum_of(self, term: Callable[[Value], Value]) -> Value:
        counter, before = Value(I64, "j"), Value(F64, "sum")
        with self.b.region((counter, before)) as opened:
            closed = self.b.emit("sin", self.b.emit("add", before, term(counter)))
            opened.yields = (closed,)
        start = self.b.const(0.1)
        (total,) = self.b.emit_many("for", (self.zero, self.n, start), {"step": 1}, (opened.region,), (F64,))
        return total

    # Values

    def rank(self, array: Value) -> int:
        assert isinstance(array.type, ArrayType)
        return array.type.rank

    def subscripts(self, rank: int) -> list[Value]:
        """In range for each of the open loops: shifted where a loop leaves out the ends, otherwise plain or backwards;
        in the order of the loops, or in another one."""
        chosen = self.loops[-rank:] if self.random.random() < 0.85 else self.random.choices(self.loops, k=rank)
        chosen = [*chosen, *[chosen[-1]] * (rank - len(chosen))]
        if self.random.random() < 0.15:
            self.random.shuffle(chosen)
        return [self.subscript(*loop) for loop in chosen]

    def subscript(self, counter: Value, inside: bool) -> Value:
        draw = self.random.random()
        if inside and draw < 0.5:
            return self.b.emit("add", counter, self.b.const(self.random.choice((-1, 1))), exact=True)
        if draw > 0.93:
            return self.b.emit("sub", self.last, counter, exact=True)
        return self.zero if draw > 0.9 else counter

    def load(self) -> Value:
        recent = self.own[-3:]
        array = self.random.choice(recent if recent and self.random.random() < 0.7 else [*self.arguments, *self.own])
        return self.b.emit("load", self.maybe_view(array), *self.subscripts(self.rank(array)))

    def maybe_view(self, array: Value) -> Value:
        if self.rank(array) == 2 and self.random.random() < 0.15:
            return self.b.emit("transpose", array, permutation=(1, 0))
        if self.rank(array) == 1 and self.random.random() < 0.1:
            start, count, step = self.last, self.n, self.b.const(-1)
            return self.b.emit("view", array, start, count, step, axes="s")
        return array

    def expression(self, size: int) -> Value:
        terms: Sequence[Term] = (self.load, self.load, self.load, lambda: self.random.choice(self.scalars))
        total = self.load()
        for _ in range(size):
            op = self.random.choice(("add", "mul", "sub", "sin", "cos", "select"))
            if op in ("sin", "cos"):
                total = self.b.emit(op, total)
            elif op == "select":
                other = self.random.choice(terms)()
                total = self.b.emit("select", self.b.emit("lt", total, other), other, total)
            else:
                total = self.b.emit(op, total, self.random.choice(terms)())
        return self.b.emit("sin", total) if self.random.random() < 0.5 else total


def array_program(seed: int, raising: bool = False) -> Function:
    """A program (x, y, w, a, b) -> scalar; `raising`: with checks that fail for some data."""
    return Generator(seed, raising).program()
