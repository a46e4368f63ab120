"""What random programs and their gradients are like, so that a run that tests nothing shows."""

from __future__ import annotations

import ast
import re
from typing import Any

from adcore.driver.pipeline import DERIVED, GRADIENT
from adcore.ir.core import Function, walk
from adcore.transform.checkpointing.checkpoint import Checkpointing
from adcore.transform.checkpointing.rewind import Rewinding
from tests.fuzz.programs import EMPTY, FLAGS, INTEGERS, POINT, SINGLE, Program

_ODD = {
    SINGLE: "float32", POINT: "array without axes", EMPTY: "empty array", INTEGERS: "integer array",
    FLAGS: "bools",
}  # fmt: skip
_TEXTS = {
    "float32": "np.float32", "empty array": "np.zeros(0)", "array without axes": "np.zeros(())",
    "bools": "dtype=bool", "dataclass": "Body(", "list of numbers": "[s[", "captured array": "WEIGHTS[",
    "reversed": "reversed(", "zip": "zip(", "enumerate": "enumerate(", "copy": "copy(", "lists": " = [",
    "number of either kind": "np.generic", "try": "try:", "match": "match (", "dict": '{"a": ', "named": ":=",
    "nonlocal": "nonlocal ", "any": "any(q", "sum with a condition": "sum(q * q for", "raised text": "too large: ",
    "parameters with stars": "*rest, m=0.5",
}  # fmt: skip

REQUIRED = frozenset(
    [*_ODD.values(), *_TEXTS, "while", "for", "branch", "break", "continue", "else of a loop", "early return", "view",
     "negative step", "local array", "local array in a loop", "call", "call with arrays", "call in a call",
     "same array twice", "aliased and read", "aliased and written", "tuple result", "nested result", "array result",
     "no result", "chained comparison", "conditional expression", "min, max, abs", "NumPy function", "inner function",
     "comprehension", "nested loops", "in-place update", "active", "stored bytes", "nothing stored",
     "storage of unknown size", "workspace 0 refused", "workspace 0 accepted", "smaller plan", "undo", "reload",
     "replay", "checkpointed", "other plan under a limit", "records", "row", "curved"]
)  # fmt: skip
"""A nightly run in which one of these never occurs has failed."""


def features(program: Program) -> set[str]:
    """Of the source."""
    source = program.source[program.source.index("weight: float") :]
    tree = ast.parse(source)
    found = {name for name, text in _TEXTS.items() if text in source}
    given = source[source.index("def arguments") :]
    found |= {name for k, name in _ODD.items() if f"b[{k}]" in given}
    found |= {"tuple result"} if program.result == "tuple" else set()
    found |= {f"{program.result} result"} if program.result in ("nested", "array") else set()
    found |= {"no result"} if program.result == "none" else set()
    _visit(tree, found, 0, "")
    return found


def _visit(node: ast.AST, found: set[str], loops: int, function: str) -> None:
    found |= _of(node, loops, function)
    if isinstance(node, ast.FunctionDef):
        found |= {"inner function"} if function else set()
        function, loops = node.name, 0
    loops += isinstance(node, (ast.For, ast.While))
    for child in ast.iter_child_nodes(node):
        _visit(child, found, loops, function)


def _of(node: ast.AST, loops: int, function: str) -> set[str]:
    """Of one node."""
    names: dict[type[ast.AST], str] = {
        ast.While: "while", ast.For: "for", ast.If: "branch", ast.Break: "break", ast.Continue: "continue",
        ast.IfExp: "conditional expression", ast.ListComp: "comprehension",
    }  # fmt: skip
    found = {names[type(node)]} if type(node) in names else set()
    if isinstance(node, (ast.For, ast.While)):
        found |= {"else of a loop"} if node.orelse else set()
        found |= {"nested loops"} if loops else set()
    elif isinstance(node, ast.If):
        found |= {"early return"} if any(isinstance(s, ast.Return) for s in node.body) else set()
    elif isinstance(node, ast.Slice):
        negative = isinstance(node.step, ast.UnaryOp)
        found |= {"view", "negative step"} if negative else {"view"}
    elif isinstance(node, ast.Compare):
        found |= {"chained comparison"} if len(node.ops) > 1 else set()
    elif isinstance(node, ast.AugAssign):
        found |= {"in-place update"} if isinstance(node.target, ast.Subscript) else set()
    elif isinstance(node, ast.Call):
        found |= _of_call(node, loops, function)
    return found


def _of_call(node: ast.Call, loops: int, function: str) -> set[str]:
    text = ast.unparse(node.func)
    if text in ("min", "max", "abs"):
        return {"min, max, abs"}
    if re.fullmatch(r"h\d", text):
        found = {"call"} | ({"call in a call"} if function != "program" else set())
        given = [ast.unparse(a) for a in node.args[:2]]
        array = given[0].startswith(("a", "u", "w")) and "[" not in given[0]
        found |= {"call with arrays"} if array else set()
        return found | ({"same array twice"} if len(given) == 2 and given[0] == given[1] and array else set())
    made = text in ("np.zeros", "np.ones", "np.empty", "np.full", "np.zeros_like", "np.copy") or text.endswith(".copy")
    if made:
        return {"local array", "local array in a loop"} if loops else {"local array"}
    return {"NumPy function"} if text.startswith("np.") and text != "np.array" else set()


def plan_features(handle: Any, found: set[str]) -> None:
    """Of a compiled gradient's plan and code, added to `found`."""
    build = handle._run.specialisation.build
    derived = build.product(DERIVED)
    plan, choices = derived.plan, derived.plan.choices
    demanded = [choices[node] for node in plan.demanded if node in choices and node not in plan.stored]
    function: Function = build.product(GRADIENT)
    ops = list(walk(function.region))
    known = {
        "undo": bool(plan.undone), "logged stores": bool(plan.logged), "row": bool(plan.rows),
        "reload": any(c.source is not None for c in demanded), "replay": any(c.replay is not None for c in demanded),
        "shift": any(c.shift is not None for c in demanded), "checkpointed": isinstance(derived.apart, Checkpointing),
        "rewound": isinstance(derived.apart, Rewinding), "records": any(i.op == "push" for i in ops),
        "stored array": any(i.op == "alloc" and i.attrs.get("role") == "stored" for i in ops),
    }  # fmt: skip
    found |= {name for name, holds in known.items() if holds}
    if handle._run.call.groups:
        found.add("aliased and written")
    elif build.request.aliases:
        found.add("aliased and read")
