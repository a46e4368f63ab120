"""The reference interpreter: what the IR means, slowly and plainly; the oracle for every pass and for lowering."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adcore.ir.builder import OpTable
from adcore.ir.core import Function, Instr, Module, Region, Value, meaning

Environment = dict[Value, Any]

Observer = Callable[[Instr, list[Any], tuple[Any, ...], tuple[int, ...]], tuple[Any, ...]]
"""Sees each instruction without regions with its operands, its results, and which iteration of each loop around it this
is, counted from 1 in the order of the loop's range; gives the results to go on with."""


def interpret(
    program: Function | Module, ops: OpTable, arguments: Sequence[Any], observe: Observer | None = None
) -> tuple[Any, ...]:
    """Run `program` on Python scalars, NumPy arrays and lists of arrays; arrays are written in place.

    Raises what the program raises (IndexError, ZeroDivisionError, ...), with the span added as `error.span`.
    """
    module = program if isinstance(program, Module) else Module(program)
    return _Interpreter(ops, module.callees, observe).call(module.main, arguments)


class _Interpreter:
    def __init__(self, ops: OpTable, callees: Mapping[str, Function], observe: Observer | None) -> None:
        self.ops, self.callees, self.observe = ops, callees, observe
        self.stack: list[Any] = []
        self.iterations: list[int] = []

    def call(self, function: Function, arguments: Sequence[Any]) -> tuple[Any, ...]:
        env: Environment = dict(zip(function.params, arguments, strict=True))
        return self.region(function.region, env)

    def region(self, region: Region, env: Environment) -> tuple[Any, ...]:
        for instr in region.body:
            try:
                results = self.instr(instr, env)
            except Exception as error:
                if not hasattr(error, "span"):
                    error.span = instr.span  # type: ignore[attr-defined]
                raise
            if self.observe is not None and not instr.regions:
                operands = [env[v] for v in instr.operands]
                results = self.observe(instr, operands, results, tuple(self.iterations))
            env.update(zip(instr.results, results, strict=True))
        return tuple(env[v] for v in region.yields)

    def instr(self, instr: Instr, env: Environment) -> tuple[Any, ...]:
        operands = [env[v] for v in instr.operands]
        structured = getattr(self, f"_{instr.op}", None)
        if structured is not None:
            return tuple(structured(instr, operands, env))
        evaluate = self.ops[instr.op].evaluate
        assert evaluate is not None, instr.op
        result = evaluate(*operands, **meaning(instr.attrs))
        return (normal(instr.results[0], result),) if instr.results else ()

    def _call(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        return self.call(self.callees[instr.attrs["callee"]], operands)

    def _message(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        return ()  # whoever wants to know what is said observes

    def _push(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        self.stack.append(tuple(operands))
        return ()

    def _pop(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        values = self.stack.pop()
        assert len(values) == len(instr.results), "push and pop do not match"
        return tuple(values)

    def _if(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        return self.region(instr.regions[0 if operands[0] else 1], env)

    def _for(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        lo, hi, *carried = operands
        (body,) = instr.regions
        values = range(lo, hi, instr.attrs["step"])
        trips = range(len(values))
        for k in reversed(trips) if instr.attrs.get("reverse") else trips:
            env.update(zip(body.params, (values[k], *carried), strict=True))
            self.iterations.append(k + 1)
            carried = list(self.region(body, env))
            self.iterations.pop()
        return tuple(carried)

    def _while(self, instr: Instr, operands: list[Any], env: Environment) -> tuple[Any, ...]:
        condition, body = instr.regions
        carried, k = list(operands), 0
        while True:
            env.update(zip(condition.params, (k, *carried), strict=True))
            (goes_on,) = self.region(condition, env)
            if not goes_on:
                return (*carried, k)
            env.update(zip(body.params, (k, *carried), strict=True))
            self.iterations.append(k + 1)
            carried = list(self.region(body, env))
            self.iterations.pop()
            k += 1


def normal(value: Value, result: Any) -> Any:
    """`result` as the plain Python (or NumPy float32) object of the value's type."""
    name = str(value.type)
    if name == "f64":
        return float(result)
    if name == "bool":
        return bool(result)
    if name == "f32":
        import numpy as np

        return np.float32(result)
    return int(result) if name[0] in "iu" and "<" not in name else result
