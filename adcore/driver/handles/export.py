"""Compiled code for callers outside Python: an object file with a C header, and adapters to plain C signatures."""

from __future__ import annotations

import ctypes
import re
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adcore.abi.frame import WORKSPACE_BASE, WORKSPACE_END
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.handles.export_targets import ExportTarget
from adcore.driver.pipeline import GRADIENT
from adcore.ir.types import ArrayType, ListType, Scalar
from adcore.lower import lower
from adcore.lower.objects.object_code import emit
from adcore.runtime.arena import Arena
from adcore.runtime.loading import linker
from adcore.runtime.values.arguments import refuse
from adcore.version import __version__


def export(run: InPlaceRun, directory: Path, cpu: str = "native") -> tuple[Path, Path]:
    """`NAME.o` and `NAME.h` in `directory`; the object's entry carries the function's name.

    Beside them `NAME.pc` for pkg-config and, where there is a C compiler to link it, `libNAME.so`."""
    _refuse_what_others_lose(run)
    target = ExportTarget.of(cpu)
    name = re.sub(r"\W", "_", run.call.function.__name__)
    build = run.specialisation.build
    request = build.request
    lowered = lower(
        build.product(GRADIENT), name=name, alias_groups=request.aliases,
        workspace="heap" if request.heap else "arena", fastmath=request.fastmath, ops=request.ops,
        vector_math=target.math, polls=False,
    )  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    code, header = directory / f"{name}.o", directory / f"{name}.h"
    made = emit(lowered, target.emit)
    code.write_bytes(made.object_code)
    header.write_text(c_header(run, name, target))
    libraries = ["-lm", *(["-lmvec"] if b"_ZGV" in made.object_code else [])]
    (directory / f"{name}.pc").write_text(_package(run, name, directory, libraries))
    _link(code, directory / f"lib{name}.so", libraries)
    return code, header


def _package(run: InPlaceRun, name: str, directory: Path, libraries: Sequence[str]) -> str:
    """What pkg-config reads: `cc main.c $(pkg-config --cflags --libs NAME.pc)`."""
    what = f"{run.mode.name} of {run.call.function.__name__}, compiled by adcore"
    return (
        f"prefix={directory.resolve()}\n\nName: {name}\nDescription: {what}\nVersion: {__version__}\n"
        f"Cflags: -I${{prefix}}\nLibs: -L${{prefix}} -l{name}\nLibs.private: {' '.join(libraries)}\n"
    )


def _link(code: Path, library: Path, libraries: Sequence[str]) -> None:
    """A shared library of the object file; an older one goes where there is no compiler to make it."""
    library.unlink(missing_ok=True)
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler:
        command = [compiler, "-shared", "-o", str(library), str(code), *libraries]
        subprocess.run(command, check=False, capture_output=True, timeout=60)


def _refuse_what_others_lose(run: InPlaceRun) -> None:
    name = run.call.function.__name__
    if lengths := run.call.primal.signature.lengths:
        title = f"{name} is compiled for one length of `{lengths[0][0]}`, which other callers do not look at"
        refuse(title, help="take the elements out one by one: `x[0]`, `x[1]`")
    if messages := run.specialisation.kernel.messages:
        where = f" (line {messages[0].span.line})" if messages[0].span is not None else ""
        help = "leave it out, or call the handle from Python"
        refuse(
            f"{name} sends messages{where}, which Python does after a call: other callers would lose them", help=help
        )


