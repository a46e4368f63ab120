"""What is refused: pairs of a program and the whole text of its CompileError.

`ADALLOC_TEST_REWRITE=1 pytest tests/frontend/test_refused.py` writes the texts anew.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from adcore.errors import CompileError
from adcore.frontend import compile_function
from tests.frontend.support import signature

HERE = Path(__file__).parent / "refused"
VECTOR = np.ones(4)


def load(name):
    spec = importlib.util.spec_from_file_location(f"refused_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ARGUMENTS = {
    "statements": (VECTOR, 3),
    "expressions": (VECTOR, VECTOR, 2.0),
    "names": (VECTOR, 2.0),
    "arrays": (VECTOR, VECTOR, 3, VECTOR),
    "callee": (VECTOR, 3),
    "types": (np.ones(3, np.float32), 2.0, 1),
}


@pytest.mark.parametrize("name", sorted(p.stem for p in HERE.glob("*.py")))
def test_text_of_the_error(name):
    module = load(name)
    arguments = (module.P(1.0), [1.0, 2.0], (1.0, 2, 3.0)) if name == "records" else ARGUMENTS[name]
    with pytest.raises(CompileError) as caught:
        compile_function(module.f, signature(module.f, *arguments))
    text = str(caught.value).replace(str(HERE) + os.sep, "") + "\n"
    golden = HERE / f"{name}.err"
    if os.environ.get("ADALLOC_TEST_REWRITE"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
