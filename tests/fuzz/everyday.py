"""Statements of everyday Python in random programs: errors that are caught, `match`, dicts, `:=`, `nonlocal`, stars,
messages, None, lists that grow in `while`, `sorted`."""

from __future__ import annotations

from tests.fuzz.expressions import Expressions, Scope


class Everyday(Expressions):
    """Draws them; `everyday` is how often."""

    def put(self, text: str) -> None:
        raise NotImplementedError

    def everyday_statement(self, scope: Scope) -> None:
        kinds = [self.guarded, self.matched, self.dictionary, self.named, self.raised, self.searched, self.counted,
                 self.defaults, self.said, self.absent, self.unpacked, self.worked_off, self.sorted_by_key]  # fmt: skip
        self.random.choice(kinds)(scope)

    def new_float(self, scope: Scope, text: str) -> None:
        value = self.name("v")
        self.put(f"{value} = {text}")
        scope.floats.append(value)

    def guarded(self, scope: Scope) -> None:
        """A statement that may raise, and what happens then."""
        value, r = self.name("v"), self.random
        a, b = self.number(scope, 1), self.number(scope, 1)
        vectors = [x for x in scope.arrays if len(x.shape) == 1 and not x.integers]
        item = f"{r.choice(vectors).text}[{self.integer(scope, 1).text} + 3]" if vectors else f"math.log({b})"
        risky = r.choice([f"math.sqrt({a})", f"{a} / float(int({b}))", item])
        self.put(f"{value} = {b}")
        self.put("try:")
        if self.chance(0.4):
            self.put(f"    {value} += 0.1 * ({a})")
        self.put(f"    {value} = 0.3 * ({value}) + 0.1 * ({risky})")
        caught = r.choice(["except (ValueError, ZeroDivisionError, IndexError):", "except Exception:"])
        self.put(caught)
        self.put(f"    {value} = {self.number(scope, 1)}")
        if self.chance(0.3):
            self.put("else:")
            self.put(f"    {value} *= 0.5")
        if self.chance(0.3):
            self.put("finally:")
            self.put(f"    {value} = math.sin({value})")
        scope.floats.append(value)

    def matched(self, scope: Scope) -> None:
        value = self.name("v")
        self.put(f"match ({self.integer(scope, 1).text}) % 4:")
        self.put("    case 0:")
        self.put(f"        {value} = {self.number(scope, 1)}")
        self.put("    case 1 | 2:")
        self.put(f"        {value} = {self.number(scope, 1)}")
        self.put("    case k:")
        self.put(f"        {value} = k * ({self.number(scope, 1)})")
        scope.floats.append(value)

    def dictionary(self, scope: Scope) -> None:
        name = self.name("d")
        self.put(f'{name} = {{"a": {self.number(scope, 1)}, "b": {self.number(scope, 1)}}}')
        if self.chance(0.5):
            self.put(f"if {self.condition(scope)}:")
            self.put(f'    {name}["a"] = 0.5 * {name}["b"]')
        self.put(f'{name}["b"] += 0.1 * {name}["a"]')
        self.new_float(scope, f'sum({name}.values()) + {name}.get("c", {self.atom(scope)})')

    def named(self, scope: Scope) -> None:
        name = self.name("n")
        self.new_float(scope, f"({name} := {self.number(scope, 1)}) * math.cos({name})")

    def raised(self, scope: Scope) -> None:
        """An error with a text of numbers, which hardly ever happens."""
        text = self.number(scope, 1)
        self.put(f"if not abs({text}) < 1e6:")
        self.put(f'    raise ValueError(f"too large: {{{self.atom(scope)}:.3f}}", {self.integer(scope, 1).text})')

    def searched(self, scope: Scope) -> None:
        vectors = [x for x in scope.arrays if len(x.shape) == 1 and not x.integers]
        over = self.random.choice(vectors).text if vectors else f"({self.atom(scope)}, {self.atom(scope)})"
        limit = self.random.choice(["0.25", "-0.4", self.atom(scope)])
        text = [f"0.1 * sum(q * q for q in {over} if q > {limit})", f"float(any(q > {limit} for q in {over}))",
                f"0.1 * sum(map(math.sin, {over}))", f"(0.5 if all(q < {limit} for q in {over}) else 0.2)"]  # fmt: skip
        self.new_float(scope, self.random.choice(text))

    def counted(self, scope: Scope) -> None:
        """A function that changes a name of the one around it."""
        total, function = self.name("v"), self.name("g")
        self.put(f"{total} = {self.atom(scope)}")
        self.put(f"def {function}(z):")
        self.put(f"    nonlocal {total}")
        self.put(f"    {total} = 0.5 * {total} + math.sin(z)")
        for _ in range(self.random.randint(1, 2)):
            self.put(f"{function}({self.number(scope, 1)})")
        scope.floats.append(total)

    def defaults(self, scope: Scope) -> None:
        given = ", ".join(self.atom(scope) for _ in range(self.random.randint(1, 4)))
        self.new_float(scope, f"(lambda z, k={self.atom(scope)}, *rest, m=0.5: z * k * m + 0.1 * sum(rest))({given})")

    def said(self, scope: Scope) -> None:
        """A message; it changes nothing."""
        value = self.number(scope, 1)
        texts = [f'f"{{{value}:.2e}}"', f'"%g of %d" % ({value}, {self.integer(scope, 1).text})', f"({value}, None)"]
        self.put(f"if {self.condition(scope)}:")
        self.put(f"    print({self.random.choice(texts)})")

    def absent(self, scope: Scope) -> None:
        """What is None in the first iteration, and perhaps in others."""
        last, total = self.name("n"), self.name("v")
        self.put(f"{last}, {total} = None, {self.atom(scope)}")
        self.put("for q in range(4):")
        self.put(f"    if {last} is not None:")
        self.put(f"        {total} = 0.5 * {total} + math.sin({last} * (q + 1))")
        self.put(f"    {last} = {self.number(scope, 1)} if q % 2 == 0 or {self.condition(scope)} else None")
        self.new_float(scope, f"{total} + (0.1 if {last} is None else math.cos({last}))")
        scope.floats.append(total)

    def unpacked(self, scope: Scope) -> None:
        vectors = [x for x in scope.arrays if len(x.shape) == 1 and not x.integers and x.text.isidentifier()]
        over = self.random.choice(vectors).text if vectors else f"({self.atom(scope)}, {self.atom(scope)})"
        self.new_float(scope, f"(lambda *z: math.sin(z[0]) + 0.1 * z[-1] * len(z))({self.atom(scope)}, *{over})")

    def worked_off(self, scope: Scope) -> None:
        """A list that grows and shrinks in a loop whose end only a run tells."""
        items, total, q = self.name("w"), self.name("v"), self.name("n")
        self.put(f"{items}, {total}, {q} = [{self.atom(scope)}], 0.0, 0")
        self.put(f"while {items}:")
        self.put(f"    {total} = math.sin({total} + {items}.pop())")
        self.put(f"    {q} += 1")
        self.put(f"    if {q} < {self.random.randint(2, 6)}:")
        self.put(f"        {items}.append(0.5 * {total} + 0.1 * ({self.atom(scope)}))")
        scope.floats.append(total)

    def sorted_by_key(self, scope: Scope) -> None:
        given = ", ".join(self.number(scope, 1) for _ in range(3))
        key = self.random.choice(["lambda z: -z", "lambda z: z * z", "math.sin"])
        self.new_float(scope, f"sorted(({given}), key={key}, reverse={self.random.choice(['True', 'False'])})[1]")
