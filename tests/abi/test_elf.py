"""Objects as LLVM emits them, read in both ways: by their bytes and as a whole."""

from __future__ import annotations

from adcore.abi import elf, object_file
from adcore.lower import emit

TEXT = """
declare double @exp(double)
define double @run(double %x) {
  %r = call double @exp(double %x)
  ret double %r
}
"""


def test_both_readers_agree() -> None:
    code = emit(TEXT).object_code
    read = object_file.read(code)
    machine, sections = elf.read_sections(code)
    assert (read.machine, read.sections) == (machine, sections)
    assert machine in (elf.X86_64, elf.AARCH64)
    undefined = set(read.undefined()) - {elf.GOT_SYMBOL}
    assert undefined == set(elf.undefined(code)) - {elf.GOT_SYMBOL} == {"exp"}
    (entry,) = (symbol for symbol in read.symbols if symbol.name == "run")
    assert (entry.kind, entry.binding) == (elf.FUNCTION, elf.GLOBAL)
    assert sections[entry.section].flags & elf.EXECUTABLE
