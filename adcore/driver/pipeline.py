"""The stages from a Python function to machine code, as data: run in order, verified in between, each one printable.

    python -> ir -> inlined -> simplified -> merged -> derived -> plan -> gradient -> llvm -> optimised -> assembly

`compile_request` runs the stages and gives a `Build`, which keeps what every stage made. A stage is also the key to its
product, so that its type is known: `build.product(SIMPLIFIED)` is a `Function`, `build.product(LOWERED)` a `Lowered`.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from adcore.driver import stages
from adcore.driver.differentiation import derived
from adcore.driver.request import Request
from adcore.errors import AdcoreError, CompileError, Diagnostic
from adcore.fault import fault
from adcore.frontend import Program
from adcore.ir.core import Function
from adcore.ir.facts import forget
from adcore.ir.printer import print_function, print_module
from adcore.lower import Lowered
from adcore.lower.objects.object_code import Artifact
from adcore.transform.diff.reverse import Derivative

T = TypeVar("T")

NO_PLAN = "No reverse sweep: nothing is kept."


@dataclass(frozen=True, eq=False)
class Stage(Generic[T]):
    """One step: `run` makes its product from the request and the products before it, `show` prints that product."""

    name: str
    claim: str
    run: Callable[[Build], T]
    show: Callable[[T], str]


@dataclass(frozen=True, eq=False)
class Build:
    """What the stages made of a request, and how long each took, in seconds."""

    request: Request
    seconds: Mapping[str, float] = field(default_factory=dict)
    _products: Mapping[str, object] = field(default_factory=dict)

    def product(self, stage: Stage[T]) -> T:
        """What `stage` made. Raises KeyError if it did not run."""
        return cast(T, self._products[stage.name])

    def has(self, stage: Stage[Any]) -> bool:
        """Whether `stage` ran."""
        return stage.name in self._products

    def stage(self, name: str) -> str:
        """The product of stage `name` as text."""
        for stage in STAGES:
            if stage.name == name:
                return stage.show(self.product(stage))
        raise KeyError(f"no stage {name!r}: the stages are {', '.join(s.name for s in STAGES)}")


def _plan_text(derivative: Derivative) -> str:
    return str(derivative.explain() or NO_PLAN)


SOURCE: Stage[str] = Stage("python", "the source", lambda b: stages.source(b.request), str)
PROGRAM: Stage[Program] = Stage(
    "ir", "the source as IR", lambda b: stages.program(b.request), lambda program: print_module(program.module)
)
INLINED: Stage[Function] = Stage(
    "inlined", "one function without calls", lambda b: stages.inlined(b.request, b.product(PROGRAM)), print_function
)
SIMPLIFIED: Stage[Function] = Stage(
    "simplified", "the same with less in it", lambda b: stages.simplified(b.request, b.product(INLINED)), print_function
)
FUSED: Stage[Function] = Stage(
    "merged",
    "what is differentiated: without arrays that it can do without",
    lambda b: stages.fused(b.request, b.product(SIMPLIFIED)),
    print_function,
)
DERIVED: Stage[Derivative] = Stage(
    "derived",
    "the derivative, as the rules give it",
    lambda b: derived(b.request, b.product(SIMPLIFIED), b.product(FUSED)),
    lambda derivative: print_function(derivative.function),
)
# The plan was made on the way. Its explanation tries out remedies, so only who reads it pays.
PLAN: Stage[Derivative] = Stage(
    "plan", "what is kept for the reverse sweep, and why", lambda b: b.product(DERIVED), _plan_text
)
GRADIENT: Stage[Function] = Stage(
    "gradient", "the derivative, simplified", lambda b: stages.gradient(b.request, b.product(DERIVED)), print_function
)
LOWERED: Stage[Lowered] = Stage(
    "llvm",
    "LLVM IR before optimisation",
    lambda b: stages.lowered(b.request, b.product(GRADIENT)),
    lambda lowered: lowered.text,
)
ARTIFACT: Stage[Artifact] = Stage(
    "optimised",
    "LLVM IR after optimisation",
    lambda b: stages.artifact(b.request, b.product(LOWERED)),
    lambda artifact: artifact.llvm_ir,
)
ASSEMBLY: Stage[Artifact] = Stage(
    "assembly", "machine code", lambda b: b.product(ARTIFACT), lambda artifact: artifact.assembly
)

STAGES: tuple[Stage[Any], ...] = (
    SOURCE, PROGRAM, INLINED, SIMPLIFIED, FUSED, DERIVED, PLAN, GRADIENT, LOWERED, ARTIFACT, ASSEMBLY,
)  # fmt: skip


def compile_request(request: Request, known: Build | None = None, until: Stage[Any] = ASSEMBLY) -> Build:
    """Run the stages, up to and including `until`; what `known` has made already is taken as it is.

    Raises CompileError for what the language does not have, WorkspaceError where the plan needs too much.
    """
    products: dict[str, object] = dict(known._products) if known else {}
    seconds: dict[str, float] = dict(known.seconds) if known else {}
    build = Build(request, seconds, products)
    with _collector_paused():
        for stage in STAGES:
            if not build.has(stage):
                started = time.perf_counter()
                products[stage.name] = _run(stage, build)
                seconds[stage.name] = time.perf_counter() - started
            if stage is until:
                break
        forget(product for product in products.values() if isinstance(product, Function))
    return build


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without Python's cyclic garbage collector: IR is many objects and no cycles, and each full run looks at them all
    (a third of the time that 2,000 statements in loops take)."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _run(stage: Stage[T], build: Build) -> T:
    try:
        return stage.run(build)
    except RecursionError:
        span = build.product(PROGRAM).span if build.has(PROGRAM) else None
        title = f"{build.request.function.__name__} has expressions or statements that are nested too deeply"
        help = "put parts of long expressions into variables, parts of the function into functions"
        raise CompileError([Diagnostic(title, span, help=help)]) from None
    except (AdcoreError, MemoryError):
        raise
    except Exception as error:
        span = build.product(PROGRAM).span if build.has(PROGRAM) else None
        raise fault(build.request.function, str(build.request.signature), span, error) from error
