"""Random IR programs: nested loops of every kind, branches, in-place updates, views, local arrays.

All subscripts are in range by construction, all values stay bounded (sin and tanh close every chain that could grow),
so a difference between two ways to run a program is a fault of a pass.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from adcore.ir import BOOL, F64, I64, ArrayType, Builder, Function, Region, Value
from adcore.ops import TABLE, Table

SIZE = 12

Bulk = Callable[["Generator", Value, list[tuple[Value, int]]], None]
"""Appends an instruction over whole arrays: is given a number, and the arrays of one dimension with their lengths."""


class Generator:
    """Draws one program from a seed; `bulk` appends an instruction over whole arrays now and then."""

    def __init__(self, seed: int, temporaries: bool = False, ops: Table = TABLE, bulk: Bulk | None = None) -> None:
        self.random = random.Random(seed)
        self.temporaries, self.bulk = temporaries, bulk
        self.b = Builder(ops)
        self.loops: list[tuple[Value, int]] = []  # loop variable and its largest value
        self.budget = self.random.randint(4, 26)
        self.names = 0

    def program(self) -> Function:
        x, y = (Value(ArrayType(F64, 1, "C"), name) for name in "xy")
        z = Value(ArrayType(F64, 2, "C"), "z")
        a, n = Value(F64, "a"), Value(I64, "n")
        self.bound = n
        scalars = [a, self.b.const(0.3)]
        arrays = [(x, SIZE), (y, SIZE), (z, 0)]
        self.block(scalars, arrays, 0)
        total = scalars[-1]
        for value in self.random.sample(scalars, min(3, len(scalars))):
            total = self.b.emit("add", total, value)
        region = self.b.finish((x, y, z, a, n), (total,))
        return Function("f", region)

    def name(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def pick(self, scalars: list[Value]) -> Value:
        return scalars[-1] if self.random.random() < 0.5 else self.random.choice(scalars)

    def block(self, scalars: list[Value], arrays: list[tuple[Value, int]], depth: int) -> None:
        for _ in range(self.random.randint(2, 5)):
            if self.budget <= 0:
                break
            self.budget -= 1
            if self.temporaries and depth and self.random.random() < 0.45:
                self.temporary(scalars, arrays)
                continue
            if self.bulk is not None and self.random.random() < 0.3:
                self.bulk(self, self.pick(scalars), [(a, n) for a, n in arrays if n])
                continue
            draw = self.random.random()
            if depth < 3 and draw < 0.26:
                self.for_loop(scalars, arrays, depth)
            elif depth < 2 and draw < 0.33:
                self.while_loop(scalars, arrays, depth)
            elif depth < 2 and draw < 0.37:
                self.sweep(scalars, arrays)
            elif depth < 4 and draw < 0.46:
                self.branch(scalars, arrays, depth)
            elif draw < 0.58:
                self.load(scalars, arrays)
            elif draw < 0.72:
                self.store(scalars, arrays)
            elif draw < 0.77:
                arrays.append((self.b.emit("alloc", self.b.const(6), element="f64", zero=True, hint=self.name()), 6))
            elif draw < 0.84:
                self.view(arrays)
            else:
                self.arithmetic(scalars)
        if self.random.random() < 0.4:  # an update in place, as in x[i] = f(x[i])
            array, size = self.random.choice(arrays)
            index = self.subscripts(size)
            scalars.append(self.b.emit("load", array, *index, hint=self.name()))
            self.arithmetic(scalars)
            self.b.emit_many("store", (scalars[-1], array, *index), {})

    def arithmetic(self, scalars: list[Value]) -> None:
        draw, b = self.random.random(), self.b
        x, y = self.pick(scalars), self.pick(scalars)
        if draw < 0.6:
            op = self.random.choice(["add", "sub", "mul", "mul"])
            value = b.emit("sin", b.emit(op, x, y)) if self.random.random() < 0.5 else b.emit(op, x, y)
            value = b.emit("tanh", value) if op == "mul" else value
        elif draw < 0.75:
            value = b.emit(self.random.choice(["sin", "tanh", "cos", "atan"]), x)
        elif draw < 0.85:
            value = b.emit("div", x, b.emit("add", b.const(1.5), b.emit("mul", y, y)))
        else:
            value = b.emit("exp", b.emit("sin", x)) if draw < 0.95 else b.emit("select", b.emit("lt", x, y), x, y)
        scalars.append(Value(F64) if value is None else value)

    def index(self, size: int) -> Value:
        """An affine subscript in [0, size), sometimes one that is not affine."""
        b, r = self.b, self.random
        for _ in range(8):
            terms = [(v, top, r.choice([1, 1, 1, -1, 2])) for v, top in self.loops if r.random() < 0.6]
            low = sum(min(0, c * top) for _, top, c in terms)
            high = sum(max(0, c * top) for _, top, c in terms)
            if high - low >= size:
                continue
            total = b.const(-low + (r.randrange(size - high + low) if r.random() < 0.4 else 0))
            for v, _, c in terms:
                total = b.emit("add", total, b.emit("mul", v, b.const(c)) if c != 1 else v)
            if r.random() < 0.06 and self.loops:
                v, _ = r.choice(self.loops)
                return b.emit("mod", b.emit("add", b.emit("mul", v, v), total), b.const(size))
            return total
        return b.const(r.randrange(size))

    def subscripts(self, size: int) -> list[Value]:
        return [self.index(size)] if size else [self.index(5), self.index(6)]

    def load(self, scalars: list[Value], arrays: list[tuple[Value, int]]) -> None:
        array, size = self.random.choice(arrays)
        scalars.append(self.b.emit("load", array, *self.subscripts(size), hint=self.name()))

    def store(self, scalars: list[Value], arrays: list[tuple[Value, int]]) -> None:
        array, size = self.random.choice(arrays)
        self.b.emit_many("store", (self.pick(scalars), array, *self.subscripts(size)), {})

    def view(self, arrays: list[tuple[Value, int]]) -> None:
        array, size = self.random.choice(arrays)
        b = self.b
        if size == 0:
            if self.random.random() < 0.3:
                return
            row, zero, one = self.index(5), b.const(0), b.const(1)
            arrays.append(
                (b.emit("view", array, row, zero, b.const(6), one, axes="is", whole=True, hint=self.name()), 6)
            )
        elif size > 5:
            step = self.random.choice([1, 1, 2, -1])
            start = {1: 1, 2: 0, -1: size - 1}[step]
            count = size // 2 if step == 2 else size - 2
            operands = (array, b.const(start), b.const(count), b.const(step))
            arrays.append((b.emit("view", *operands, axes="s", hint=self.name()), count))

    def for_loop(self, scalars: list[Value], arrays: list[tuple[Value, int]], depth: int) -> None:
        b, r = self.b, self.random
        lo, hi, step, top = b.const(0), b.const(r.choice([1, 3, 4])), 1, 3
        draw = r.random()
        if draw < 0.25:
            hi, top = self.bound, 4
        elif draw < 0.45 and self.loops:  # triangular
            outer, top = r.choice(self.loops)
            hi = b.emit("add", outer, b.const(1))
            if r.random() < 0.3:
                lo, hi = outer, b.const(top + 1)
        elif draw < 0.55:
            lo, hi, step = b.const(3), b.const(-1), -1
        elif draw < 0.62:
            hi, step, top = b.const(5), 2, 4
        inits = [self.pick(scalars) for _ in range(r.choice([0, 1, 1, 2]))]
        counter = Value(I64, self.name())
        params = [counter, *(Value(F64, self.name()) for _ in inits)]
        with b.region(params) as opened:
            inner = [*scalars, *params[1:]]
            self.loops.append((counter, top))
            self.block(inner, list(arrays), depth + 1)
            self.loops.pop()
            opened.yields = tuple(self.closing(inner) for _ in inits)
        scalars += b.emit_many("for", (lo, hi, *inits), {"step": step}, (opened.region,), [F64] * len(inits))

    def sweep(self, scalars: list[Value], arrays: list[tuple[Value, int]]) -> None:
        """A stencil step in place or through a second array, as time steppers have it."""
        b, r = self.b, self.random
        (u, _), (w, _) = r.choice(arrays[:2]), r.choice(arrays[:2])
        one, steps, count = b.const(1), b.const(r.choice([1, 3])), b.const(SIZE - 1)
        with b.region((Value(I64, "t"),)) as time:
            i = Value(I64, "i")
            with b.region((i,)) as step:
                left, here = b.emit("load", u, b.emit("sub", i, one)), b.emit("load", u, i)
                right = b.emit("load", u, b.emit("add", i, one))
                product = b.emit("mul", here, b.emit("sub", right, left))
                change = b.emit("sin", product if r.random() < 0.7 else left)
                b.emit_many("store", (b.emit("sub", here, b.emit("mul", b.const(0.1), change)), w, i), {})
            b.emit_many("for", (one, count), {"step": 1}, (step.region,), ())
            if w is not u:
                j = Value(I64, "j")
                with b.region((j,)) as back:
                    b.emit_many("store", (b.emit("load", w, j), u, j), {})
                b.emit_many("for", (one, count), {"step": 1}, (back.region,), ())
        b.emit_many("for", (b.const(0), steps), {"step": 1}, (time.region,), ())

    def temporary(self, scalars: list[Value], arrays: list[tuple[Value, int]]) -> None:
        """An array of this turn: filled from what is around (other such arrays among it), perhaps changed in place or
        from another one, and read more than once, not linearly."""
        b, r = self.b, self.random
        size = r.choice([2, 4, 6])
        made = b.emit("alloc", b.const(size), element="f64", zero=True, hint=self.name())
        given = [(array, n) for array, n in arrays if n >= size]
        self.fill(made, size, scalars, given)
        if r.random() < 0.4:
            self.fill(made, size, scalars, [*given, (made, size)])
        if r.random() < 0.3:
            (other, n) = r.choice(given)
            self.fill(other, n, scalars, [(made, size)])
        j, total = Value(I64, "j"), Value(F64, self.name())
        with b.region((j, total)) as opened:
            once, again = (b.emit("load", made, self.turned(j, size)) for _ in range(2))
            opened.yields = (b.emit("sin", b.emit("add", total, b.emit("mul", once, again))),)
        scalars += b.emit_many(
            "for", (b.const(0), b.const(size), self.pick(scalars)), {"step": 1}, (opened.region,), [F64]
        )
        arrays.append((made, size))

    def turned(self, j: Value, size: int) -> Value:
        """`j`, or the index as far from the other end."""
        return j if self.random.random() < 0.6 else self.b.emit("sub", self.b.const(size - 1), j)

    def fill(self, target: Value, size: int, scalars: list[Value], given: list[tuple[Value, int]]) -> None:
        """Store something to every element of `target` that rests on scalars and on `given` arrays."""
        b, r = self.b, self.random
        j = Value(I64, "j")
        with b.region((j,)) as opened:
            value = self.pick(scalars)
            for array, n in r.sample(given, min(len(given), r.choice([0, 1, 2]))):
                element = b.emit("load", array, self.turned(j, size) if n >= size else b.emit("mod", j, b.const(n)))
                value = b.emit(r.choice(["add", "mul"]), element, value)
            if r.random() < 0.7:
                value = b.emit(r.choice(["sin", "tanh"]), value)
            if r.random() < 0.2:
                condition = b.emit("lt", value, b.const(0.1))
                with b.region() as then:
                    b.emit_many("store", (value, target, j), {})
                with b.region() as otherwise:
                    b.emit_many("store", (b.emit("cos", value), target, self.turned(j, size)), {})
                b.emit_many("if", (condition,), {}, (then.region, otherwise.region), ())
            else:
                b.emit_many("store", (b.emit("tanh", value), target, j), {})
        b.emit_many("for", (b.const(0), b.const(size)), {"step": 1}, (opened.region,), ())

    def closing(self, scalars: list[Value]) -> Value:
        value = self.pick(scalars)
        return self.b.emit(self.random.choice(["sin", "tanh"]), value) if self.random.random() < 0.6 else value

    def while_loop(self, scalars: list[Value], arrays: list[tuple[Value, int]], depth: int) -> None:
        b, r = self.b, self.random
        inits = [self.pick(scalars) for _ in range(r.choice([1, 2]))]
        k, k2 = Value(I64, "k"), Value(I64, "k")
        first = [Value(F64) for _ in inits]
        with b.region((k, *first)) as condition:
            few = b.emit("lt", k, b.const(r.choice([2, 4])))
            goes = b.emit("lt", b.emit("sin", first[0]), b.const(r.choice([0.2, 0.7])))
            condition.yields = (b.emit("and", few, goes),)
        second = [Value(F64, self.name()) for _ in inits]
        with b.region((k2, *second)) as body:
            inner = [*scalars, *second]
            self.loops.append((k2, 3))
            self.block(inner, list(arrays), depth + 1)
            self.loops.pop()
            body.yields = tuple(b.emit("sin", self.pick(inner)) for _ in inits)
        results = b.emit_many("while", inits, {}, (condition.region, body.region), [*[F64] * len(inits), I64])
        scalars += results[:-1]

    def branch(self, scalars: list[Value], arrays: list[tuple[Value, int]], depth: int) -> None:
        b, r = self.b, self.random
        condition = b.emit("lt", self.pick(scalars), b.const(r.choice([0.0, 0.2])))
        count, regions = r.choice([0, 1, 1, 2]), []
        for _ in range(2):
            with b.region() as opened:
                inner = list(scalars)
                self.block(inner, list(arrays), depth + 1)
                opened.yields = tuple(self.pick(inner[-3:]) for _ in range(count))
            regions.append(opened.region)
        assert condition.type == BOOL
        scalars += b.emit_many("if", (condition,), {}, regions, [F64] * count)


def random_program(seed: int, temporaries: bool = False, ops: Table = TABLE, bulk: Bulk | None = None) -> Function:
    """The program of `seed`: parameters x, y (12 elements), z (5 x 6), a scalar, a trip count; one float result. With
    `temporaries` its loops and branches make many arrays of their own; `bulk` appends instructions of `ops`."""
    return Generator(seed, temporaries, ops, bulk).program()


__all__ = ["Region", "random_program"]
