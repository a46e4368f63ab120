"""A test of a pass is two texts: the program before it and the program after it.

`check_pass(run, before, after)` parses `before`, runs the pass, compares what it gives with `after` up to the names of
values, and interprets both over the same arguments. `check_docstring(module, run)` takes the two texts from the head of
the pass's own module, so that what is said there is what happens. Texts are IR as the printer writes it, but

- constants stand where they are used: `add %i, 1`, `mul %v, 2.0`, `or %c, true`; where is not compared;
- `func @f(...)` may be left out: the parameters are then `PARAMETERS`;
- a last line `return` without values may be left out.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Callable, Sequence
from itertools import takewhile
from types import ModuleType
from typing import Any

import numpy as np

from adcore.ir import ArrayType, Function, interpret, parse_function, print_function, verify
from adcore.ir.types import NUMPY_NAMES, Type
from adcore.ops import TABLE
from adcore.ops.define import Table

Pass = Callable[[Function], Function]
Arguments = Sequence[Any]

PARAMETERS = (
    "%x: array<f64,1,C>, %y: array<f64,1,C>, %d: array<f64,1,C>, %a: array<f64,2,C>, %b: array<f64,2,C>, "
    "%c: array<f64,2,C>, %n: i64, %m: i64, %k: i64, %s: f64, %p: bool"
)
"""What a text without parameters of its own may use: vectors, matrices, integers, a float, a truth value."""

BECOMES = "->"
"""The line between the two texts in a docstring."""

EXTENT = 12
"""The length of every axis of an argument; integers among the arguments are smaller."""

_LITERAL = re.compile(r"(?<=[\s,])(-?(?:\d[\d.]*(?:e[+-]?\d+)?|inf|nan)|true|false)(?=\s*(?:,|$|\{|\[))", re.MULTILINE)
_CONSTANT = re.compile(
    r"^\s*(%[\w.]+): (?:f64|i64|bool) = const \[type='(?:f64|i64|bool)', value=(.*)\]\n", re.MULTILINE
)
_NAME = re.compile(r"%[\w.]+")


def check_pass(
    run: Pass, before: str, after: str, *, parameters: str = PARAMETERS, arguments: Sequence[Arguments] | None = None
) -> None:
    """`run` makes `after` of `before`, and both do the same to `arguments` (whole numbers, unless they are given)."""
    function = parse(before, parameters)
    result = run(function)
    check_text(result, after, parameters=parameters)
    check_same(function, result, arguments)


def check_text(function: Function, expected: str, *, parameters: str = PARAMETERS) -> None:
    """`function` is valid and, up to the names of values, what `expected` says."""
    found, wanted = text(verify(function, TABLE)), text(parse(expected, parameters))
    assert numbered(found) == numbered(wanted), difference(wanted, found)


def check_unchanged(run: Pass, program: str, *, parameters: str = PARAMETERS) -> None:
    """`run` leaves `program` as it is."""
    check_pass(run, program, program, parameters=parameters)


def check_docstring(
    module: ModuleType, run: Pass, *, parameters: str = PARAMETERS, arguments: Sequence[Arguments] | None = None
) -> None:
    """`run` does what the head of `module` shows."""
    before, after = docstring_texts(module)
    check_pass(run, before, after, parameters=parameters, arguments=arguments)


def docstring_texts(module: ModuleType) -> tuple[str, str]:
    """The two indented blocks around the line `->` in a module's docstring."""
    lines = (module.__doc__ or "").split("\n")
    assert BECOMES in lines, f"{module.__name__} does not show what it does"
    at = lines.index(BECOMES)
    before = list(takewhile(_is_indented, reversed(lines[:at])))[::-1]
    after = list(takewhile(_is_indented, lines[at + 1 :]))
    return textwrap.dedent("\n".join(before)), textwrap.dedent("\n".join(after))


def _is_indented(line: str) -> bool:
    return line.startswith("    ")