def c_header(run: InPlaceRun, name: str, target: ExportTarget) -> str:
    """The declaration of the entry, and where in the frame everything stands."""
    layout = run.frame.layout
    lines = ["  [0], [1]  details of a fault\n *   [2], [3]  workspace: first address, end\n *   [4]       "
             "workspace bytes used (written)\n *   [5]       reserved"]  # fmt: skip
    for names, types, starts in (
        (parameter_names(run), layout.params, layout.param_words),
        (result_names(run), layout.results, layout.result_words),
    ):
        slots = zip(names, types, starts, strict=True)
        lines += [f"  [{at}]  {name}: {_words(type_)}" for name, type_, at in slots]
    faults = [f"  {k}: {fault.error}: {fault.message}" for k, fault in enumerate(run.specialisation.kernel.faults, 1)]
    guard, body = name.upper() + "_H", "\n * ".join(lines)
    statuses = "\n * ".join(faults) or "  none"
    return f"""#ifndef {guard}
#define {guard}
#include <stdint.h>
/* {name}({", ".join(run.call.names)}), {run.mode.name}. Words of the frame (8 bytes each):
 * {body}
 * Returns 0, or the number of a fault:
 * {statuses}
 * No two arrays may overlap. Link with -lm (and libmvec where vector mathematics is used).
 */
#define {name.upper()}_FRAME_WORDS {layout.size}
#ifdef __cplusplus
extern "C"
#endif
int32_t {name}(int64_t *frame);

{target.check(name)}#endif
"""


def parameter_names(run: InPlaceRun) -> list[str]:
    """What each parameter of the native entry is."""
    call, reverse = run.call, run.mode.sweep == "reverse"
    varied = [call.paths[k] for k in (call.duplicated if reverse else call.varied)]
    made = [*call.paths, *(f"{'shadow' if reverse else 'tangent'} of {path}" for path in varied)]
    return made + [f"seed of the result: {run.values[k]}" for k in range(len(made), len(run.frame.layout.params))]


def result_names(run: InPlaceRun) -> list[str]:
    """What each result of the native entry is."""
    call = run.call
    made = [f"result {k}" for k in range(len(call.result_types))]
    if run.mode.sweep == "reverse":
        kinds = zip(call.paths, call.kinds, strict=True)
        made += [f"derivative by {path}" for path, kind in kinds if kind == "active"]
    rest = len(run.frame.layout.results) - len(made)
    return made + [f"tangent {k} of the results" for k in range(rest)]


def _words(type_: Any) -> str:
    if isinstance(type_, Scalar):
        return type_.name
    if isinstance(type_, ArrayType):
        rank = type_.rank
        return f"array of {type_.element}: base, {rank} dimensions, {rank} strides in bytes"
    assert isinstance(type_, ListType)
    return (
        f"list of arrays of {type_.element}: table, count; per item base, {type_.rank} dimensions, {type_.rank} strides"
    )


