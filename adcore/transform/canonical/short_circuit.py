"""Short-circuit conditions whose second part cannot fail become plain logic.

    %both: bool = if %p {
    ():
      %c: bool = lt %k, %n
      yield %c
    } {
    ():
      yield false
    }
    return %both
->
    %c.1: bool = lt %k, %n
    %0: bool = and %p, %c.1
    return %0

So a loop over `not stopped and i < n` is seen to keep `i` below `n`.
"""

from __future__ import annotations

from adcore.ir.builder import Builder
from adcore.ir.core import Function, Instr, Region, Value, walk
from adcore.ir.types import BOOL
from adcore.machine_model import MODEL
from adcore.ops import Table

CHEAP = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "const"})


def flatten_conditions(function: Function, ops: Table) -> Function:
    """An equivalent function with fewer branches."""
    return _Flattener(function, ops).function(function)


class _Flattener:
    def __init__(self, function: Function, ops: Table) -> None:
        self.builder = Builder(ops)
        self.value: dict[Value, Value] = {}
        self.constant = {i.result: i.attrs["value"] for i in walk(function.region) if i.op == "const"}

    def function(self, function: Function) -> Function:
        self.body(function.region)
        results = tuple(self.value.get(v, v) for v in function.results)
        body = self.builder.finish((), ()).body
        return function.with_region(function.region.with_body(body, results))

    def body(self, region: Region) -> None:
        for instr in region.body:
            self.builder.span = instr.span
            if not self.flattened(instr):
                operands = tuple(self.value.get(v, v) for v in instr.operands)
                regions = tuple(map(self.region, instr.regions))
                self.builder.append(instr.with_operands(operands).with_regions(regions))

    def region(self, region: Region) -> Region:
        with self.builder.region(region.params) as opened:
            self.body(region)
        return region.with_body(opened.body, tuple(self.value.get(v, v) for v in region.yields))

    def flattened(self, instr: Instr) -> bool:
        """Append an `if` that chooses between two conditions as logic, if it is one."""
        if instr.op != "if" or len(instr.results) != 1 or instr.result.type != BOOL:
            return False
        (then, otherwise), (condition,) = instr.regions, instr.operands
        cheap = all(i.op in CHEAP for r in instr.regions for i in r.body)
        first, second = (self.constant.get(r.yields[0]) for r in instr.regions)
        if (
            not cheap
            or sum(len(r.body) for r in instr.regions) > MODEL.most_in_vain
            or (first is None) == (second is None)
        ):
            return False
        for region in (then, otherwise):
            self.body(region)
        b, known = self.builder, first if first is not None else second
        other = (otherwise if first is not None else then).yields[0]
        c = self.value.get(condition, condition)
        # The branch with the constant decides by itself where the condition leads to it: a constant true makes an `or`.
        if (first is not None) != bool(known):
            c = b.emit("not", c)
        self.value[instr.result] = b.emit("or" if known else "and", c, self.value.get(other, other))
        return True