def parse(program: str, parameters: str = PARAMETERS, ops: Table = TABLE) -> Function:
    """The verified function of a text."""
    program = textwrap.dedent(program).strip()
    if not program.startswith("func"):
        ending = "" if re.search(r"^return", program, re.MULTILINE) else "\nreturn"
        program = f"func @f({parameters}) -> () {{\n{textwrap.indent(program + ending, '  ')}\n}}"
    names: dict[str, str] = {}
    lines = [_without_literals(line, names) for line in program.split("\n")]
    head = next(k for k, line in enumerate(lines) if line.endswith("{")) + 1
    constants = (f"  {name}: {_constant(literal)}" for literal, name in names.items())
    return verify(parse_function("\n".join([*lines[:head], *constants, *lines[head:]])), ops)


def _without_literals(line: str, names: dict[str, str]) -> str:
    """`line` with names in the place of the literals among its operands."""
    is_instruction = not line.lstrip().startswith(("func", "(", "%")) or " = " in line
    start = line.find(" = ") + 1 if " = " in line.partition("[")[0] else 0
    operands, bracket, attributes = line[start:].partition("[")
    if not is_instruction or operands.startswith("= const"):
        return line
    spelled = _LITERAL.sub(lambda match: names.setdefault(match.group(), f"%literal_{len(names)}"), operands)
    return line[:start] + spelled + bracket + attributes


def _constant(literal: str) -> str:
    """The type of a literal, and the instruction that gives it."""
    if literal in ("true", "false"):
        return f"bool = const [type='bool', value={literal.capitalize()}]"
    kind = "f64" if re.search(r"[.en]", literal) else "i64"
    return f"{kind} = const [type='{kind}', value={literal}]"


def text(function: Function) -> str:
    """The function as text, with constants where they are used."""
    printed = print_function(function)
    literals = {}
    for name, value in _CONSTANT.findall(printed):
        literals[name] = value.lower() if value in ("True", "False") else value
    return _NAME.sub(lambda match: literals.get(match.group(), match.group()), _CONSTANT.sub("", printed))


def numbered(printed: str) -> str:
    """A text whose names say nothing but the order in which they appear."""
    names: dict[str, str] = {}
    return _NAME.sub(lambda match: names.setdefault(match.group(), f"%{len(names)}"), printed)


def difference(expected: str, found: str) -> str:
    lines = difflib.unified_diff(expected.split("\n"), found.split("\n"), "expected", "found", lineterm="", n=99)
    return "\n".join(("the pass gives another text:", *lines))


def check_same(before: Function, after: Function, arguments: Sequence[Arguments] | None = None) -> None:
    """Both return, raise and write the same."""
    for given in arguments or samples(before):
        ours, theirs = outcome(before, given), outcome(after, given)
        assert repr(ours) == repr(theirs), f"interpreted over {[v for v in given if not isinstance(v, np.ndarray)]}"


def outcome(function: Function, given: Arguments) -> tuple[Any, list[Any]]:
    """Results or error, and what the arrays hold afterwards (nothing where there was an error)."""
    copies = [v.copy() if isinstance(v, np.ndarray) else v for v in given]
    try:
        results = interpret(function, TABLE, copies)
    except Exception as error:
        return (type(error), str(error)), []
    return results, [v.tolist() for v in copies if isinstance(v, np.ndarray)]


def samples(function: Function) -> list[Arguments]:
    """Arguments that suit the parameters: whole numbers, so that the order of sums cannot show."""
    random = np.random.default_rng(0)
    return [[_sample(p.type, random, largest) for p in function.params] for largest in (0, 1, 2, 4, 5)]


def _sample(type_: Type, random: np.random.Generator, largest: int) -> Any:
    if isinstance(type_, ArrayType):
        whole = random.integers(-3, 4, size=(EXTENT,) * type_.rank)
        return whole.astype(NUMPY_NAMES[type_.element.name])
    kinds: dict[str, Callable[[], Any]] = {"i64": lambda: largest, "bool": lambda: bool(random.integers(2))}
    return kinds.get(str(type_), lambda: float(random.integers(-3, 4)))()
