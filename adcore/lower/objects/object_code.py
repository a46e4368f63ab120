"""LLVM IR to an object file for this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from adcore.abi import elf, object_file
from adcore.abi.certificate import Certificate
from adcore.abi.llvm_lock import LOCK
from adcore.abi.object_file import Symbol
from adcore.lower.lowering import Lowered
from adcore.lower.objects.certificate import certify


@dataclass(frozen=True)
class EmitOptions:
    """How object code is made. `cpu` and `features` None: this machine's. `superwords`: put like operations of straight
    code into one vector, as several tangents want it. `scheduled`: put machine instructions into another order than the
    text has them in."""

    cpu: str | None = None
    features: str | None = None
    level: int = 2
    superwords: bool = False
    scheduled: bool = True


@dataclass(frozen=True)
class Artifact:
    """Object code and what is known about it. Listings are made when they are asked for."""

    object_code: bytes = field(repr=False)
    llvm_ir: str = field(repr=False)
    options: EmitOptions = field(default_factory=EmitOptions)
    declared: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def certificate(self) -> Certificate:
        """The proof, or the reasons why there is none, that the code cannot allocate."""
        return certify(self.object_code, self.llvm_ir, self.declared)

    @cached_property
    def symbols(self) -> dict[str, int]:
        """Size in bytes of every function that the object defines and others can see."""
        return {name: s.size for name, s in self.functions.items() if s.binding != elf.LOCAL}

    @cached_property
    def functions(self) -> dict[str, Symbol]:
        """Every function that the object defines, its own ones included."""
        symbols = object_file.read(self.object_code).symbols
        return {s.name: s for s in symbols if s.defined and (s.kind == elf.FUNCTION or s.binding != elf.LOCAL)}

    @cached_property
    def assembly(self) -> str:
        """The machine code as assembly text."""
        binding = _llvm()
        module = binding.parse_assembly(self.llvm_ir)
        with _switches(self.options):
            return str(target_machine(self.options).emit_assembly(module))


def emit(lowered: Lowered | str, options: EmitOptions | None = None) -> Artifact:
    """Optimise and compile `lowered` (or LLVM text)."""
    options = options or EmitOptions()
    text, ready = (lowered, ()) if isinstance(lowered, str) else (lowered.text, lowered.ready)
    with _switches(options):
        module, machine = optimised(text, options), target_machine(options)
        for each in ready:
            _add(module, each)
        return Artifact(machine.emit_object(module), str(module), options)


def _add(module: Any, text: str) -> None:
    """Make the functions of `text` a part of `module`, as they are, and its own."""
    other = _llvm().parse_assembly(text)
    other.triple, other.data_layout = module.triple, module.data_layout
    names = [f.name for f in other.functions if not f.is_declaration]
    module.link_in(other)
    for name in names:
        module.get_function(name).linkage = "internal"
    module.verify()


def optimised(text: str, options: EmitOptions) -> Any:
    """The LLVM module of `text` after the standard pipeline, under the switches of whoever calls."""
    binding, machine = _llvm(), target_machine(options)
    module = binding.parse_assembly(text)
    module.triple, module.data_layout = _layout(options)
    module.verify()
    tuning = binding.create_pipeline_tuning_options(speed_level=options.level)
    # Superword vectorisation costs up to ten times the rest of the pipeline and gained nothing on the kernels measured.
    tuning.loop_vectorization, tuning.slp_vectorization = True, options.superwords
    # Loops that are unrolled after vectorisation were no faster on any kernel measured, and take half as long again.
    tuning.loop_interleaving, tuning.loop_unrolling = True, False
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return module


SWITCHES = {
    # Vectorise sums that must stay in the user's order: products in vectors, the additions one after the other.
    "force-ordered-reductions": ("true", "false"),
    # With alias facts LLVM keeps `x[i + 1]` in a register for the next iteration's `x[i]`; the value carried around the
    # loop costs more than the load (Rosenbrock's gradient: 1.5 times).
    "enable-load-pre": ("false", "true"),
    # Loop strength reduction, a pass of code generation, takes up to two thirds of a compile; without it kernels run as
    # fast as with it, or faster.
    "disable-lsr": ("true", "false"),
}
"""LLVM's process-wide switches: what they are during all of our compiles, and otherwise."""


IN_ORDER = {
    "pre-RA-sched": ("linearize", "default"),
    "enable-misched": ("false", "true"),
    "disable-post-ra": ("true", "false"),
}
"""What turns the three schedulers of machine instructions off. They take time that grows with the square of a block of
straight code, half of code generation for 5,000 statements; and as they find more to do at once than there are
registers, the code is larger and slower for it there. The order of instructions does not show in results."""


def _chosen(options: EmitOptions) -> dict[str, tuple[str, str]]:
    """The switches of one compile."""
    return SWITCHES if options.scheduled else {**SWITCHES, **IN_ORDER}


@contextmanager
def _switches(options: EmitOptions) -> Iterator[None]:
    """Passes and code generation read the switches when they run: so both run in here, in one thread at a time."""
    chosen = _chosen(options)
    with LOCK:
        _set_switches(chosen, 0)
        try:
            yield
        finally:
            _set_switches(chosen, 1)


def _set_switches(chosen: Mapping[str, tuple[str, str]], column: int) -> None:
    for name, settings in chosen.items():
        _llvm().set_option("adcore", f"-{name}={settings[column]}")


@lru_cache(maxsize=1)
def _llvm() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


@lru_cache(maxsize=1)
def host() -> tuple[str, str]:
    """CPU name and feature string of this machine."""
    binding = _llvm()
    return str(binding.get_host_cpu_name()), str(binding.get_host_cpu_features().flatten())


@lru_cache(maxsize=8)
def _layout(options: EmitOptions) -> tuple[str, str]:
    """The triple of the target machine for `options`, and how it lays out data."""
    machine = target_machine(options)
    return str(machine.triple), str(machine.target_data)


@lru_cache(maxsize=8)
def target_machine(options: EmitOptions) -> Any:
    """The target machine for `options`: position-independent and small, so that every call is a direct one."""
    binding = _llvm()
    cpu = options.cpu if options.cpu is not None else host()[0]
    features = options.features if options.features is not None else host()[1] if options.cpu is None else ""
    target = binding.Target.from_default_triple()
    return target.create_target_machine(
        cpu=cpu, features=features, opt=options.level, reloc="pic", codemodel="small", jit=True
    )
