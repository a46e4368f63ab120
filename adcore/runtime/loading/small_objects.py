"""Object code of the runtime's own functions, from LLVM text: compiled once, then read from the cache."""

from __future__ import annotations

from collections.abc import Callable

from adcore.runtime.cache import disk


def object_code(text: Callable[[], str], purpose: str) -> bytes:
    """The code of what `text` gives, which depends on nothing but our own modules and the interpreter; `purpose` tells
    it from others in the cache."""
    name = disk.key(purpose)
    code = disk.fetch(name)
    if code is None:
        code = compiled(text())
        disk.store(name, code)
    return code


def compiled(text: str) -> bytes:
    """Object code of branchy functions that gain nothing from a second look."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2, reloc="pic", codemodel="small")
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code
