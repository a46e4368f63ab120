"""LLVM's switches belong to the process: our compiles see ours, others never do, whatever the threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from llvmlite import binding

import adcore as ad
from adcore.driver import stages
from adcore.ir import parse_function
from adcore.lower import EmitOptions, emit, lower
from adcore.lower.objects.object_code import target_machine
from adcore.machine_model import MODEL
from benchmarks.compile_programs import scalars

SUM = """
func @f(%x: array<f64,2,S>) -> (f64) {
  %i0: i64 = const [type='i64', value=0]
  %zero: f64 = const [type='f64', value=0.0]
  %n: i64 = dim %x [axis=0]
  %m: i64 = dim %x [axis=1]
  %s: f64 = for %i0, %n, %zero [step=1] {
  (%i: i64, %acc: f64):
    %t: f64 = for %i0, %m, %acc [step=1] {
    (%j: i64, %inner: f64):
      %v: f64 = load %x, %i, %j
      %w: f64 = load %x, %j, %i
      %p: f64 = mul %v, %w
      %q: f64 = add %inner, %p
      yield %q
    }
    yield %t
  }
  return %s
}
"""


@pytest.fixture(scope="module")
def text() -> str:
    return lower(parse_function(SUM)).text


def plain(text: str) -> bytes:
    """What somebody else in this process gets from LLVM's standard pipeline."""
    machine: Any = target_machine(EmitOptions())
    module = binding.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


def test_switches_are_set_back(text: str) -> None:
    before = plain(text)
    ours = emit(text).object_code
    assert plain(text) == before
    assert ours != before


def test_long_texts_keep_their_order(text: str) -> None:
    """It orders instructions differently, for this compile and its listing alone."""
    usual, in_order = emit(text), emit(text, EmitOptions(scheduled=False))
    assert in_order.object_code != usual.object_code
    assert in_order.assembly != usual.assembly
    assert emit(text).object_code == usual.object_code


def test_the_order_does_not_show_in_results(monkeypatch: pytest.MonkeyPatch) -> None:
    def gradient() -> bytes:
        made = scalars(60)
        value, slopes = ad.value_and_grad(made.f)(*made.args)
        return bytes(np.array([value, *slopes]).tobytes())

    usual = gradient()
    monkeypatch.setattr(stages, "MODEL", replace(MODEL, most_scheduled_lines=0))
    seen: list[EmitOptions] = []
    monkeypatch.setattr(stages, "emit", lambda lowered, options: seen.append(options) or emit(lowered, options))
    monkeypatch.setenv("ADCORE_CACHE", "off")
    assert gradient() == usual
    assert [options.scheduled for options in seen] == [False]


def test_an_error_sets_them_back(text: str) -> None:
    before = plain(text)
    with pytest.raises(RuntimeError):
        emit("define i32 @kernel(ptr %frame) {")
    assert plain(text) == before


def test_threads_see_ours(text: str) -> None:
    """Compiles that overlap: none runs under switches that another has set back already."""
    alone = emit(text).object_code
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: emit(text).object_code, range(12)))
    assert codes == [alone] * 12
