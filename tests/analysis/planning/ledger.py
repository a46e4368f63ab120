"""An interpreter that keeps book: how much room for the reverse sweep is open at a time, and how often things run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from adcore.ir import Function, Instr, Region, Value
from adcore.ir.interpreter import Environment, _Interpreter
from adcore.ir.types import BOOL, Scalar
from adcore.ops import TABLE


class Ledger(_Interpreter):
    """`most`: the most bytes that were kept for the reverse sweep at the same time; `runs`: executions by op."""

    def __init__(self) -> None:
        super().__init__(TABLE, {}, None)
        self.kept = self.most = 0
        self.runs: Counter[str] = Counter()

    def run(self, function: Function, arguments: Sequence[Any]) -> tuple[Any, ...]:
        return self.call(function, arguments)

    def region(self, region: Region, env: Environment) -> tuple[Any, ...]:
        results = super().region(region, env)
        made = [i for i in region.body if i.op == "alloc" and i.attrs.get("role") == "stored"]
        self.kept -= sum(self.size(i, env) for i in made)  # room of a region is given back at its end
        return results

    def size(self, instr: Instr, env: Environment) -> int:
        array = env[instr.result]
        return int(array.nbytes if instr.attrs["element"] != "bool" else -(-array.size // 8))

    def instr(self, instr: Instr, env: Environment) -> tuple[Any, ...]:
        self.runs[instr.op] += 1
        results = super().instr(instr, env)
        if instr.op == "alloc" and instr.attrs.get("role") == "stored":
            self.kept += self.size(instr, {instr.result: results[0]})
        elif instr.op == "push":
            self.kept += record(instr.operands)
        elif instr.op == "pop":
            self.kept -= record(instr.results)
        self.most = max(self.most, self.kept)
        return results


def record(values: Sequence[Value]) -> int:
    """Bytes of one record; truth values follow each other as bits, and count as nothing here."""
    return sum(v.type.bytes for v in values if isinstance(v.type, Scalar) and v.type != BOOL)
