"""What must hold for every program: Python, the interpreter of the IR and machine code agree, derivatives too."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import adcore as ad
from adcore.analysis.affine.dependence import AliasClasses
from adcore.driver.calls.binding import bind
from adcore.driver.calls.call import Call
from adcore.driver.pipeline import PROGRAM, SIMPLIFIED
from adcore.driver.request import Options
from adcore.ir import interpret
from adcore.ops import TABLE
from adcore.runtime.values.leaves import exact, rebuild
from adcore.transform.arrays.producer_fusion import fuse_producers
from tests.fuzz.cases import Case, Outcome, Point, alike
from tests.fuzz.features import features
from tests.fuzz.programs import Program
from tests.fuzz.rounding import Rounding, first_difference

ROUNDED = re.compile(
    r"math\.(sin|cos|tan|a\w+|sinh|cosh|tanh|exp\w*|log\w*|cbrt|hypot|pow|erf\w*|l?gamma)\b|sum\(|mean\(|prod\(|dot\("
    r"|np\.power|\*\*|float32"
)
"""What the interpreter leaves to NumPy's kernels, which may differ from those of `math` in the last bit, and sums, for
which NumPy has orders of its own. A program without any of this has one meaning to the last bit."""

INTERPRETED, PRIMAL, GRADIENT, THOROUGH = range(4)


def usual_depth(seed: int) -> int:
    """Some programs are checked as far as it goes, some no further than their IR, so that many can be."""
    return (THOROUGH, *[GRADIENT, INTERPRETED] * 4, INTERPRETED)[seed % 10]


class Mismatch(AssertionError):
    """Two ways to run a program disagree; `kind` names them."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


@dataclass
class Report:
    """What was compared for one program, and what the program and its gradient are like."""

    seed: int
    checks: list[str] = field(default_factory=list)
    features: set[str] = field(default_factory=set)
    refused: str = ""
    raised: str = ""


def innermost(error: BaseException) -> str:
    """The first cause of an error and where it came from."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__}: {str(error)[:300]} ({places})"


def expect(holds: bool, kind: str, detail: str) -> None:
    if not holds:
        raise Mismatch(kind, detail)


def check(program: Program, folder: Path, depth: int = THOROUGH) -> Report:
    """Compare all ways to run `program`: its IR; machine code, too; its derivatives, too; those under every workspace,
    the other modes, and the number of allocations."""
    from tests.fuzz.derivatives import Derivatives
    from tests.fuzz.modes import batched, curvature, functional, split

    case, report = Case(program, folder), Report(program.seed)
    report.features |= features(program)
    expected, rounding = case.python(), Rounding(case)
    try:
        described(case, case.point)
    except ad.CompileError as error:
        report.refused = error.diagnostics[0].title
        return report
    interpreted(case, expected, rounding, report)
    if depth >= PRIMAL:
        primal(case, expected, rounding, report)
    if expected.error is not None:
        report.raised = type(expected.error).__name__
        if depth >= GRADIENT:
            faults(case, expected, rounding)
        return report
    if depth >= GRADIENT and expected.finite:
        if program.result != "array":
            derivatives = Derivatives(case, expected, rounding, report)
            derivatives.check(depth >= THOROUGH)
            if depth >= THOROUGH and derivatives.finite:
                others = {1: split, 3: batched, 5: curvature}
                if program.seed % 8 in others:
                    others[program.seed % 8](case, rounding, report)
        if depth >= THOROUGH and (program.seed % 8 == 7 or program.result == "array"):
            functional(case, expected, rounding, report)
    elif depth >= GRADIENT:
        report.features.add("not finite")
    if rounding.ill_conditioned:
        report.features.add("ill-conditioned")
    return report


def agree(kind: str, got: Outcome, expected: Outcome, rounding: Rounding, exactly: bool = False) -> None:
    """The outcome is the expected one, to the last bit or close to it; after an exception buffers are not compared."""
    if expected.error is not None or got.error is not None:
        lines = not isinstance(expected.error, UnboundLocalError)  # CPython may give the line before
        alike_ = type(got.error) is type(expected.error) and (not lines or got.line == expected.line)
        detail = f"{got.error!r} at {got.line} instead of {expected.error!r} at {expected.line}"
        expect(alike_, f"{kind} raises", detail)
        return
    expect(alike(got.value, expected.value), f"{kind} value", f"{got.value!r} not {expected.value!r}")
    discrete = [(a, b) for a, b in zip(got.buffers, expected.buffers, strict=True) if b.dtype.kind != "f"]
    expect(all(np.array_equal(a, b) for a, b in discrete), f"{kind} writes", repr(discrete))
    a, b = got.flat(), expected.flat()
    holds = np.array_equal(a, b, equal_nan=True) if exactly else rounding.close(a, b)
    expect(holds, f"{kind} differs", first_difference(got, expected))


def described(case: Case, at: Point) -> Call:
    """A call of the function, with what its compilation made of it so far."""
    names, values = bind(case.function, case.arguments(at), {})
    return Call(case.function, names, values, Options())


def interpreted(case: Case, expected: Outcome, rounding: Rounding, report: Report) -> None:
    """The IR, as the frontend made it and as it is differentiated, does what Python does."""
    body = case.program.source[case.program.source.index("weight: float") :]
    exactly = not ROUNDED.search(body)
    for stage in ("ir", "simplified", "merged"):

        def run(at: Point, stage: str = stage) -> Any:
            call = described(case, at)
            build = call.primal.build
            if stage == "merged":
                program = fuse_producers(build.product(SIMPLIFIED), TABLE, AliasClasses(call.groups))
            else:
                program = build.product(PROGRAM).module if stage == "ir" else build.product(SIMPLIFIED)
            results = interpret(program, TABLE, call.values)
            for packed in call.flattened.packed:
                if packed.leaf in call.primal.written:
                    packed.write_back()
            return rebuild(call.primal.interface.result, iter(results), exact)

        agree(f"interpreter ({stage})", case.outcome(run), expected, rounding, exactly)
        report.checks.append(f"{stage} = Python" + (" bit for bit" if exactly else ""))


def primal(case: Case, expected: Outcome, rounding: Rounding, report: Report) -> None:
    """Machine code does what Python does."""
    handle = ad.compile(case.function, *case.arguments(case.point), mode=ad.Primal)
    agree("native", case.outcome(lambda at: handle(*case.arguments(at))), expected, rounding)
    report.checks.append("native = Python")


def faults(case: Case, expected: Outcome, rounding: Rounding) -> None:
    """Derivatives raise what the function raises."""
    if case.program.result == "array":
        return
    for mode in (ad.Reverse, ad.Forward):
        shadow = case.random()

        def run(at: Point, mode: Any = mode, shadow: Point = shadow) -> Any:
            return ad.autodiff(mode, case.function, *case.annotated(at, shadow, mode is ad.Forward))

        agree(f"{mode.name}", case.outcome(run), expected, rounding)
