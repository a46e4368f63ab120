"""ELF as loaded programs and shared libraries have it: program headers and the dynamic section."""

from __future__ import annotations

PROGRAM_HEADER_BYTES = 56
LOAD, DYNAMIC, STACK, RELRO = 1, 2, 0x6474E551, 0x6474E552
"""Kinds of program headers; RELRO: what the loader makes read-only after it has relocated it."""
EXECUTABLE = 1
"""The flag of a segment that holds code."""

DT_NEEDED, DT_PLTRELSZ, DT_HASH, DT_STRTAB, DT_SYMTAB = 1, 2, 4, 5, 6
DT_RELA, DT_RELASZ, DT_RELAENT, DT_STRSZ, DT_SYMENT = 7, 8, 9, 10, 11
DT_PLTREL, DT_JMPREL, DT_FLAGS = 20, 23, 30
DT_GNU_HASH, DT_RELACOUNT, DT_FLAGS_1 = 0x6FFFFEF5, 0x6FFFFFF9, 0x6FFFFFFB
BIND_NOW, NOW = 8, 1
"""In DT_FLAGS and in DT_FLAGS_1: every symbol is looked up when the library is loaded."""
