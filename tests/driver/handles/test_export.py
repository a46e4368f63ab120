"""Compiled code for callers outside Python: objects with headers, and adapters to plain C signatures."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adcore as ad
from tests.driver import programs

V = np.array([1.0, 2.0, 3.0])


def duplicated() -> Any:
    return ad.Duplicated(V.copy(), np.zeros(3))


def test_export(tmp_path: Path) -> None:
    g = ad.compile(programs.polynomial, ad.Active(1.0), ad.Const(1.0))
    code, header = g.export(tmp_path)
    assert code.read_bytes()[:4] == b"\x7fELF"
    text = header.read_text()
    assert "int32_t polynomial(int64_t *frame);" in text
    assert "#define POLYNOMIAL_FRAME_WORDS" in text
    from adcore.runtime.loading import linker as jit

    loaded = jit.load(code.read_bytes(), ["polynomial"])
    frame = np.zeros(int(text.split("FRAME_WORDS ")[1].split()[0]))
    words = {line.split("]  ")[1].split(":")[0]: int(line.split("[")[1].split("]")[0])
             for line in text.splitlines() if ": f64" in line or "seed" in line}  # fmt: skip
    frame[[words["a"], words["b"], words["seed of the result"]]] = [2.0, 3.0, 1.0]
    entry = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(loaded["polynomial"])
    assert entry(frame.ctypes.data) == 0
    assert frame[[words["result 0"], words["derivative by a"]]].tolist() == [15.0, 12.0]


MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "read_square_clear.h"
int main(void) {
  double x[3] = {1, 2, 3}, d[3] = {0, 0, 0};
  int64_t f[READ_SQUARE_CLEAR_FRAME_WORDS] = {0};
  char *memory = aligned_alloc(64, 4096);
  f[2] = (int64_t)memory; f[3] = (int64_t)(memory + 4096);
  f[6] = (int64_t)x; f[7] = 3; f[8] = 8;
  f[9] = (int64_t)d; f[10] = 3; f[11] = 8;
  *(double *)&f[12] = 1.0;
  int32_t status = read_square_clear(f);
  printf("%d %g %g %g %g %g", status, *(double *)&f[13], d[0], d[1], d[2], x[0]);
  return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_exported_code_runs_in_c(tmp_path: Path) -> None:
    code, _ = ad.compile(programs.read_square_clear, duplicated()).export(tmp_path)
    (tmp_path / "main.c").write_text(MAIN)
    subprocess.run(["cc", "main.c", code.name, "-lm", "-o", "main"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert done.stdout == "0 14 2 4 6 0"


def test_low_level_callables() -> None:
    integrate = pytest.importorskip("scipy.integrate")
    square = ad.compile(programs.with_default, 1.0, 3.0, n=2, mode=ad.Primal)
    with pytest.raises(ad.ArgumentError, match="takes floats"):
        square.low_level_callable()

    def parabola(x):
        return 3.0 * x * x

    f = ad.compile(parabola, 1.0, mode=ad.Primal).low_level_callable()
    assert integrate.quad(f, 0.0, 2.0)[0] == pytest.approx(8.0)
    f = ad.compile(programs.polynomial, 1.0, 1.0, mode=ad.Primal).low_level_callable()
    assert integrate.nquad(f, [[0.0, 1.0], [0.0, 2.0]])[0] == pytest.approx(2.0 / 3.0 + 2.0)


def test_low_level_callables_of_derivatives() -> None:
    integrate = pytest.importorskip("scipy.integrate")

    def bump(a):
        return math.exp(-a * a) * a

    for handle in (
        ad.compile(bump, ad.Active(1.0)),
        ad.compile(bump, ad.Duplicated(1.0, 1.0), mode=ad.Forward),
    ):
        # The integral of a derivative is the difference of the function at the ends.
        assert integrate.quad(handle.low_level_callable(), 0.0, 0.7)[0] == pytest.approx(bump(0.7))
    twice = ad.compile(bump, ad.Duplicated(1.0, 2.0), mode=ad.Forward)
    assert integrate.quad(twice.low_level_callable(), 0.0, 0.7)[0] == pytest.approx(2 * bump(0.7))
    slope = ad.compile(programs.polynomial, ad.Active(1.0), ad.Const(1.0)).low_level_callable()
    # polynomial(1, b) - polynomial(0, b), integrated over b.
    expected = integrate.quad(lambda b: programs.polynomial(1.0, b) - programs.polynomial(0.0, b), 0.0, 2.0)[0]
    assert integrate.nquad(slope, [[0.0, 1.0], [0.0, 2.0]])[0] == pytest.approx(expected)


def test_low_level_callable_returns_one_number() -> None:
    pytest.importorskip("scipy")
    with pytest.raises(ad.ArgumentError, match="derivative by a, derivative by b"):
        ad.compile(programs.polynomial, ad.Active(1.0), ad.Active(1.0)).low_level_callable()
    with pytest.raises(ad.ArgumentError, match="returns one number"):
        ad.compile(programs.polynomial, ad.Active(1.0), ad.Const(1.0), mode=ad.ReverseWithPrimal).low_level_callable()


THREADS = """
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>
#include "read_square_clear.h"
int main() {
  if (!read_square_clear_runs_here()) return 2;
  int wrong[4] = {0, 0, 0, 0};
  std::vector<std::thread> all;
  for (int t = 0; t < 4; t++) all.emplace_back([t, &wrong] {
    char *memory = (char *)aligned_alloc(64, 4096);
    for (int k = 0; k < 2000; k++) {
      double x[3] = {1.0 + t, 2, 3}, d[3] = {0, 0, 0};
      int64_t f[READ_SQUARE_CLEAR_FRAME_WORDS] = {0};
      f[2] = (int64_t)memory; f[3] = (int64_t)(memory + 4096);
      f[6] = (int64_t)x; f[7] = 3; f[8] = 8;
      f[9] = (int64_t)d; f[10] = 3; f[11] = 8;
      double one = 1.0; __builtin_memcpy(&f[12], &one, 8);
      if (read_square_clear(f) != 0 || d[0] != 2.0 * (1.0 + t) || d[2] != 6.0) wrong[t]++;
    }
    free(memory);
  });
  for (auto &thread : all) thread.join();
  std::printf("%d %s", wrong[0] + wrong[1] + wrong[2] + wrong[3], READ_SQUARE_CLEAR_CPU);
  return 0;
}
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
def test_a_shared_library_in_a_program_with_threads(tmp_path: Path) -> None:
    ad.compile(programs.read_square_clear, duplicated()).export(tmp_path, cpu="x86-64-v2")
    (tmp_path / "main.cpp").write_text(THREADS)
    package = (tmp_path / "read_square_clear.pc").read_text()
    assert f"prefix={tmp_path.resolve()}" in package
    assert "Libs: -L${prefix} -lread_square_clear" in package
    link = ["-I.", "-L.", "-lread_square_clear", "-Wl,-rpath,$ORIGIN", "-pthread", "-o", "main"]
    subprocess.run(["c++", "main.cpp", *link], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert done.stdout == "0 x86-64-v2"


@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v2", "x86-64-v3"])
def test_code_for_another_cpu(cpu: str, tmp_path: Path) -> None:
    from adcore.runtime.loading import linker as jit

    g = ad.compile(programs.polynomial, ad.Active(1.0), ad.Const(1.0))
    code, header = g.export(tmp_path, cpu=cpu)
    text = header.read_text()
    assert f'#define POLYNOMIAL_CPU "{cpu}"' in text
    assert ('__builtin_cpu_supports("avx2")' in text) is (cpu == "x86-64-v3")
    assert '__builtin_cpu_supports("avx512f")' not in text
    assert jit.load(code.read_bytes(), ["polynomial"])["polynomial"]


def test_a_cpu_that_is_none(tmp_path: Path) -> None:
    g = ad.compile(programs.polynomial, ad.Active(1.0), ad.Const(1.0))
    with pytest.raises(ad.ArgumentError, match="give one of 'native', 'x86-64'"):
        g.export(tmp_path / "none", cpu="z80")
    assert not (tmp_path / "none").exists()
