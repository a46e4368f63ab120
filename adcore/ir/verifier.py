"""Checks an IR function: every use is defined and in scope, every type follows from the ops table."""

from __future__ import annotations

from collections.abc import Callable

from adcore.ir.builder import OpInfo, OpTable
from adcore.ir.core import Function, Instr, Region, Value
from adcore.ir.printer import print_function
from adcore.ir.types import BOOL, I64, Type


class IRError(AssertionError):
    """A pass produced invalid IR: a fault of the compiler, shown with the IR."""


def verify(function: Function, ops: OpTable, stage: str = "") -> Function:
    """Return `function` if it is valid, raise IRError otherwise."""
    problems: list[str] = []
    _Verifier(ops, problems).region(function.region, set())
    if problems:
        listing = "\n".join(f"  {p}" for p in problems)
        raise IRError(f"invalid IR{f' after {stage}' if stage else ''}:\n{listing}\n\n{print_function(function)}")
    return function


class _Verifier:
    def __init__(self, ops: OpTable, problems: list[str]) -> None:
        self.ops, self.problems = ops, problems
        self.defined: set[Value] = set()

    def define(self, values: tuple[Value, ...], scope: set[Value]) -> None:
        for value in values:
            if value in self.defined:
                self.problems.append(f"{value!r} is defined twice")
        self.defined.update(values)
        scope.update(values)

    def use(self, values: tuple[Value, ...], scope: set[Value], where: str) -> None:
        if scope.issuperset(values):
            return
        for value in values:
            if value not in scope:
                self.problems.append(f"{where} uses {value!r}, which is not defined there")

    def region(self, region: Region, outer: set[Value]) -> None:
        scope = set(outer)
        self.define(region.params, scope)
        for instr in region.body:
            self.use(instr.operands, scope, instr.op)
            self.instr(instr)
            for nested in instr.regions:
                self.region(nested, scope)
            self.define(instr.results, scope)
        self.use(region.yields, scope, "yield")

    def instr(self, instr: Instr) -> None:
        op = self.ops.get(instr.op)
        if op is None:
            self.problems.append(f"unknown op {instr.op}")
            return
        types = tuple([v.type for v in instr.operands])
        if op.effects is None:
            self.problems.append(f"the op {instr.op} does not declare its effects")
        else:
            self.problems += [f"{instr.op} {problem}" for problem in op.effects.problems(types)]
        check = _STRUCTURED.get(instr.op)
        if check is not None:
            check(self, instr)
        elif instr.op != "call":
            self._plain(instr, op, types)

    def _plain(self, instr: Instr, op: OpInfo, operands: tuple[Type, ...]) -> None:
        try:
            types = op.type_rule(operands, instr.attrs)
        except TypeError as error:
            self.problems.append(f"{instr.op}: {error}")
            return
        self.match(instr, "results", types, instr.results)

    def match(self, instr: Instr, what: str, types: tuple[Type, ...], values: tuple[Value, ...]) -> None:
        found = tuple([v.type for v in values])
        if found != types:
            self.problems.append(f"{instr.op}: {what} are ({_list(found)}), expected ({_list(types)})")

    def _for(self, instr: Instr) -> None:
        (body,) = instr.regions
        carried = tuple(v.type for v in instr.operands[2:])
        self.match(instr, "bounds", (I64, I64), instr.operands[:2])
        self.match(instr, "parameters", (I64, *carried), body.params)
        self.match(instr, "yields", carried, body.yields)
        self.match(instr, "results", carried, instr.results)
        if not isinstance(instr.attrs.get("step"), int) or instr.attrs["step"] == 0:
            self.problems.append("for: step must be a non-zero integer")

    def _while(self, instr: Instr) -> None:
        condition, body = instr.regions
        carried = tuple(v.type for v in instr.operands)
        for region in (condition, body):
            self.match(instr, "parameters", (I64, *carried), region.params)
        self.match(instr, "condition", (BOOL,), condition.yields)
        self.match(instr, "yields", carried, body.yields)
        self.match(instr, "results", (*carried, I64), instr.results)

    def _if(self, instr: Instr) -> None:
        self.match(instr, "condition", (BOOL,), instr.operands)
        types = tuple(v.type for v in instr.results)
        for region in instr.regions:
            self.match(instr, "parameters", (), region.params)
            self.match(instr, "yields", types, region.yields)


_STRUCTURED: dict[str, Callable[[_Verifier, Instr], None]] = {
    "for": _Verifier._for,
    "while": _Verifier._while,
    "if": _Verifier._if,
}


def _list(types: tuple[Type, ...]) -> str:
    return ", ".join(map(str, types))
