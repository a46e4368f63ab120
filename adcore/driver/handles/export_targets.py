"""Which CPU exported code is for, what it needs of it, and how C code asks whether it is there."""

from __future__ import annotations

from dataclasses import dataclass

from adcore.lower.objects.object_code import EmitOptions, host
from adcore.lower.vector_math import VectorMath
from adcore.lower.vector_math import host as host_math
from adcore.runtime.values.arguments import refuse

# The levels of the x86-64 psABI supplement, and what `__builtin_cpu_supports` calls their parts.
_V2 = ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt")
_V3 = (*_V2, "avx", "avx2", "bmi", "bmi2", "fma")
_V4 = (*_V3, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
LEVELS = {"x86-64": ((), ""), "x86-64-v2": (_V2, "b"), "x86-64-v3": (_V3, "bd"), "x86-64-v4": (_V4, "bde")}
"""Features of each level, and the vector math that runs there (`adcore.lower.vector_math`)."""


@dataclass(frozen=True)
class ExportTarget:
    """A CPU: its name, what the emitter is told, the vector math that it has, and the features that C code asks for."""

    cpu: str
    emit: EmitOptions
    math: VectorMath
    features: tuple[str, ...]

    @staticmethod
    def of(cpu: str) -> ExportTarget:
        """ "native" (this machine) or a level such as "x86-64-v3". Raises ArgumentError for anything else."""
        if cpu == "native":
            name, flags = host()
            have = {feature[1:] for feature in flags.split(",") if feature.startswith("+")}
            return ExportTarget(name, EmitOptions(), host_math(), tuple(part for part in _V4 if part in have))
        if cpu not in LEVELS:
            refuse(f"cpu={cpu!r}: give one of 'native', {', '.join(map(repr, LEVELS))}")
        features, isas = LEVELS[cpu]
        math = VectorMath("".join(isa for isa in isas if isa in host_math().isas), wide="e" in isas)
        return ExportTarget(cpu, EmitOptions(cpu=cpu, features=""), math, features)

    def check(self, name: str) -> str:
        """A C function that says whether this machine can run the code; without GCC or Clang it says yes."""
        asked = " && ".join(f'__builtin_cpu_supports("{feature}")' for feature in self.features) or "1"
        return f"""/* Compiled for {self.cpu}. Whether this machine can run it: ask once, before the first call. */
#define {name.upper()}_CPU "{self.cpu}"
static inline int {name}_runs_here(void) {{
#if defined(__GNUC__) && defined(__x86_64__)
  __builtin_cpu_init();
  return {asked};
#else
  return 1;
#endif
}}
"""
