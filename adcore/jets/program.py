"""IR as Python code over an arithmetic of its own.

    %s: f64 = for %lo, %n, %zero [step=1] {       ->     (v5,) = (v3,)
    (%i: i64, %acc: f64):                                for v4 in range(v1, v2, 1):
      %x: f64 = load %a, %i                                tick(3)
      %t: f64 = mul %x, %x                                 v6 = v0[v4]
      %n: f64 = add %acc, %t                               v7 = mul(v6, v6)
      yield %n                                             v8 = add(v5, v7)
    }                                                      (v5,) = (v8,)

The code asks an arithmetic `T` for everything that has to do with floats (`Jets`, `Germs`): arrays of floats are arrays
of objects. Integers, truth values and views are what the ops' definitions say. Interpreting the same takes ten times
longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adcore.ir.core import Function, Instr, Region, Value, meaning, walk
from adcore.ir.types import ArrayType, ListType, Scalar, Type, is_float
from adcore.ops import Table

COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
WHOLE = {"add": "+", "sub": "-", "mul": "*"}
CHOICES = {"and": "and", "or": "or"}
PLAIN = frozenset({"neg", "abs", "minimum", "maximum", "add", "sub", "mul", "div", "pow", "mod", "fmod", "floordiv",
                   "copysign", "atan2", "hypot", "logaddexp", "sign", "attach"})  # fmt: skip
"""Ops of floats that an arithmetic has a method for, of the same name."""
STEPS = frozenset({"floor", "ceil", "trunc", "rint"})
MOST_NESTED = 18
"""Python's own limit of loops inside loops is 20."""


class NotReadable(Exception):
    """An op that has no meaning here, such as a function at an address."""


@dataclass(frozen=True)
class JetProgram:
    """`run(arithmetic, *parameters)` gives the results; `lines` are the source lines of the instructions, `single` says
    whether a number of the program has but 32 bits."""

    run: Callable[..., tuple[Any, ...]]
    text: str
    single: bool
    too_long: set[Any] = field(default_factory=set, compare=False)
    """Sizes for which it was found to run for too long."""


def program_of(function: Function, ops: Table) -> JetProgram:
    """The code of a function without calls. Raises NotReadable."""
    writer = _ProgramWriter(ops)
    text = writer.function(function)
    space: dict[str, Any] = {"O": {name: ops[name].evaluate for name in writer.used}, "K": writer.constants}
    try:
        exec(compile(text, f"<jets of {function.name}>", "exec"), space)
    except (SyntaxError, RecursionError, MemoryError) as problem:
        raise NotReadable(f"{function.name} is too large or too deeply nested") from problem
    types = [v.type for i in walk(function.region) for v in (*i.operands, *i.results)]
    return JetProgram(space["run"], text, any(_element(t).name == "f32" for t in types))


def _element(type_: Type) -> Scalar:
    return type_ if isinstance(type_, Scalar) else type_.element


