"""`python -m adcore FILE:FUNCTION --show STAGE`, the short form."""

from __future__ import annotations

from pathlib import Path

import pytest

from adcore.command.main import main

SOURCE = """
import numpy as np

SIZE = 4

def clear(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total

def power(x: float, k: float = 2.0, n: int = 3):
    return k * x ** n

def wrong(x):
    return {x}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "shown.py"
    path.write_text(SOURCE)
    return str(path)


def test_the_plan_is_shown(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{file}:clear"]) == 0
    assert "keeps 64 bytes (8*len(x))" in capsys.readouterr().out
    assert main([f"{file}:clear", "--args", "np.ones(SIZE)"]) == 0
    assert "keeps 32 bytes" in capsys.readouterr().out


@pytest.mark.parametrize("stage", ["python", "ir", "gradient", "llvm", "assembly", "certificate", "times"])
def test_stages(file: str, capsys: pytest.CaptureFixture[str], stage: str) -> None:
    assert main([f"{file}:power", "--show", stage]) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("mode", ["forward", "primal", "reverse"])
def test_modes(file: str, capsys: pytest.CaptureFixture[str], mode: str) -> None:
    assert main([f"{file}:power", "--mode", mode, "--show", "gradient", "--args", "(1.0, 2.0, 3)"]) == 0
    assert "func @power" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{file}:wrong"], "the items of a set must be known"),
        (["{file}:clear", "--workspace", "0"], "workspace=0"),
        (["{file}:none"], "has no function none"),
        (["nowhere.py:f"], "there is no file nowhere.py"),
        (["no_such_module_here:f"], "no_such_module_here"),
    ],
)
def test_errors_go_to_stderr(file: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main([a.format(file=file) for a in arguments]) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert not printed.out
