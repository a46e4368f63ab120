"""Compiled code for callers outside Python: an object file with a C header, and adapters to plain C signatures."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

from adcore.abi.frame import FIRST
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.pipeline import GRADIENT
from adcore.ir.types import ArrayType, ListType, Scalar
from adcore.lower import lower
from adcore.lower.objects.object_code import EmitOptions, emit
from adcore.runtime import linker
from adcore.runtime.arena import arena
from adcore.runtime.arguments import refuse


def export(run: InPlaceRun, directory: Path) -> tuple[Path, Path]:
    """`NAME.o` and `NAME.h` in `directory`; the object's entry carries the function's name."""
    name = re.sub(r"\W", "_", run.call.function.__name__)
    build = run.specialisation.build
    request = build.request
    lowered = lower(
        build.product(GRADIENT), name=name, alias_groups=request.aliases,
        workspace="heap" if request.heap else "arena", fastmath=request.fastmath, ops=request.ops,
    )  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    code, header = directory / f"{name}.o", directory / f"{name}.h"
    code.write_bytes(emit(lowered, EmitOptions()).object_code)
    header.write_text(c_header(run, name))
    return code, header


def c_header(run: InPlaceRun, name: str) -> str:
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
#endif
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
    """`scipy.LowLevelCallable` of a function of floats with one float result: `double (double, ...)`, and for two or
    more arguments `double (int, double *)`, as SciPy's integrators want it. The adapter is native, too."""
    layout = run.frame.layout
    scalar = all(str(t) == "f64" for t in (*layout.params, *layout.results))
    if not scalar or len(layout.results) != 1 or not layout.params:
        refuse("a low-level callable takes floats and returns one float", help="use .ctypes or .address with a frame")
    from scipy import LowLevelCallable  # type: ignore[import-untyped]

    own = arena()
    loaded = linker.load(
        emit(_adapter(len(layout.params), layout.size, own.base, own.end)).object_code,
        ["adapter"], {"kernel": run.specialisation.kernel.address},
    )  # fmt: skip
    single = len(layout.params) == 1
    signature = [ctypes.c_double] if single else [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
    function: Any = ctypes.CFUNCTYPE(ctypes.c_double, *signature)(loaded["adapter"])
    function.keep = (loaded, own, keep)
    return LowLevelCallable(function)


def _adapter(count: int, words: int, base: int, end: int) -> str:
    """A C function that fills a frame on its stack, calls the kernel, and answers NaN to a fault."""
    given = "double %x0" if count == 1 else "i32 %n, ptr %x"
    lines = [f"define double @adapter({given}) nounwind {{", f"  %frame = alloca [{words} x i64], align 64"]
    for word, value in ((2, base), (3, end)):
        lines += [f"  %w{word} = getelementptr i64, ptr %frame, i64 {word}", f"  store i64 {value}, ptr %w{word}"]
    for k in range(count):
        if count > 1:
            lines += [f"  %p{k} = getelementptr double, ptr %x, i64 {k}", f"  %x{k} = load double, ptr %p{k}"]
        lines += [f"  %a{k} = getelementptr i64, ptr %frame, i64 {FIRST + k}", f"  store double %x{k}, ptr %a{k}"]
    lines += [
        "  %status = call i32 @kernel(ptr %frame)",
        f"  %r = getelementptr i64, ptr %frame, i64 {FIRST + count}",
        "  %value = load double, ptr %r",
        "  %fine = icmp eq i32 %status, 0",
        "  %answer = select i1 %fine, double %value, double 0x7FF8000000000000",
        "  ret double %answer", "}", "declare i32 @kernel(ptr)",
    ]  # fmt: skip
    return "\n".join(lines)
