"""Random array programs: text of a function of vectors and matrices that returns one number."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

Shape = tuple[int, ...]

START: dict[str, Shape] = {"x": (4,), "y": (4,), "z": (3,), "A": (3, 4), "B": (4, 4)}

UNARY = ("np.sin({})", "np.tanh({})", "-{}", "abs({})", "({}) ** 2", "np.exp(-abs({}))", "np.sqrt(1 + ({}) ** 2)",
         "np.maximum({}, 0.1)", "np.clip({}, -0.5, 0.75)", "({}) % 1.5", "np.float64({})")  # fmt: skip
BINARY = ("{} + {}", "{} - {}", "{} * {}", "{} / (2 + np.cos({}))", "np.minimum({}, {})",
          "np.arctan2({}, 1.5 + abs({}))", "np.where({} > {}, 0.5, x[0])", "np.hypot({}, {})")  # fmt: skip


@dataclass
class Writer:
    """Writes statements; `shapes` are those of the names that have a value."""

    random: Random
    shapes: dict[str, Shape] = field(default_factory=lambda: dict(START))
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    fixed: int = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def name(self, shape: Shape) -> str | None:
        found = [n for n, s in self.shapes.items() if s == shape]
        return self.random.choice(found) if found else None

    # Expressions

    def view(self, shape: Shape) -> str:
        """Something in memory of this shape: a name or a view of one."""
        options = [n for n, s in self.shapes.items() if s == shape]
        for name, own in self.shapes.items():
            if len(own) == len(shape):
                cuts = [self.slice_of(a, b) for a, b in zip(own, shape, strict=True)]
                if None not in cuts:
                    options.append(f"{name}[{', '.join(map(str, cuts))}]")
            if len(own) == 2 and own == shape[::-1]:
                options.append(f"{name}.T")
            if len(own) == 2 and shape == own[1:]:
                options.append(f"{name}[{self.random.randrange(-own[0], own[0])}]")
            if len(own) == 2 and shape == own[:1]:
                options.append(f"{name}[:, {self.random.randrange(-own[1], own[1])}]")
        return self.random.choice(options) if options else f"np.ones({shape})"

    def slice_of(self, length: int, wanted: int) -> str | None:
        """A slice that takes `wanted` of `length` elements."""
        if wanted > length:
            return None
        start = self.random.randrange(length - wanted + 1)
        forms = [f"{start}:{start + wanted}", f"{start - length}:{start + wanted - length or ''}"]
        if start + wanted == length:
            forms.append(f"{start}:")
        if wanted == length:
            forms += [":", "::-1"]
        elif length - wanted - start:
            forms.append(f"{start}:{start + wanted - length}")
        if wanted > 1 and 2 * wanted - 1 <= length:
            forms.append(f":{2 * wanted - 1}:2")
        return self.random.choice(forms)

    def expression(self, shape: Shape, depth: int) -> str:
        random = self.random
        if depth <= 0 or random.random() < 0.15:
            return self.operand(shape)
        kind = random.random()
        if kind < 0.3:
            return "(" + random.choice(UNARY).format(self.expression(shape, depth - 1)) + ")"
        if kind < 0.75:
            pair = [self.expression(shape, depth - 1), self.operand(shape)]
            random.shuffle(pair)
            return "(" + random.choice(BINARY).format(*pair) + ")"
        return self.contracted(shape, depth)

    def operand(self, shape: Shape) -> str:
        """A view, a number, or something that is stretched to the shape."""
        kind = self.random.random()
        if kind < 0.15:
            return self.random.choice(["0.5", "2", "-1.25", "x[1]", "B[2, -1]"])
        if len(shape) == 1 and kind < 0.25:
            name = self.random.choice(list(self.shapes))
            column = "" if len(self.shapes[name]) == 1 else "[:, 1]"
            return f"{name}[{self.positions(self.shapes[name][0], shape[0])}]{column}"
        if len(shape) == 2 and kind < 0.3:
            return self.view(shape[1:])
        if len(shape) == 2 and kind < 0.45:
            return f"{self.view(shape[:1])}[:, None]"
        return self.view(shape)

    def positions(self, length: int, count: int) -> str:
        """An array of positions, some of them equal or from the end."""
        return f"np.array({[self.random.randrange(-length, length) for _ in range(count)]})"

    def full(self, shape: Shape, depth: int) -> str:
        """An expression that has this shape, not one that stretches to it."""
        return f"({self.view(shape)} + {self.expression(shape, depth)})"

    def contracted(self, shape: Shape, depth: int) -> str:
        """What a reduction, a product or a rearrangement gives."""
        random, k = self.random, self.random.choice((3, 4))
        inner = self.full((k, *shape), depth - 1) if len(shape) == 1 else self.full(shape, depth - 1)
        reduction = random.choice(("sum", "mean", "max", "min", "std"))
        if len(shape) == 1:
            wide = self.full((*shape, k), depth - 1)
            return random.choice((
                f"{inner}.{reduction}(axis=0)", f"np.{reduction}({wide}, axis=1)",
                f"({self.full((*shape, k), 0)} @ {self.view((k,))})",
                f"({self.view((k,))} @ {self.full((k, *shape), 0)})",
                f"np.roll({self.full(shape, depth - 1)}, {random.randrange(-2, 3)})",
                f"np.cumsum({self.full(shape, depth - 1)})", f"bump({self.view(shape)})",
                f"np.concatenate(({self.view((shape[0] - 1,))}, {self.view((1,))}))",
            ))  # fmt: skip
        return random.choice((
            f"({inner} - {inner}.{reduction}(axis={random.randrange(2)}, keepdims=True))",
            f"(0.1 * {self.view((shape[0], k))} @ {self.view((k, shape[1]))})",
            f"np.outer({self.view(shape[:1])}, {self.view(shape[1:])})", f"np.tril({inner})",
            f"np.stack([{', '.join(self.view(shape[1:]) for _ in range(shape[0]))}])", f"{inner}.copy()",
        ))  # fmt: skip

    # Statements

    def target(self) -> tuple[str, Shape]:
        """Something to store into."""
        name = self.random.choice(list(self.shapes))
        own = self.shapes[name]
        shape = tuple(self.random.randrange(1, n + 1) if self.random.random() < 0.5 else n for n in own)
        if shape == own and self.random.random() < 0.5:
            return f"{name}[:]", own
        cuts = [self.slice_of(a, b) for a, b in zip(own, shape, strict=True)]
        return f"{name}[{', '.join(map(str, cuts))}]", shape

    def statement(self) -> None:
        random, kind = self.random, self.random.random()
        if kind < 0.25:
            shape = random.choice([(4,), (3,), (3, 4), (4, 4), (4, 3)])
            known = self.name(shape)
            name = known if known is not None and random.random() < 0.6 else f"v{len(self.shapes)}"
            if self.depth > 1 and known is None:
                return
            name = known if self.depth > 1 and known is not None else name
            self.line(f"{name} = 0.5 * np.tanh({self.full(shape, 2)})")
            self.shapes[name] = shape
        elif kind < 0.5:
            target, shape = self.target()
            self.line(f"{target} = {self.expression(shape, 2)}")
        elif kind < 0.7:
            target, shape = self.target()
            self.line(f"{target} {random.choice(('+', '-', '*'))}= 0.5 * {self.operand(shape)}")
        elif kind < 0.8:
            name = random.choice(list(self.shapes))
            self.line(f"m = {name} > {self.operand(self.shapes[name])}")
            self.line(f"{name}[m] {random.choice(('=', '*=', '+='))} {random.choice(('0.5', f'{name}[m] * 0.25'))}")
        elif kind < 0.9:
            self.line(self.scattered())
        elif kind < 0.93:
            pairs = [(a, b) for a in self.shapes for b in self.shapes if a < b and self.shapes[a] == self.shapes[b]]
            a, b = random.choice(pairs)
            self.line(f"{a}, {b} = {random.choice((f'{b}, {a}', f'{a} + {b}, {a} * {b}'))}")
        elif self.depth < 3:
            self.block()

    def scattered(self) -> str:
        """A store through positions, a new shape or a new axis."""
        random, name = self.random, self.random.choice(list(self.shapes))
        own = self.shapes[name]
        where = self.positions(own[0], 3)
        shape = (3, *own[1:])
        if len(own) == 1:
            last = f"{name}[None, :2] -= {self.expression((2,), 1)}"
        else:
            last = (
                f"{name}[...] = {name}.copy().reshape(-1).reshape({own})"
                if name in "AB"
                else f"{name}[:, None, 0] *= 0.5"
            )
        return random.choice((
            f"np.add.at({name}, {where}, {self.expression(shape, 1)})",
            f"{name}[{where}] = {self.expression(shape, 1)}",
            f"{name}[{where}] -= {self.operand(shape)}", last,
        ))  # fmt: skip

    def block(self) -> None:
        """A loop or a branch."""
        head = self.random.choice((f"for k{self.depth} in range({self.random.choice((0, 2, 9))}):", "if x[0] > 0.2:"))
        before = dict(self.shapes)
        self.line(head)
        self.depth += 1
        start = len(self.lines)
        for _ in range(self.random.randrange(1, 3)):
            self.statement()
        if len(self.lines) == start:
            self.line("x[0] *= 0.5")
        self.depth -= 1
        self.shapes = before

    def program(self) -> str:
        for _ in range(self.random.randrange(2, 6)):
            self.statement()
        weighted = " + ".join(f"{0.5 + k} * np.sum({name})" for k, name in enumerate(self.shapes))
        self.line(f"return {weighted}")
        head = "def bump(u):\n    u *= 0.5\n    return u + 1.0\n\n\n"
        return head + f"def f({', '.join(START)}):\n" + "\n".join(self.lines) + "\n"


def write(random: Random) -> str:
    """The text of a program."""
    return Writer(random).program()
