"""Random programs of the supported language, as Python source: `draw(seed)` gives the text and its arguments.

Arguments are views of a few buffers, made by the program's own `arguments(b, s)` from buffers and numbers, so that
shadows and tangents are made by the same text, and memory that arguments share, their shadows share.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.fuzz.everyday import Everyday
from tests.fuzz.expressions import ASKING, ArrayName, IntName, Scope

SHAPES: tuple[tuple[int, ...], ...] = ((12,), (10,), (5, 6), (6,), (2, 3, 4), (7,), (), (0,), (5,), (5,))
"""Shapes of the buffers."""
FLOATS, SINGLE, POINT, EMPTY, INTEGERS, FLAGS = range(5), 5, 6, 7, 8, 9
"""Which buffers hold float64, float32, one number without axes, nothing, integers in [0, 5), and bools."""

HEADER = '''"""Program {seed}."""

import dataclasses
import math

import numpy as np

GAIN = 0.7
WEIGHTS = np.array([0.3, -0.6, 0.9])


@dataclasses.dataclass
class Body:
    place: np.ndarray
    speed: np.ndarray
    weight: float
'''


@dataclass(frozen=True)
class Program:
    """The function `program` of `source` is called with what its `arguments` makes."""

    seed: int
    source: str
    numbers: int  # how many floats `arguments` takes
    result: str  # "float", "tuple", "nested", "array", "none"
    aliased: bool


class Generator(Everyday):
    """Draws one program."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.lines: list[str] = []
        self.indent = 1
        self.budget = self.random.choices([self.random.randint(2, 6), self.random.randint(7, 14)], [80, 20])[0]
        self.trips = 1
        self.result = self.random.choices(["float", "tuple", "nested", "array", "none"], [74, 11, 4, 6, 5])[0]
        self.helper = False
        self.leaks = 0.0
        self.taken: list[str] = []

    def put(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def block(self, scope: Scope, most: int = 5) -> None:
        start = len(self.lines)
        for _ in range(self.random.randint(1, most)):
            if self.budget <= 0:
                break
            self.budget -= 1
            self.statement(scope)
        if self.chance(0.3):
            self.update(scope)
        if len(self.lines) == start:
            self.assignment(scope)

    def statement(self, scope: Scope) -> None:
        """One statement, drawn by weight."""
        if self.either and self.chance(self.either):
            return self.carried_kind(scope)
        if self.everyday and self.chance(self.everyday):
            return self.everyday_statement(scope)
        nested = scope.depth < 4 and self.trips < 150
        draws = [
            (16 if nested else 0, self.for_loop), (6 if nested else 0, self.while_loop),
            (12 if scope.depth < 5 else 0, self.branch), (14, self.assignment), (12, self.augmented), (14, self.store),
            (9, self.update), (6, self.view), (5, self.allocation), (5, self.tuple_assignment), (3, self.new_int),
            (2, self.new_bool), (4, self.new_sequence), (3, self.list_store), (4, self.slice_store),
            (5 if scope.jumps else 0, self.jump), (3 if not self.helper else 0, self.early_return),
            (3 if self.helpers else 0, self.call), (3 if nested else 0, self.sweep), (4, self.swap),
            (3, self.chained), (3, self.comprehension), (2 if nested else 0, self.over_literal),
            (2 if nested else 0, self.search), (2, self.inner_function), (3 if scope.singles else 0, self.single_store),
            (3 if scope.singles and nested else 0, self.single_loop), (3 if scope.flags else 0, self.flag_store),
            (3 if scope.empties and nested else 0, self.empty_loop), (2 if scope.ints else 0, self.integer_store),
        ]  # fmt: skip
        chosen = self.random.choices([d for _, d in draws], [w for w, _ in draws])[0]
        return chosen(scope)

    def carried_kind(self, scope: Scope) -> None:
        """A name that is one of Python's numbers before a loop or on one path, and another object after it."""
        name, i, r = self.name("m"), self.name("i"), self.random
        start = r.choice(["0.0", "-0.0", "0.5", "0", self.atom(scope)])
        vectors = [a for a in scope.arrays if len(a.shape) == 1 and not a.integers]
        item = f"{r.choice(vectors).text}[{i} % 3]" if vectors else self.atom(scope)
        item = r.choice([item, f"(0.0 * {item})", "0.0"])
        steps = ["{0} = max({0}, {1})", "{0} = min({0}, {1})", "{0} = {1}", "{0} = {0} + {1}", "{0} = float({1})",
                 "{0} = {1} if {2} else {0}", "{0}, {0}_ = {0}_, {0}", "{0} = np.float64({0})"]  # fmt: skip
        self.put(f"{name}, {name}_ = {start}, {self.atom(scope)}")
        self.put(r.choice([f"for {i} in range({self.integer(scope, 0).text}):", f"for {i} in range(3):"]))
        self.put("    " + r.choice(steps).format(name, item, self.condition(scope, 0)))
        value = self.name("v")
        self.put(f"{value} = {r.choice(ASKING).format(name)}")
        scope.floats += [name, value]
        scope.assignable += [name, value]

    # Straight-line statements

    def assignment(self, scope: Scope) -> None:
        if scope.assignable and self.chance(0.4):
            self.put(f"{self.random.choice(scope.assignable)} = {self.number(scope)}")
            return
        text = self.number(scope)
        name = self.name("v")
        self.put(f"{name} = {text}")
        scope.floats.append(name)
        scope.assignable.append(name)

    def augmented(self, scope: Scope) -> None:
        if not scope.assignable:
            return self.assignment(scope)
        name, value = self.random.choice(scope.assignable), self.number(scope, 1)
        change = [f"+= 0.1 * ({value})", f"-= 0.1 * ({value})", f"*= math.sin({value})", "/= 1.5", "%= 2.5",
                  f"/= 1.2 + abs({value})", "**= 2"]  # fmt: skip
        self.put(f"{name} {self.random.choice(change)}")
        if "**" in self.lines[-1]:
            self.put(f"{name} *= 0.2")
        return None

    def targets(self, scope: Scope) -> list[ArrayName]:
        return [a for a in scope.arrays if a.writable and not a.integers]

    def store(self, scope: Scope) -> None:
        if not (arrays := self.targets(scope)):
            return self.assignment(scope)
        self.put(f"{self.element_of(scope, self.random.choice(arrays))} = {self.number(scope)}")
        return None

    def update(self, scope: Scope) -> None:
        """An update of an element in place."""
        if not (arrays := self.targets(scope)):
            return self.assignment(scope)
        element, value = self.element_of(scope, self.random.choice(arrays)), self.number(scope, 1)
        change = [f"+= 0.1 * ({value})", f"-= 0.2 * math.sin({value})", f"*= math.cos({value})", "/= 1.3",
                  f"= math.sin({element}) * ({value})", f"= math.tanh({element} * {element} + ({value}))"]  # fmt: skip
        self.put(f"{element} {self.random.choice(change)}")
        return None

    def single_store(self, scope: Scope) -> None:
        """An update of a float32 element."""
        value = self.number(scope, 1)
        change = ["= {0}", "+= 0.1 * ({0})", "*= math.cos({0})", "-= np.float32(0.25)", "= math.sin({0})"]
        self.put(f"{self.single(scope)} {self.random.choice(change).format(value)}")

    def single_loop(self, scope: Scope) -> None:
        """A recurrence in float32."""
        array, name, i, value = self.random.choice(scope.singles), self.name("f"), self.name("i"), self.name("v")
        steps = ["{0} * {1}[{2}] + np.float32(0.25)", "np.sin({0} + {1}[{2}])", "np.tanh({0} * {1}[{2}]) - {1}[-1]",
                 "np.float32(0.5) * ({0} + {1}[{2}] * {1}[{2}])"]  # fmt: skip
        self.put(f"{name} = np.float32({self.random.choice(['0.5', '-1.25'])})")
        self.put(f"for {i} in range(len({array.text})):")
        self.put(f"    {name} = {self.random.choice(steps).format(name, array.text, i)}")
        if array.writable and self.chance(0.4):
            self.put(f"    {array.text}[{i}] = {name}")
        self.put(f"{value} = float({name})")
        scope.floats.append(value)

    def flag_store(self, scope: Scope) -> None:
        self.put(f"{self.element_of(scope, self.random.choice(scope.flags))} = {self.condition(scope)}")

    def integer_store(self, scope: Scope) -> None:
        """An index array changes, within its range."""
        arrays = [a for a in scope.arrays if a.integers and a.writable]
        if not arrays:
            return self.new_int(scope)
        self.put(f"{self.element_of(scope, self.random.choice(arrays))} = {self.integer(scope).text} % 5")
        return None

    def empty_loop(self, scope: Scope) -> None:
        """A loop over no elements, whose body is compiled all the same."""
        name, inner = self.random.choice(scope.empties), scope.inner(loop=True)
        if self.chance(0.5):
            inner.floats.append(item := self.name("e"))
            return self.nested(inner, f"for {item} in {name}:")
        i = self.name("i")
        inner.floats.append(f"{name}[{i}]")
        inner.assignable.append(f"{name}[{i}]")
        return self.nested(inner, f"for {i} in range(len({name})):")

    def tuple_assignment(self, scope: Scope) -> None:
        if len(scope.assignable) >= 2 and self.chance(0.6):
            a, b = self.random.sample(scope.assignable, 2)
            self.put(f"{a}, {b} = {self.random.choice([f'{b}, {a}', f'{self.number(scope, 1)}, {a}'])}")
            return
        a, b = self.name("v"), self.name("v")
        self.put(f"{a}, {b} = {self.number(scope, 1)}, {self.number(scope, 1)}")
        scope.floats += [a, b]
        scope.assignable += [a, b]

    def new_int(self, scope: Scope) -> None:
        drawn = self.integer(scope)
        if drawn.high - drawn.low < 40:
            name = self.name("k")
            self.put(f"{name} = {drawn.text}")
            scope.ints.append(IntName(name, drawn.low, drawn.high))

    def new_bool(self, scope: Scope) -> None:
        text = self.condition(scope)
        name = self.name("q")
        self.put(f"{name} = {text}")
        scope.bools.append(name)

    def new_sequence(self, scope: Scope) -> None:
        length = self.random.randint(1, 3)
        items = ", ".join(self.number(scope, 1) for _ in range(length))
        name = self.name("s")
        if self.chance(0.5):
            self.put(f"{name} = [{items}]")
            scope.lists.append((name, length))
        else:
            self.put(f"{name} = ({items},)")
            scope.tuples.append((name, length))

    def list_store(self, scope: Scope) -> None:
        if not scope.lists:
            return self.new_sequence(scope)
        name, length = self.random.choice(scope.lists)
        self.put(f"{name}[{self.subscript(scope, length)}] {self.random.choice(['=', '+=', '*='])} "
                 f"math.sin({self.number(scope, 1)})")  # fmt: skip
        return None

    def view(self, scope: Scope) -> None:
        if not scope.arrays:
            return self.assignment(scope)
        array = self.random.choice(scope.arrays)
        text, shape = self.slice_of(array)
        name = self.name("w")
        self.put(f"{name} = {text}")
        scope.arrays.append(ArrayName(name, shape, array.writable, array.integers))
        return None

    def allocation(self, scope: Scope) -> None:
        """A local array: zeros, a copy, or one that is filled at once."""
        name, n = self.name("u"), self.random.randint(3, 6)
        floats = [a for a in scope.arrays if not a.integers]
        draw = self.random.random()
        if self.chance(0.25):
            return self.odd_allocation(scope, name, n)
        shape: tuple[int, ...] = (n,)
        if draw < 0.3 and floats:
            array = self.random.choice(floats)
            self.put(f"{name} = {self.random.choice(['{0}.copy()', 'np.copy({0})']).format(array.text)}")
            shape = array.shape
        elif draw < 0.45 and floats:
            array = self.random.choice(floats)
            self.put(f"{name} = np.zeros_like({array.text})")
            shape = array.shape
        elif draw < 0.6:
            value = self.number(scope, 1)
            self.put(f"{name} = np.empty({n})")
            self.put(f"{name}.fill({value})" if self.chance(0.4) else f"{name}[:] = {value}")
        elif draw < 0.7:
            self.put(f"{name} = np.full({n}, {self.number(scope, 1)})")
        elif draw < 0.8:
            shape = (3, n)
            self.put(f"{name} = np.zeros((3, {n}))")
        elif draw < 0.88:
            items = ", ".join(f"float({self.number(scope, 1)})" for _ in range(3))
            self.put(f"{name} = np.array([{items}])")
            shape = (3,)
        else:
            self.put(f"{name} = np.{self.random.choice(['zeros', 'ones'])}({n})")
        scope.arrays.append(ArrayName(name, shape))
        return None

    def odd_allocation(self, scope: Scope, name: str, n: int) -> None:
        """A local array that is not a plain one of float64."""
        kind = self.random.choice(["single", "flags", "integers", "point", "empty", "full"])
        if kind == "single":
            self.put(f"{name} = np.zeros({n}, dtype=np.float32)")
            scope.singles.append(ArrayName(name, (n,)))
        elif kind == "flags":
            self.put(f"{name} = np.zeros({n}, dtype=bool)")
            scope.flags.append(ArrayName(name, (n,)))
        elif kind == "integers":
            self.put(f"{name} = np.array([{', '.join(str(self.random.randint(0, 4)) for _ in range(n))}])")
            scope.arrays.append(ArrayName(name, (n,), integers=True))
        elif kind == "point":
            self.put(f"{name} = np.zeros(())")
            scope.floats.append(f"{name}[()]")
            scope.assignable.append(f"{name}[()]")
        elif kind == "empty":
            vectors = [a.text for a in scope.arrays if len(a.shape) == 1 and not a.integers]
            text = f"{self.random.choice(vectors)}[2:2]" if vectors and self.chance(0.5) else "np.zeros(0)"
            self.put(f"{name} = {text}")
            scope.empties.append(name)
        else:
            self.put(f"{name} = np.full((2, 2, {n}), {self.number(scope, 1)})")
            scope.arrays.append(ArrayName(name, (2, 2, n)))

    def slice_store(self, scope: Scope) -> None:
        """A slice is set to a number, or copied from another place of the same or another array."""
        arrays = [a for a in self.targets(scope) if len(a.shape) == 1 and a.shape[0] > 3]
        if not arrays:
            return self.store(scope)
        array, other = self.random.choice(arrays), self.random.choice(arrays)
        if self.chance(0.5):
            text, _ = self.slice_of(array)
            self.put(f"{text} = {self.number(scope, 1)}")
        else:
            n = self.random.randint(2, min(array.shape[0], other.shape[0]) - 1)
            i, j = self.random.randint(0, array.shape[0] - n), self.random.randint(0, other.shape[0] - n)
            back = self.chance(0.25)
            source = f"{j}:{j + n}" if not back else f"{j + n - 1}:{j - 1 if j else ''}:-1"
            # NumPy copies between overlapping views of unlike strides in an order of its own.
            apart = array.text == other.text or other.text.startswith("u")
            self.put(f"{array.text}[{i}:{i + n}] = {other.text}[{source}]{'' if apart else '.copy()'}")
        return None

    def call(self, scope: Scope) -> None:
        text = self.helper_call(scope)
        name = self.name("v")
        self.put(f"{name} = {text}")
        scope.floats.append(name)

    # Control flow

    def nested(self, scope: Scope, head: str, trips: int = 1, most: int = 4) -> None:
        """`head` and a body."""
        self.put(head)
        self.indent += 1
        self.trips *= trips
        self.block(scope, most)
        self.trips //= trips
        self.indent -= 1

    def swap(self, scope: Scope) -> None:
        """Two elements change places."""
        if not (arrays := self.targets(scope)):
            return self.assignment(scope)
        array = self.random.choice(arrays)
        a, b = self.element_of(scope, array), self.element_of(scope, self.random.choice([array, *arrays]))
        self.put(f"{a}, {b} = {b}, {a}")
        return None

    def chained(self, scope: Scope) -> None:
        a, b = self.name("v"), self.name("v")
        target = self.element_of(scope, self.random.choice(self.targets(scope))) if self.targets(scope) else b
        self.put(f"{a} = {self.random.choice([b, target])} = {self.number(scope)}")
        if f" {b} = " in self.lines[-1]:
            scope.floats.append(b)
        scope.floats.append(a)
        scope.assignable.append(a)

    def comprehension(self, scope: Scope) -> None:
        """A list, or the sum of a generator."""
        name, item, n = self.name("s"), self.name("c"), self.random.randint(1, 4)
        inner = scope.inner()
        inner.ints.append(IntName(item, 0, n - 1))
        text = f"{self.number(inner, 1)} for {item} in range({n})"
        if self.chance(0.5):
            self.put(f"{name} = [{text}]")
            scope.lists.append((name, n))
        else:
            self.put(f"{name} = 0.3 * sum([{text}])")
            scope.floats.append(name)

    def over_literal(self, scope: Scope) -> None:
        """A loop over a tuple of pairs."""
        a, k = self.name("e"), self.name("i")
        pairs = ", ".join(f"({self.number(scope, 1)}, {n})" for n in range(self.random.randint(1, 3)))
        inner = scope.inner(loop=True)
        inner.floats.append(a)
        inner.assignable.append(a)
        inner.ints.append(IntName(k, 0, 2))
        self.nested(inner, f"for {a}, {k} in ({pairs},):", 3)
        self.loop_else(scope)

    def search(self, scope: Scope) -> None:
        """A `while` that walks along an array until something is found."""
        vectors = [a for a in scope.arrays if len(a.shape) == 1 and not a.integers]
        if not vectors:
            return self.while_loop(scope)
        array, k = self.random.choice(vectors), self.name("n")
        self.put(f"{k} = 0")
        self.put(f"while {k} < len({array.text}) - 1 and {array.text}[{k}] {self.random.choice('<>')} "
                 f"{self.atom(scope)}:")  # fmt: skip
        inner = scope.inner(loop=True)
        inner.ints.append(IntName(k, 0, array.shape[0] - 1))
        self.indent += 1
        self.put(f"{k} += 1")
        self.block(inner, 2)
        self.indent -= 1
        scope.ints.append(IntName(k, 0, array.shape[0] - 1))
        return None

    def inner_function(self, scope: Scope) -> None:
        """A function inside the function, which reads names around it."""
        name = self.name("g")
        inner = scope.inner()
        inner.floats.append("z")
        self.put(f"def {name}(z, w={self.number(scope, 1)}):")
        self.put(f"    return {self.number(inner, 1)} + 0.1 * w")
        value = self.name("v")
        self.put(f"{value} = 0.5 * {name}({self.atom(scope)}) - 0.2 * {name}({self.atom(scope)}, w={self.atom(scope)})")
        scope.floats.append(value)

    def leak(self, scope: Scope, inner: Scope) -> None:
        """Names of a block may be read after it, whether it has run or not."""
        if self.chance(self.leaks):
            scope.floats += [name for name in inner.floats if name not in scope.floats and name != "z"]
            scope.ints += [k for k in inner.ints if k not in scope.ints]

    def for_loop(self, scope: Scope) -> None:
        inner = scope.inner(loop=True)
        head, trips = self.random.choices(
            [self.over_range, self.over_array, self.over_enumerate, self.over_zip, self.over_reversed],
            [60, 12, 10, 8, 8],
        )[0](scope, inner)
        self.nested(inner, head, trips)
        self.leak(scope, inner)
        self.loop_else(scope)

    def loop_else(self, scope: Scope) -> None:
        if self.chance(0.12):
            self.nested(scope.inner(), "else:", most=2)

    def over_range(self, scope: Scope, inner: Scope) -> tuple[str, int]:
        name, r = self.name("i"), self.random
        draw = r.random()
        if draw < 0.35:
            n = r.choice([0, 1, 2, 3, 4, 4, 5, 9, 10])
            text, low, high = f"range({n})", 0, max(n - 1, 0)
        elif draw < 0.6 and scope.arrays:
            array = r.choice(scope.arrays)
            axis = r.randrange(len(array.shape))
            n = array.shape[axis]
            if self.chance(0.7) or n < 4:
                length = f"len({array.text})" if axis == 0 and self.chance(0.5) else f"{array.text}.shape[{axis}]"
                text, low, high = f"range({length})", 0, n - 1
            else:
                text, low, high = f"range(1, {array.text}.shape[{axis}] - 1)", 1, n - 2
        elif draw < 0.75 and scope.ints:
            bound = r.choice(scope.ints)
            if bound.high > 12:
                bound = IntName("3", 3, 3)
            if self.chance(0.6):
                text, low, high = f"range({bound.text} + 1)", 0, max(bound.high, 0)
            else:
                text, low, high = f"range({bound.text}, {bound.high + 1})", bound.low, bound.high
        else:
            start, stop = r.randint(-2, 6), r.randint(-2, 8)
            step = r.choice([1, 2, 3, -1, -2]) * (1 if stop >= start else -1) if self.chance(0.8) else r.choice([1, -1])
            values = range(start, stop, step)
            text = f"range({start}, {stop}, {step})"
            low, high = (min(values), max(values)) if values else (0, 0)
        inner.ints.append(IntName(name, low, high))
        return f"for {name} in {text}:", min(high - low + 1, 12)

    def over_array(self, scope: Scope, inner: Scope) -> tuple[str, int]:
        vectors = [a for a in scope.arrays if not a.integers]
        if not vectors:
            return self.over_range(scope, inner)
        array = self.random.choice(vectors)
        self.item(inner, array, name := self.name("e"))
        return f"for {name} in {array.text}:", array.shape[0]

    def item(self, inner: Scope, array: ArrayName, name: str) -> None:
        if len(array.shape) == 1:
            inner.floats.append(name)
            inner.assignable.append(name)
        else:
            inner.arrays.append(ArrayName(name, array.shape[1:], array.writable))

    def over_enumerate(self, scope: Scope, inner: Scope) -> tuple[str, int]:
        vectors = [a for a in scope.arrays if not a.integers]
        if not vectors:
            return self.over_range(scope, inner)
        array, start = self.random.choice(vectors), self.random.choice([0, 0, 1])
        k, name = self.name("i"), self.name("e")
        self.item(inner, array, name)
        inner.ints.append(IntName(k, start, start + array.shape[0] - 1))
        return f"for {k}, {name} in enumerate({array.text}{', 1' if start else ''}):", array.shape[0]

    def over_zip(self, scope: Scope, inner: Scope) -> tuple[str, int]:
        vectors = [a for a in scope.arrays if not a.integers]
        if not vectors:
            return self.over_range(scope, inner)
        a, b = self.random.choice(vectors), self.random.choice(vectors)
        first, second = self.name("e"), self.name("e")
        self.item(inner, a, first)
        self.item(inner, b, second)
        return f"for {first}, {second} in zip({a.text}, {b.text}):", min(a.shape[0], b.shape[0])

    def over_reversed(self, scope: Scope, inner: Scope) -> tuple[str, int]:
        if self.chance(0.4):
            head, trips = self.over_range(scope, inner)
            start = head.index("range")
            return f"{head[:start]}reversed({head[start:-1]}):", trips
        head, trips = self.over_array(scope, inner)
        if " in range" in head:
            return head, trips
        start = head.index(" in ") + 4
        return f"{head[:start]}reversed({head[start:-1]}):", trips

    def while_loop(self, scope: Scope) -> None:
        count, most = self.name("n"), self.random.choice([2, 3, 5])
        inner = scope.inner(loop=True)
        inner.ints.append(IntName(count, 0, most))
        self.put(f"{count} = 0")
        goes = f"{count} < {most}"
        if self.chance(0.6):
            goes += f" and {self.condition(scope)}"
        if self.chance(0.3):
            self.put("while True:")
            self.indent += 1
            self.put(f"if not ({goes}):")
            self.put("    break")
            self.indent -= 1
        else:
            self.put(f"while {goes}:")
        self.indent += 1
        self.put(f"{count} += 1")
        self.trips *= most
        self.block(inner, 4)
        self.trips //= most
        self.indent -= 1
        self.loop_else(scope)

    def branch(self, scope: Scope) -> None:
        inner = scope.inner()
        self.nested(inner, f"if {self.condition(scope)}:", most=3)
        while self.chance(0.2):
            self.nested(scope.inner(), f"elif {self.condition(scope)}:", most=2)
        if self.chance(0.6):
            self.nested(scope.inner(), "else:", most=3)
        self.leak(scope, inner)

    def jump(self, scope: Scope) -> None:
        self.put(f"if {self.condition(scope)}:")
        self.put(f"    {self.random.choice(['break', 'continue', 'break'])}")

    def early_return(self, scope: Scope) -> None:
        if self.result == "array":
            return self.assignment(scope)
        self.put(f"if {self.condition(scope)}:")
        self.indent += 1
        self.returned(scope)
        self.indent -= 1
        return None

    def returned(self, scope: Scope) -> None:
        if self.result == "tuple":
            self.put(f"return {self.number(scope)}, {self.number(scope)}")
        elif self.result == "nested":
            self.put(f"return {self.number(scope)}, ({self.number(scope, 1)}, {self.integer(scope).text})")
        elif self.result == "none":
            self.put("return" if self.chance(0.5) else "return None")
        elif self.result == "array":
            array = self.random.choice([a for a in scope.arrays if not a.integers] or [ArrayName("np.zeros(3)", (3,))])
            self.put(f"return {array.text}.copy()")
        else:
            self.put(f"return {self.number(scope)}")

    def sweep(self, scope: Scope) -> None:
        """A stencil step in place or through a second array, as time steppers have it."""
        vectors = [a for a in self.targets(scope) if len(a.shape) == 1 and a.shape[0] >= 4]
        if not vectors:
            return self.assignment(scope)
        u, w = self.random.choice(vectors), self.random.choice(vectors)
        t, i, n = self.name("t"), self.name("i"), min(u.shape[0], w.shape[0])
        self.put(f"for {t} in range({self.random.choice([1, 3, 'len(' + u.text + ')'])}):")
        self.put(f"    for {i} in range(1, {n} - 1):")
        change = f"{u.text}[{i}] * ({u.text}[{i} + 1] - {u.text}[{i} - 1])"
        change = f"math.sin({change})" if self.chance(0.6) else f"({u.text}[{i} - 1] - {u.text}[{i} + 1])"
        self.put(f"        {w.text}[{i}] = 0.9 * {u.text}[{i}] - 0.1 * {change}")
        if w is not u and self.chance(0.7):
            self.put(f"    for {i} in range(1, {n} - 1):")
            self.put(f"        {u.text}[{i}] = {w.text}[{i}]")
        return None

    # Functions

    def helper_function(self, arrays: int) -> list[str]:
        """A function that the program calls, and helpers after it; with so many arrays."""
        name = f"h{len(self.helpers)}"
        outer = self.lines, self.budget, self.result, self.wrong
        kind = self.random.choice(["float", "float", "tuple"])
        self.lines, self.budget, self.result, self.helper, self.wrong = [], 2, kind, True, 0.0
        scope = Scope(floats=["k"], assignable=["k"], depth=2)
        names = ["v", "w"][: max(arrays, 1)]
        for parameter in names:
            if arrays:
                scope.arrays.append(ArrayName(parameter, (3,)))
            else:
                scope.floats.append(parameter)
        self.block(scope, 3)
        if self.chance(0.4):
            self.early_return(scope)
        self.returned(scope)
        body = self.lines
        self.lines, self.budget, self.result, self.wrong = outer
        self.helper = False
        self.helpers.append((name, arrays, "[0]" if kind == "tuple" else ""))
        return ["", "", f"def {name}({', '.join(names)}, k=0.5):", *body]

    def program(self, seed: int) -> Program:
        lines: list[str] = []
        for _ in range(self.random.choice([0, 0, 0, 1, 2])):
            lines += self.helper_function(self.random.choice([0, 1, 1, 2]))
        scope, parameters, given = Scope(), [], []
        self.wrong = self.random.choice([0.0] * 9 + [0.03])
        self.leaks = self.random.choice([0.0, 0.0, 0.0, 0.5])
        for _ in range(self.random.randint(1, 5)):
            self.parameter(scope, parameters, given)
        if self.chance(0.25):
            scope.floats.append("GAIN")
        if self.chance(0.15):
            scope.arrays.append(ArrayName("WEIGHTS", (3,), writable=False))
        self.block(scope, 7)
        self.returned(scope)
        lines += ["", "", f"def program({', '.join(parameters)}):", *self.lines]
        lines += ["", "", "def arguments(b, s):", f"    return ({', '.join(given)},)", ""]
        numbers = sum(text.count("s[") for text in given)
        return Program(seed, HEADER.format(seed=seed) + "\n".join(lines), numbers, self.result, self.aliased(given))

    def aliased(self, given: list[str]) -> bool:
        used = [piece[: piece.index("]")] for text in given for piece in text.split("b[")[1:]]
        return len(used) != len(set(used))

    def parameter(self, scope: Scope, parameters: list[str], given: list[str]) -> None:
        """One more parameter, and the argument for it."""
        draw, name = self.random.random(), self.name("a")
        number = sum(text.count("s[") for text in given)
        if draw < 0.38:
            text, shape = self.buffer()
            scope.arrays.append(ArrayName(name, shape))
        elif draw < 0.52:
            text = self.odd_parameter(scope, name, number)
        elif draw < 0.6:
            text = f"s[{number}]"
            scope.floats.append(name)
            scope.assignable.append(name)
        elif draw < 0.63:
            text = f"(s[{number}], s[{number + 1}])"
            scope.tuples.append((name, 2))
        elif draw < 0.7:
            value = self.random.randint(0, 4)
            text = str(value)
            scope.ints.append(IntName(name, value, value))
        elif draw < 0.74:
            text = str(self.chance(0.5))
            scope.bools.append(name)
        elif draw < 0.79:
            text = f"b[{INTEGERS}]"
            scope.arrays.append(ArrayName(name, (5,), integers=True))
        elif draw < 0.9:
            text = self.sequence(scope, name)
        else:
            first, second = self.buffer(vector=True), self.buffer(vector=True)
            text = f"Body({first[0]}, {second[0]}, s[{number}])"
            scope.arrays += [ArrayName(f"{name}.place", first[1]), ArrayName(f"{name}.speed", second[1])]
            scope.floats.append(f"{name}.weight")
        parameters.append(name)
        given.append(text)

    def odd_parameter(self, scope: Scope, name: str, number: int) -> str:
        """float32, bools, an array without axes or without elements, a list of numbers."""
        kind = self.random.choice(["single", "flags", "point", "empty", "numbers"])
        if kind == "single":
            scope.singles.append(ArrayName(name, (7,)))
            return f"b[{SINGLE}]"
        if kind == "flags":
            scope.flags.append(ArrayName(name, (5,)))
            return f"b[{FLAGS}]"
        if kind == "point":
            scope.floats.append(f"{name}[()]")
            scope.assignable.append(f"{name}[()]")
            return f"b[{POINT}]"
        if kind == "empty":
            scope.empties.append(name)
            return f"b[{EMPTY}]"
        scope.tuples.append((name, 3))  # lists from outside keep their items
        return f"[s[{number}], s[{number + 1}], s[{number + 2}]]"

    def buffer(self, vector: bool = False) -> tuple[str, tuple[int, ...]]:
        """A view of a buffer; now and then of one that another argument has, too."""
        free = [k for k in FLOATS if str(k) not in self.taken and not (vector and len(SHAPES[k]) != 1)]
        again = [int(k) for k in self.taken if not (vector and len(SHAPES[int(k)]) != 1)]
        if (again and self.chance(0.2)) or not free:
            k = self.random.choice(again)
        else:
            k = self.random.choice(free)
        self.taken.append(str(k))
        whole = ArrayName(f"b[{k}]", SHAPES[k])
        if self.chance(0.7):
            return whole.text, whole.shape
        while True:
            text, shape = self.slice_of(whole)
            if min(shape) >= 3 and not (vector and len(shape) != 1):
                return text, shape

    def sequence(self, scope: Scope, name: str) -> str:
        """A list or tuple of arrays."""
        views = [self.buffer(vector=True) for _ in range(self.random.randint(1, 3))]
        for k, (_, shape) in enumerate(views):
            scope.arrays.append(ArrayName(f"{name}[{k}]", shape))
        inside = ", ".join(text for text, _ in views)
        return f"[{inside}]" if self.chance(0.5) else f"({inside},)"


def draw(seed: int) -> Program:
    """The program of `seed`."""
    return Generator(seed).program(seed)
