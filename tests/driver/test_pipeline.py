"""The stages: in order, each with a product of its own type, each printable, none made twice."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.driver import pipeline
from adcore.driver.pipeline import (
    ARTIFACT,
    ASSEMBLY,
    DERIVED,
    GRADIENT,
    INLINED,
    LOWERED,
    PLAN,
    PROGRAM,
    SIMPLIFIED,
    SOURCE,
    STAGES,
    compile_request,
)
from adcore.driver.request import Request, Sweep
from adcore.frontend import Program
from adcore.ir.core import Function
from adcore.lower import Lowered
from adcore.lower.objects.object_code import Artifact
from adcore.runtime.values.arguments import signature
from adcore.transform.diff.reverse import Derivative
from tests.driver import programs

SQUARES = Request(programs.squares, signature(["x"], [np.ones(3)]), (Sweep("reverse", ("duplicated",), (True,)),))


def test_each_stage_gives_a_product_of_its_type() -> None:
    build = compile_request(SQUARES)
    types = {
        SOURCE: str, PROGRAM: Program, INLINED: Function, SIMPLIFIED: Function, DERIVED: Derivative, PLAN: Derivative,
        GRADIENT: Function, LOWERED: Lowered, ARTIFACT: Artifact, ASSEMBLY: Artifact,
    }  # fmt: skip
    for stage, type_ in types.items():
        assert isinstance(build.product(stage), type_), stage.name
    assert list(build.seconds) == [stage.name for stage in STAGES]
    assert all(build.stage(stage.name) for stage in STAGES)
    with pytest.raises(KeyError, match="no stage 'nothing': the stages are python, ir, inlined"):
        build.stage("nothing")


def test_stages_run_until_the_one_that_is_asked_for() -> None:
    build = compile_request(SQUARES, until=SIMPLIFIED)
    assert build.has(SIMPLIFIED)
    assert not build.has(GRADIENT)
    with pytest.raises(KeyError):
        build.product(GRADIENT)


def test_what_is_known_is_taken_as_it_is() -> None:
    known = compile_request(SQUARES, until=SIMPLIFIED)
    build = compile_request(SQUARES, known)
    assert build.product(SIMPLIFIED) is known.product(SIMPLIFIED)
    assert not known.has(GRADIENT)


@pytest.mark.parametrize("running", [True, False])
def test_the_collector_is_as_it_was(running: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    genuine = pipeline._run

    def run(*given: Any) -> Any:
        seen.append(gc.isenabled())
        return genuine(*given)

    monkeypatch.setattr(pipeline, "_run", run)
    before = gc.isenabled()
    try:
        (gc.enable if running else gc.disable)()
        compile_request(SQUARES, until=PROGRAM)
        assert gc.isenabled() is running
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == [False, False]


def test_recursion_is_told_in_the_users_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr(pipeline.stages, "inlined", endless)
    with pytest.raises(ad.CompileError, match="squares has expressions or statements that are nested too deeply"):
        compile_request(SQUARES)
