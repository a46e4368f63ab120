"""Random expressions over the names in a scope.

Floats stay within a few units (sin, tanh and the like close what could grow), integers carry their range, so that
subscripts are in range by construction, except where a program is drawn to go wrong.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ArrayName:
    """An array that a program can name: float64 elements unless `integers`, which lie in [0, 5)."""

    text: str
    shape: tuple[int, ...]
    writable: bool = True
    integers: bool = False


@dataclass(frozen=True)
class IntName:
    text: str
    low: int
    high: int


COPIED = ("floats", "assignable", "ints", "bools", "arrays", "lists", "singles", "flags", "empties", "tuples")


@dataclass
class Scope:
    """The names that may be read here, and what surrounds the statement."""

    floats: list[str] = field(default_factory=list)
    assignable: list[str] = field(default_factory=list)
    ints: list[IntName] = field(default_factory=list)
    bools: list[str] = field(default_factory=list)
    arrays: list[ArrayName] = field(default_factory=list)
    lists: list[tuple[str, int]] = field(default_factory=list)
    singles: list[ArrayName] = field(default_factory=list)
    """Arrays of float32: read through `float` or `math`, so that names keep one type on every path."""
    flags: list[ArrayName] = field(default_factory=list)
    """Arrays of bools."""
    empties: list[str] = field(default_factory=list)
    """Vectors without elements, which no subscript may touch."""
    tuples: list[tuple[str, int]] = field(default_factory=list)
    depth: int = 0
    loops: int = 0
    jumps: bool = False

    def inner(self, loop: bool = False) -> Scope:
        """A scope for a nested block: what it adds is gone afterwards."""
        made = copy.copy(self)
        for name in COPIED:
            setattr(made, name, list(getattr(self, name)))
        made.depth += 1
        made.loops += loop
        made.jumps = loop or self.jumps
        return made


UNARY = (
    "math.sin({0})", "math.tanh({0})", "math.cos({0})", "math.atan({0})", "math.erf({0})", "np.sin({0})",
    "np.tanh({0})", "np.cos({0})", "np.arctan({0})", "math.exp(math.sin({0}))", "np.exp(np.sin({0}))",
    "math.sqrt(1.0 + {0} * {0})", "np.sqrt(1 + {0} * {0})", "math.log(1.5 + {0} * {0})", "np.log1p({0} * {0})",
    "-{0}", "+{0}", "abs({0})", "math.fabs({0})", "0.25 * {0} ** 2", "0.1 * {0} ** 3", "1 / (2 + {0} * {0})",
    "math.expm1(0.3 * math.sin({0}))", "0.5 * math.cosh(math.sin({0}))", "np.arcsinh({0})", "0.3 * ({0}) ** 2.0",
    "(1.5 + {0} * {0}) ** -1.5", "{0} % 1.5", "0.2 * ({0} // 0.7)", "-{0} ** 2 * 0.3", "np.float64({0})", "float({0})",
    "0.2 * math.lgamma(1.5 + {0} * {0})", "math.asin(0.9 * math.sin({0}))", "np.cbrt(2.0 + {0} * {0})",
    "0.1 * math.floor({0})", "np.abs({0})", "np.sign({0})", "0.3 * np.square({0})", "np.clip({0}, -0.8, 0.9)",
    "float(np.where({0} > 0.2, {0}, 0.5 * {0}))", "0.4 * np.exp2(np.sin({0}))", "math.log2(1.5 + {0} * {0})",
    "np.arctan2({0}, 1.7)", "0.4 * np.hypot({0}, 0.5)", "0.1 * round({0})", "0.1 * math.trunc(1.0 * {0})",
    "0.1 * np.rint({0})", "round(1.0 * {0}, 2)",
    "min(abs({0}), 1.0)", "max({0}, -{0}) * 0.5", "np.power(1.5 + {0} * {0}, 0.4)", "np.sinh(0.5 * np.sin({0}))",
    "0.3 * math.gamma(1.5 + 0.4 * math.sin({0}))", "np.log(1.2 + abs({0}))", "np.arcsin(0.8 * np.cos({0}))",
    "0.1 * math.ceil({0})", "math.acosh(1.5 + {0} * {0})", "math.atanh(0.7 * math.sin({0}))", "math.erfc({0})",
    "np.log10(1.5 + {0} * {0})", "0.5 * math.tan(0.7 * math.sin({0}))", "np.fabs({0})", "np.float64({0}) ** 2 * 0.2",
)  # fmt: skip

BINARY = (
    "math.sin({0} * {1})", "math.tanh({0} * {1})", "0.5 * ({0} + {1})", "0.5 * ({0} - {1})", "math.cos({0} + {1})",
    "{0} / (1.5 + {1} * {1})", "np.tanh({0} - {1})", "min({0}, {1})", "max({0}, {1})", "np.maximum({0}, {1})",
    "np.minimum({0}, {1})", "math.atan2({0}, 1.5 + {1} * {1})", "0.5 * math.hypot({0}, {1})",
    "(1.0 + {0} * {0}) ** (0.5 * math.sin({1}))", "0.2 * {0} * {1}", "{0} * {1} / (1 + {0} * {0} + {1} * {1})",
    "max({0}, {1}, 0.3)", "math.sin({0}) * {1}", "math.fmod({0}, 1.3 + abs({1}))", "{0} % (1.1 + abs({1}))",
    "math.sin({0} - {1} * {1})", "math.copysign({0}, {1})", "0.3 * ({0} // (1.2 + abs({1})))",
    "float(np.where({0} < {1}, {0}, 0.5 * {1}))", "np.fmod({0}, 1.3 + abs({1}))", "np.hypot({0}, {1}) * 0.4",
    "max(abs({0}), abs({1}))", "min({0}, {1}, 0.5 * {0})", "np.copysign({0}, {1})",
    "np.power(1.3 + {0} * {0}, 0.3 * np.cos({1}))",
    "sum(({0}, {1})) * 0.4", "0.3 * divmod({0}, 1.7)[1] + 0.2 * {1}", "math.pow(1.2 + {0} * {0}, 0.3 * math.cos({1}))",
)  # fmt: skip

REDUCTIONS = (
    "np.mean({0})", "{0}.mean()", "0.1 * np.sum({0})", "0.1 * {0}.sum()", "np.max({0})", "{0}.min()", "np.min({0})",
    "math.tanh(np.prod({0}))", "0.1 * sum({0})",
)  # fmt: skip

EMPTY_REDUCTIONS = (
    "np.sum({0})",
    "{0}.sum()",
    "0.3 * np.prod({0})",
    "1.0 * sum({0})",
    "0.5 * len({0})",
    "np.dot({0}, {0})",
)

EITHER = (
    "max({0}, {1})", "min({0}, {1})", "min({1}, {0})", "max({1}, {0}, {1})", "({0} if {2} else {1})",
    "({1} if {2} else {0})", "({0}, {1})[{3}]", "[{1}, {0}][{3}]",
)  # fmt: skip
"""Numbers that are the object `{0}`, of any kind, or a constant, as the data decide; both may be zero."""

ASKING = (
    "0.1 / {0}", "0.4 / ({0} * {0})", "0.3 // {0}", "0.7 % {0}", "{0} ** -1.0", "({0}) ** -2", "abs({0}) ** 0.5",
    "0.1 * divmod(0.4, {0})[0]", "0.5 / -{0}", "0.2 / {0} / 3", "1.0 * isinstance({0}, np.generic)",
    "np.sin({0}) / {0}", "(0.2 / {0} if {0} else 0.25)", "({0} and 0.3 / {0})", "0.1 / float({0})",
    "0.1 / np.float64({0})", "{0} / 0",
)  # fmt: skip
"""Operations of which most raise or not as the number `{0}` is Python's or NumPy's, if it is zero."""

WRONG = ("math.sqrt({0})", "math.log({0})", "{0} / ({1})", "math.acos({0})", "float(1 // ({1}))")


class Expressions:
    """Draws expressions; `wrong` is how often a subscript or an operand may be out of its domain, `either` how often a
    number is Python's or NumPy's as the data decide, and something asks; `everyday` how often a statement is one of
    `Everyday`'s."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.wrong = 0.0
        own = random.Random(f"kinds of {seed}")  # so that the other programs stay what they are
        self.either = 0.15 if own.random() < 0.15 else 0.0
        self.everyday = 0.3 if own.random() < 0.2 else 0.0
        self.helpers: list[tuple[str, int, str]] = []  # name, how many arrays come first, what follows a call
        self.counter = 0

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def name(self, stem: str) -> str:
        self.counter += 1
        return f"{stem}{self.counter}"

    # Floats

    def atom(self, scope: Scope) -> str:
        """A name, an element or a constant."""
        draw, pick = self.random.random(), self.random.choice
        if draw < 0.5 and scope.floats:
            return scope.floats[-1] if self.chance(0.35) else pick(scope.floats)
        if draw < 0.8 and scope.arrays:
            return self.element(scope)
        if draw < 0.86 and scope.ints:
            return f"(0.1 * {self.integer(scope, 1).text})"
        if draw < 0.9 and scope.lists:
            name, length = pick(scope.lists)
            return f"{name}[{self.subscript(scope, length)}]"
        if scope.singles and self.chance(0.25):
            return f"{self.random.choice(['float', 'math.sin', 'math.tanh'])}({self.single(scope)})"
        if draw < 0.93 and scope.tuples:
            name, length = pick(scope.tuples)
            return f"{name}[{self.random.randrange(-length, length)}]"
        return repr(round(self.random.uniform(-1.5, 1.5), 2))

    def single(self, scope: Scope) -> str:
        """An element of a float32 array."""
        return self.element_of(scope, self.random.choice(scope.singles))

    def element(self, scope: Scope) -> str:
        array = self.random.choice([a for a in scope.arrays if not a.integers] or scope.arrays)
        return self.element_of(scope, array)

    def element_of(self, scope: Scope, array: ArrayName) -> str:
        parts = [self.subscript(scope, n) for n in array.shape]
        if len(parts) == 2 and self.chance(0.15):
            return f"{array.text}[{parts[0]}][{parts[1]}]"
        return f"{array.text}[{', '.join(parts)}]" if parts else f"{array.text}[()]"

    def number(self, scope: Scope, depth: int = 2) -> str:
        """A float expression."""
        draw, pick = self.random.random(), self.random.choice
        if depth <= 0 or draw < 0.15:
            return self.atom(scope)
        if self.either and self.chance(self.either):
            return pick(ASKING).format(self.either_kind(scope))
        a = self.operand(scope, depth)
        if self.wrong and self.chance(self.wrong):
            return pick(WRONG).format(a, self.integer(scope, 1).text)
        if draw < 0.4:
            return pick(UNARY).format(a)
        if draw < 0.8:
            return pick(BINARY).format(a, self.operand(scope, depth))
        if draw < 0.87:
            return f"({a} if {self.condition(scope)} else {self.number(scope, depth - 1)})"
        if draw < 0.93 and self.helpers:
            return self.helper_call(scope)
        if draw < 0.97 and scope.arrays:
            return self.reduction(scope)
        return f"math.sin({a} + {self.number(scope, depth - 1)})"

    def either_kind(self, scope: Scope) -> str:
        """A number of a kind that only a run tells."""
        constant = self.random.choice(["0.0", "-0.0", "0", "0.5", "-1.0", "1.0 * 0"])
        number = self.element(scope) if scope.arrays and self.chance(0.6) else self.atom(scope)
        if self.chance(0.3):
            number = f"(0.0 * {number})"
        which = f"{self.integer(scope, 1).text} % 2"
        return self.random.choice(EITHER).format(number, constant, self.condition(scope, 0), which)

    def operand(self, scope: Scope, depth: int) -> str:
        """An atom, or something in brackets."""
        return self.atom(scope) if self.chance(0.7) else f"({self.number(scope, depth - 1)})"

    def reduction(self, scope: Scope) -> str:
        if scope.empties and self.chance(0.3):
            return self.random.choice(EMPTY_REDUCTIONS).format(self.random.choice(scope.empties))
        array = self.random.choice(scope.arrays)
        vectors = [a for a in scope.arrays if len(a.shape) == 1 and a.shape == array.shape]
        if len(array.shape) == 1 and self.chance(0.4):
            return f"0.1 * np.dot({array.text}, {self.random.choice(vectors).text})"
        text = self.random.choice(REDUCTIONS if len(array.shape) == 1 else REDUCTIONS[:-1])
        if array.integers:
            text = "0.1 * np.sum({0})"
        return text.format(self.slice_of(array)[0] if self.chance(0.3) else array.text)

    def helper_call(self, scope: Scope) -> str:
        """A call of a helper, now and then with one array twice or with overlapping views."""
        name, arrays, after = self.random.choice(self.helpers)
        b = self.number(scope, 1)
        rest = self.random.choice(["", f", {b}", f", k={b}"])
        vectors = [a for a in scope.arrays if len(a.shape) == 1 and a.writable and a.shape[0] >= 3]
        if not arrays:
            return f"{name}({self.atom(scope)}{rest}){after}"
        if not vectors:
            return self.atom(scope)
        given = [self.passed(self.random.choice(vectors)) for _ in range(arrays)]
        if arrays == 2 and self.chance(0.3):
            given[1] = given[0]
        return f"{name}({', '.join(given)}{rest}){after}"

    def passed(self, array: ArrayName) -> str:
        """A vector of at least three elements as an argument: itself or a view of it."""
        n = array.shape[0]
        return self.random.choice([array.text, array.text, f"{array.text}[::-1]", f"{array.text}[{n - 3}:]"])

    # Integers and subscripts

    def integer(self, scope: Scope, depth: int = 2) -> IntName:
        """An integer expression with its range."""
        r = self.random
        if depth <= 0 or self.chance(0.4) or not scope.ints:
            if scope.ints and self.chance(0.8):
                return r.choice(scope.ints)
            value = r.randint(0, 4)
            return IntName(str(value), value, value)
        a, b = self.integer(scope, depth - 1), self.integer(scope, depth - 1)
        kind = r.choice(["+", "-", "*", "%", "//", "if", "max"])
        if kind == "+":
            return IntName(f"({a.text} + {b.text})", a.low + b.low, a.high + b.high)
        if kind == "-":
            return IntName(f"({a.text} - {b.text})", a.low - b.high, a.high - b.low)
        if kind == "*":
            ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
            return IntName(f"({a.text} * {b.text})", min(ends), max(ends))
        if kind == "%":
            n = r.choice([2, 3, 4, -3])
            return IntName(f"({a.text} % {n})", 0 if n > 0 else n + 1, n - 1 if n > 0 else 0)
        if kind == "//":
            n = r.choice([2, 3, -2])
            ends = [a.low // n, a.high // n]
            return IntName(f"({a.text} // {n})", min(ends), max(ends))
        low, high = min(a.low, b.low), max(a.high, b.high)
        if kind == "max":
            return IntName(f"{r.choice(['max', 'min'])}({a.text}, {b.text})", low, high)
        return IntName(f"({a.text} if {self.comparison(scope)} else {b.text})", low, high)

    def subscript(self, scope: Scope, size: int) -> str:
        """An integer in [-size, size), mostly."""
        if self.wrong and self.chance(self.wrong):
            return self.integer(scope).text
        for _ in range(6):
            if indices := [a for a in scope.arrays if a.integers and self.chance(0.1)]:
                return self.reduced(self.element_of(scope, indices[0]), size)
            drawn = self.integer(scope, self.random.choice([0, 0, 1, 1, 2]))
            if -size <= drawn.low and drawn.high < size:
                return drawn.text
            shifted = drawn.high - size + 1
            if drawn.high - drawn.low < size and self.chance(0.5):
                return f"{drawn.text} - {shifted}" if shifted > 0 else f"{drawn.text} + {-drawn.low}"
        if scope.ints and self.chance(0.4):
            return self.reduced(self.integer(scope).text, size)
        return str(self.random.randrange(-size, size))

    def reduced(self, text: str, size: int) -> str:
        return text if size >= 5 and "[" in text else f"{text} % {size}"

    # Conditions

    def comparison(self, scope: Scope) -> str:
        op = self.random.choice(["<", "<=", ">", ">=", "==", "!="])
        if scope.ints and self.chance(0.4):
            return f"{self.integer(scope, 1).text} {op} {self.integer(scope, 1).text}"
        if scope.flags and self.chance(0.3):
            return self.element_of(scope, self.random.choice(scope.flags))
        if scope.ints and self.chance(0.15):
            i, j = self.integer(scope, 1).text, self.integer(scope, 0).text
            return f"{self.random.randint(-1, 2)} {self.random.choice(['<', '<='])} {i} {op} {j}"
        op = self.random.choice(["<", ">", "<=", ">="])
        return f"{self.atom(scope)} {op} {self.atom(scope)}"

    def condition(self, scope: Scope, depth: int = 1) -> str:
        draw = self.random.random()
        if depth <= 0 or draw < 0.45:
            return self.comparison(scope)
        if draw < 0.55 and scope.bools:
            return self.random.choice(scope.bools)
        if draw < 0.7:
            return f"{self.atom(scope)} < {self.atom(scope)} {self.random.choice(['<', '<=', '>'])} {self.atom(scope)}"
        if draw < 0.8:
            return f"not ({self.condition(scope, depth - 1)})"
        joint = self.random.choice(["and", "or"])
        return f"({self.condition(scope, depth - 1)} {joint} {self.condition(scope, depth - 1)})"

    # Slices

    def slice_of(self, array: ArrayName) -> tuple[str, tuple[int, ...]]:
        """A view of `array`: its text and its shape."""
        r = self.random
        if len(array.shape) == 3:
            planes, rows, columns = array.shape
            k, j, m = r.randrange(-planes, planes), r.randrange(-rows, rows), r.randrange(-columns, columns)
            draws = [
                (f"{array.text}[{k}]", (rows, columns)),
                (f"{array.text}[:, {j}]", (planes, columns)),
                (f"{array.text}[..., {m}]", (planes, rows)),
                (f"{array.text}[{k}, {j}]", (columns,)),
                (f"{array.text}[:, ::-1, 1:]", (planes, rows, columns - 1)),
                (f"{array.text}[::-1, {j}, ::-2]", (planes, (columns + 1) // 2)),
            ]
            return r.choice(draws)
        if len(array.shape) == 2:
            rows, columns = array.shape
            k = r.randrange(-rows, rows)
            j = r.randrange(-columns, columns)
            draws = [
                (f"{array.text}.T", (columns, rows)),
                (f"{array.text}[{k}]", (columns,)),
                (f"{array.text}[:, {j}]", (rows,)),
                (f"{array.text}[{k}, 1:]", (columns - 1,)),
                (f"{array.text}[::-1, 1:]", (rows, columns - 1)),
                (f"{array.text}[1:, ::-1]", (rows - 1, columns)),
                (f"{array.text}[1:, ::2]", (rows - 1, (columns + 1) // 2)),
            ]
            return r.choice(draws)
        n = array.shape[0]
        start, stop, step = r.randrange(n), r.randint(-1, n), r.choice([1, 1, 1, 2, -1, -2])
        draws = [(f"{start}:", slice(start, None)), (f":{stop}", slice(None, stop)), ("::2", slice(None, None, 2)),
                 ("::-1", slice(None, None, -1)), (f"{start}:{stop}", slice(start, stop)), (":", slice(None)),
                 (f"{start}:{stop}:{step}", slice(start, stop, step)), ("1:-1", slice(1, -1))]  # fmt: skip
        text, chosen = r.choice(draws)
        length = len(range(n)[chosen])
        if length < 2:
            text, length = "::-1", n
        return f"{array.text}[{text}]", (length,)