class _ProgramWriter:
    def __init__(self, ops: Table) -> None:
        self.ops = ops
        self.names: dict[Value, str] = {}
        self.lines: list[str] = []
        self.head: list[str] = []
        self.constants: list[Any] = []
        self.methods: dict[str, None] = {}
        self.used: set[str] = set()

    def function(self, function: Function) -> str:
        params = ", ".join(self.name(v) for v in function.region.params)
        self.region(function.region, "    ")
        given = [f"    {name} = T.{name}" for name in self.methods]
        results = f"    return {self.tuple(function.region.yields)}"
        return "\n".join([f"def run(T, {params}):", *given, *self.head, *self.lines, results, ""])

    def name(self, value: Value) -> str:
        return self.names.setdefault(value, f"v{len(self.names)}")

    def tuple(self, values: Sequence[Value]) -> str:
        return "(" + "".join(f"{self.name(v)}, " for v in values) + ")"

    def put(self, pad: str, text: str) -> None:
        self.lines.append(pad + text)

    def method(self, name: str) -> str:
        """A local name for what the arithmetic does."""
        self.methods[name] = None
        return name

    def evaluate(self, name: str) -> str:
        self.used.add(name)
        return f"O[{name!r}]"

    def region(self, region: Region, pad: str) -> None:
        if len(pad) > 4 * MOST_NESTED:
            raise NotReadable("too deeply nested")
        for instr in region.body:
            self.instr(instr, pad)

    def assign(self, pad: str, targets: Sequence[Value], values: str) -> None:
        if targets:
            self.put(pad, f"{self.tuple(targets)} = {values}")

    def instr(self, instr: Instr, pad: str) -> None:
        structured = {"for": self.for_, "while": self.while_, "if": self.if_}.get(instr.op)
        if structured is not None:
            structured(instr, pad)
            return
        operands = [self.name(v) for v in instr.operands]
        text = self.formula(instr, operands, meaning(instr.attrs))
        self.put(pad, f"{self.name(instr.results[0])} = {text}" if instr.results else text)

    # Control flow

    def for_(self, instr: Instr, pad: str) -> None:
        (body,) = instr.regions
        low, high, *carried = (self.name(v) for v in instr.operands)
        counter, *params = body.params
        self.assign(pad, params, "(" + "".join(f"{c}, " for c in carried) + ")")
        trips = f"range({low}, {high}, {instr.attrs['step']})"
        self.put(pad, f"for {self.name(counter)} in {f'reversed({trips})' if instr.attrs.get('reverse') else trips}:")
        self.put(pad + "    ", f"{self.method('tick')}({len(body.body)})")
        self.region(body, pad + "    ")
        self.assign(pad + "    ", params, self.tuple(body.yields))
        self.assign(pad, instr.results, self.tuple(params))

    def while_(self, instr: Instr, pad: str) -> None:
        condition, body = instr.regions
        state, count, inner = f"w{len(self.lines)}", f"k{len(self.lines)}", pad + "    "
        self.put(pad, f"{count} = 0")
        self.put(pad, f"{state} = ({''.join(self.name(v) + ', ' for v in instr.operands)})")
        self.put(pad, "while True:")
        self.put(inner, f"{self.method('tick')}({len(condition.body) + len(body.body)})")
        self.assign(inner, condition.params, f"({count}, *{state})")
        self.region(condition, inner)
        self.put(inner, f"if not {self.name(condition.yields[0])}: break")
        self.assign(inner, body.params, f"({count}, *{state})")
        self.region(body, inner)
        self.put(inner, f"{state} = {self.tuple(body.yields)}")
        self.put(inner, f"{count} += 1")
        self.assign(pad, instr.results, f"(*{state}, {count})")

    def if_(self, instr: Instr, pad: str) -> None:
        for word, region in zip((f"if {self.name(instr.operands[0])}:", "else:"), instr.regions, strict=True):
            self.put(pad, word)
            self.put(pad + "    ", "pass")
            self.region(region, pad + "    ")
            self.assign(pad + "    ", instr.results, self.tuple(region.yields))

    # What is no control flow

    def formula(self, instr: Instr, a: list[str], attrs: Mapping[str, Any]) -> str:
        op = instr.op
        first = instr.operands[0].type if instr.operands else None
        if op == "const":
            return self.constant(instr, attrs)
        if op == "cast":
            return self.cast(instr, a[0], attrs["type"])
        if op == "select":
            return f"{a[1]} if {a[0]} else {a[2]}"
        if op in ("load", "store", "accumulate", "alloc"):
            return self.memory(instr, a, attrs)
        if first is not None and is_float(first):
            return self.floats(op, a, attrs)
        if op in COMPARISONS or op in WHOLE or op in CHOICES:
            return f" {({**COMPARISONS, **WHOLE, **CHOICES})[op]} ".join(a)
        if op == "not":
            return f"not {a[0]}"
        if op == "dim":
            return f"{a[0]}.shape[{attrs['axis']}]"
        if self.ops[op].evaluate is None or _makes_floats(instr):
            raise NotReadable(op)
        return f"{self.evaluate(op)}({', '.join([*a, *(f'{key}={value!r}' for key, value in attrs.items())])})"

    def floats(self, op: str, a: list[str], attrs: Mapping[str, Any]) -> str:
        """An op whose operands are floats."""
        if op in COMPARISONS:
            return f"{self.method('compare')}({op!r}, {', '.join(a)})"
        if op in PLAIN:
            return f"{self.method(op + '_')}({', '.join(a)})"
        if op in STEPS:
            return f"{self.method('step')}({op!r}, {a[0]})"
        if op == "round_decimal":
            return f"{self.method('step')}({op!r}, {a[0]}, {attrs['places']})"
        if op == "polygamma":
            return f"{self.method('unary')}({op!r}, {a[0]}, {attrs['order']})"
        if len(a) != 1 or op in ("rule", "native"):
            raise NotReadable(op)
        return f"{self.method('unary')}({op!r}, {a[0]})"

    def constant(self, instr: Instr, attrs: Mapping[str, Any]) -> str:
        evaluate = self.ops["const"].evaluate
        assert evaluate is not None
        self.constants.append(evaluate(**attrs))
        text = f"K[{len(self.constants) - 1}]"
        if not is_float(instr.result.type):
            return text
        self.head.append(f"    c{len(self.constants)} = {self.method('const')}({text})")
        return f"c{len(self.constants)}"

    def cast(self, instr: Instr, a: str, type_: str) -> str:
        source, target = instr.operands[0].type, instr.result.type
        if is_float(source) and is_float(target):
            return f"{self.method('narrow')}({a}, {type_!r})"
        if is_float(source):
            return f"{self.method('integer')}({a}, {type_!r})"
        text = f"{self.evaluate('cast')}({a}, type={type_!r})"
        return f"{self.method('const')}({text})" if is_float(target) else text

    def memory(self, instr: Instr, a: list[str], attrs: Mapping[str, Any]) -> str:
        if instr.op == "load":
            element = f"{a[0]}[{', '.join(a[1:]) or '()'}]"
            return element if is_float(instr.result.type) else f"{element}.item()"
        if instr.op == "alloc":
            if attrs["element"] in ("f64", "f32"):
                return f"{self.method('alloc')}(({''.join(n + ', ' for n in a)}), {attrs['element']!r})"
            return f"{self.evaluate('alloc')}({', '.join([*a, *(f'{k}={v!r}' for k, v in attrs.items())])})"
        place = f"{a[1]}[{', '.join(a[2:]) or '()'}]"
        if instr.op == "store":
            return f"{place} = {a[0]}"
        total = f"{self.method('add_')}({place}, {a[0]})" if is_float(instr.operands[0].type) else f"{place} + {a[0]}"
        return f"{place} = {total}"


def _makes_floats(instr: Instr) -> bool:
    """Whether a result is a float; arrays of them are made by views alone here."""
    return any(not isinstance(v.type, (ArrayType, ListType)) and is_float(v.type) for v in instr.results)


__all__ = ["JetProgram", "NotReadable", "program_of"]
