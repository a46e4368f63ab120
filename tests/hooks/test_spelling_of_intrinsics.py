"""Text of hooks that LLVM 20 reads, too: llvmlite 0.45 to 0.47 have it, and newer ones take its spelling."""

from __future__ import annotations

from pathlib import Path

import pytest_adalloc


def test_the_thread_pointer_has_the_name_that_all_versions_know() -> None:
    texts = [path.read_text() for path in Path(pytest_adalloc.__file__).parent.rglob("*.py")]
    assert any("@llvm.thread.pointer()" in text for text in texts)
    assert not any("@llvm.thread.pointer.p0" in text for text in texts)