def low_level_callable(run: InPlaceRun, keep: Any) -> Any:
    """`scipy.LowLevelCallable` of the function, its derivative (reverse mode) or its tangent (forward mode).

    It takes the function's own numbers, all of them floats: `double (double)`, and for two or more `double (int,
    double *)`, as SciPy's integrators want it. Tangents are those of the compilation, the seed of a reverse sweep is 1.
    A fault gives NaN. The adapter is native, too, and may be called by many threads at once.
    """
    from scipy import LowLevelCallable  # type: ignore[import-untyped]

    _refuse_what_others_lose(run)
    given = _given_numbers(run)
    layout, own = run.frame.layout, Arena()
    words = dict(zip(layout.param_words, given, strict=True))
    text = _adapter(
        words, layout.result_words[_answer(run)], layout.size, own.base, own.size // MOST_CALLERS // 64 * 64
    )
    loaded = linker.load(emit(text).object_code, ["adapter"], {"kernel": run.specialisation.kernel.address})
    single = given.count(None) == 1
    signature = [ctypes.c_double] if single else [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
    function: Any = ctypes.CFUNCTYPE(ctypes.c_double, *signature)(loaded["adapter"])
    function.keep = (loaded, own, keep)
    return LowLevelCallable(function)


def _given_numbers(run: InPlaceRun) -> list[float | None]:
    """What each parameter of the native entry is given: a constant, or None for the caller's next number."""
    layout, count = run.frame.layout, len(run.call.paths)
    numbers = all(str(type_) == "f64" for type_ in (*layout.params, *layout.results))
    if not numbers or not count or run.mode.sweep not in ("primal", "reverse", "forward"):
        refuse("a low-level callable takes floats and returns one float", help="use .ctypes or .address with a frame")
    if run.mode.sweep == "reverse":
        return [None] * count + [1.0] * (len(layout.params) - count)
    return [None] * count + [float(value) for value in run.values[count:]]


def _answer(run: InPlaceRun) -> int:
    """Which result of the native entry the C function returns."""
    names = result_names(run)
    derivatives = [k for k, name in enumerate(names) if not name.startswith("result ")]
    wanted = list(range(len(names))) if run.mode.sweep == "primal" else derivatives
    if len(wanted) != 1 or (run.mode.primal and run.mode.sweep != "primal"):
        shown = ", ".join(names) or "nothing"
        refuse(f"a low-level callable returns one number, and this has {shown}",
               help="compile with one Active argument, the others Const, in a mode without the value")  # fmt: skip
    return wanted[0]


MOST_CALLERS = 64
"""Threads that may be inside one low-level callable; more wait. Each has a part of the workspace: a bit of a word."""

_TAKE = """
entry:
  br label %look
look:
  %busy = load atomic i64, ptr @busy monotonic, align 8
  %idle = xor i64 %busy, -1
  %full = icmp eq i64 %idle, 0
  br i1 %full, label %look, label %claim
claim:
  %part = call i64 @llvm.cttz.i64(i64 %idle, i1 true)
  %bit = shl i64 1, %part
  %more = or i64 %busy, %bit
  %claimed = cmpxchg ptr @busy, i64 %busy, i64 %more acquire monotonic, align 8
  %mine = extractvalue { i64, i1 } %claimed, 1
  br i1 %mine, label %go, label %look
go:"""


def _adapter(given: Mapping[int, float | None], answer: int, words: int, memory: int, part: int) -> str:
    """A C function that fills a frame on its stack, calls the kernel, and answers NaN to a fault.

    `given`: by word of the frame, a constant or None, which is the caller's next number. `memory`: the first byte of
    the workspace, of which each caller has `part` bytes."""
    single = list(given.values()).count(None) == 1
    lines = ["@busy = internal global i64 0, align 8",
             f"define double @adapter({'double %x0' if single else 'i32 %n, ptr %x'}) nounwind {{", _TAKE,
             f"  %frame = alloca [{words} x i64], align 64",
             f"  %offset = mul i64 %part, {part}", f"  %base = add i64 %offset, {memory}",
             f"  %end = add i64 %base, {part}"]  # fmt: skip
    for word, value in ((WORKSPACE_BASE, "%base"), (WORKSPACE_END, "%end")):
        lines += [f"  %w{word} = getelementptr i64, ptr %frame, i64 {word}", f"  store i64 {value}, ptr %w{word}"]
    taken = 0
    for word, constant in given.items():
        number = f"%x{taken}" if constant is None else f"0x{struct.pack('>d', constant).hex().upper()}"
        if constant is None and not single:
            lines += [f"  %p{taken} = getelementptr double, ptr %x, i64 {taken}",
                      f"  %x{taken} = load double, ptr %p{taken}"]  # fmt: skip
        taken += constant is None
        lines += [f"  %a{word} = getelementptr i64, ptr %frame, i64 {word}", f"  store double {number}, ptr %a{word}"]
    lines += [
        "  %status = call i32 @kernel(ptr %frame)",
        f"  %r = getelementptr i64, ptr %frame, i64 {answer}",
        "  %value = load double, ptr %r",
        "  %others = xor i64 %bit, -1",
        "  %left = atomicrmw and ptr @busy, i64 %others release, align 8",
        "  %fine = icmp eq i32 %status, 0",
        "  %answer = select i1 %fine, double %value, double 0x7FF8000000000000",
        "  ret double %answer", "}", "declare i32 @kernel(ptr)", "declare i64 @llvm.cttz.i64(i64, i1)",
    ]  # fmt: skip
    return "\n".join(lines)
