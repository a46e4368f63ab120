"""Random programs: branches, loops, jumps, lists, stores; the compiled function does what Python does."""

from __future__ import annotations

import importlib.util
import random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from adcore.errors import CompileError
from adcore.frontend.python import comparisons
from adcore.frontend.python.control import blocks
from tests.frontend.support import agrees, compiled


class Writer:
    """Writes one program. `loads`: floats come from arrays (NumPy scalars, which never raise); otherwise they are
    Python's, and divisions may raise."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.loads = self.random.random() < 0.5
        self.lines: list[str] = []
        self.loops = 0
        self.budget = 30
        self.floats, self.ints, self.lists = ["a", "b"], ["m", "n"], ["v"]

    def program(self) -> str:
        self.lines = ["import math", "", "", "def f(x, a, b, m, n):", "    p = 0.5", "    k = 1", "    v = [a, 1.0, 2]"]
        self.floats.append("p")
        self.ints.append("k")
        self.block(1, 6)
        self.lines.append("    " + self.result())
        return "\n".join(self.lines) + "\n"

    def result(self) -> str:
        return "return a, b, p, m, n, k, v[0], v[1], v[2]"

    def pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def number(self, depth: int = 0) -> str:
        r = self.random.random()
        if depth > 2 or r < 0.35:
            return self.pick(*self.floats, *self.ints, "0.5", "2", "1.5", "-1")
        if r < 0.45:
            return f"v[{self.pick('0', '1', '-1', 'k % 3', 'm % 3')}]"
        if r < 0.55 and self.loads:
            return f"x[{self.integer(2)} % 4]"
        if r < 0.65:
            call = self.pick("math.sin", "abs", "min", "max", "math.atan")
            count = 2 if call in ("min", "max") else 1
            return f"{call}({', '.join(self.number(depth + 1) for _ in range(count))})"
        if r < 0.72:
            return f"({self.number(depth + 1)} if {self.condition(depth + 1)} else {self.number(depth + 1)})"
        operators = ["+", "-", "*"] if self.loads else ["+", "-", "*", "/", "//", "%"]
        return f"({self.number(depth + 1)} {self.pick(*operators)} {self.number(depth + 1)})"

    def integer(self, depth: int = 0) -> str:
        if depth > 1 or self.random.random() < 0.4:
            return self.pick(*self.ints, "0", "1", "3", "-2")
        return f"({self.integer(depth + 1)} {self.pick('+', '-', '*', '//', '%')} {self.integer(depth + 1)})"

    def condition(self, depth: int = 0) -> str:
        r = self.random.random()
        if depth < 2 and r < 0.3:
            return f"({self.condition(depth + 1)} {self.pick('and', 'or')} {self.condition(depth + 1)})"
        if r < 0.4:
            return f"not {self.condition(depth + 1)}"
        if r < 0.5:
            return f"{self.integer(1)} < {self.integer(1)} <= {self.integer(1)}"
        return f"{self.number(2)} {self.pick('<', '>', '<=', '==', '!=')} {self.number(2)}"

    def block(self, indent: int, most: int) -> None:
        for _ in range(self.random.randint(1, most)):
            self.statement(indent)

    def statement(self, indent: int) -> None:
        self.budget -= 1
        pad = "    " * indent
        r = self.random.random()
        if self.budget < 0 or indent > 4:
            r = r * 0.5
        if r < 0.2:
            self.lines.append(f"{pad}{self.pick(*self.floats)} {self.pick('=', '+=', '-=', '*=')} {self.number()}")
        elif r < 0.3:
            # Kept small, so that nothing leaves 64 bits.
            self.lines.append(f"{pad}{self.pick(*self.ints)} = {self.integer()} % 7")
        elif r < 0.36:
            self.lines.append(f"{pad}v[{self.pick('0', '1', '2', 'k % 3')}] = {self.number()}")
        elif r < 0.44:
            self.lines.append(f"{pad}x[{self.integer(2)} % 4] {self.pick('=', '+=')} {self.number()}")
        elif r < 0.5:
            self.lines.append(f"{pad}{self.pick(*self.lists)} = [{self.number(1)}, {self.number(1)}, {self.number(2)}]")
        elif r < 0.7:
            self.branch(indent)
        elif r < 0.88:
            self.loop(indent)
        elif r < 0.92:
            self.lines.append(pad + self.result())
        elif self.loops:
            self.lines.append(pad + self.pick("break", "continue"))
        else:
            self.lines.append(f"{pad}t = {self.number()}")
            self.lines.append(f"{pad}a, b = b, t")

    def branch(self, indent: int) -> None:
        pad = "    " * indent
        self.lines.append(f"{pad}if {self.condition()}:")
        self.block(indent + 1, 3)
        if self.random.random() < 0.3:
            self.lines.append(f"{pad}elif {self.condition()}:")
            self.block(indent + 1, 3)
        if self.random.random() < 0.5:
            self.lines.append(f"{pad}else:")
            self.block(indent + 1, 3)

    def loop(self, indent: int) -> None:
        pad = "    " * indent
        name = f"i{indent}"
        r = self.random.random()
        if r < 0.3:
            self.lines.append(f"{pad}for {name} in range({self.pick('n % 5', '12', '9', 'm % 4')}):")
        elif r < 0.5:
            self.lines.append(f"{pad}for {name} in range({self.pick('3', '2, 0, -1', '1, 5, 2')}):")
        elif r < 0.6:
            self.lines.append(f"{pad}for {name}, e{indent} in enumerate({self.pick('v', '(a, 2, b)', 'x')}):")
            self.lines.append(f"{pad}    b = e{indent} * 0.5")
        elif r < 0.7:
            self.lines.append(f"{pad}for {name} in reversed(range(k, {self.pick('10', 'n')})):")
        else:
            # The turns are counted under a name that nothing else assigns, or it might never end.
            self.lines.append(f"{pad}turns{indent} = {name} = 0")
            self.lines.append(f"{pad}while turns{indent} < {self.pick('n % 6', '4')} and {self.condition(1)}:")
            self.lines.append(f"{pad}    turns{indent} += 1")
            self.lines.append(f"{pad}    {name} = turns{indent}")
        self.loops += 1
        self.ints.append(name)
        self.block(indent + 1, 4)
        self.loops -= 1
        if self.random.random() < 0.3:
            # After the loop its variable may have no value.
            self.ints.remove(name)
        if self.random.random() < 0.2:
            self.lines.append(f"{pad}else:")
            self.block(indent + 1, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("generated")


def load(folder, seed):
    text = Writer(seed).program()
    file = folder / f"program_{seed}.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(f"program_{seed}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.f, text


def refusal(function, *arguments):
    """The titles of what is refused."""
    try:
        compiled(function, *arguments)
    except CompileError as error:
        return [found.title for found in error.diagnostics]
    return []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_generated_programs(folder, seed):
    check_program(folder, seed)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_generated_programs_with_hardly_a_branch_in_another(folder, seed):
    """As programs with many exits and long conditions are compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MOST_NESTED", 1)
        patch.setattr(comparisons, "MOST_OPERANDS", 2)
        check_program(folder, seed)


def check_program(folder, seed):
    function, text = load(folder, seed)
    for a, b, m, n in ((1.5, -0.5, 3, 5), (0.0, 2.0, 0, 4), (-2.0, 1.0, -1, 1)):
        # A name without a value, and lists that are one and then another, are refused.
        refused = refusal(function, np.zeros(4), a, b, m, n)
        if refused:
            assert any("no value here" in title or "one list" in title for title in refused), text
            return
        try:
            agrees(function, np.array([0.5, -1.0, 2.0, 0.0]), a, b, m, n, message=False)
        except BaseException as error:
            error.add_note(text) if hasattr(error, "add_note") else print(text)
            raise
