"""The console script: what each command prints, its exit status, and errors in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adcore.command.main import COMMANDS as OF_THE_COMPILER
from pytest_adalloc.command.main import COMMANDS, main

SOURCE = """
import numpy as np

SIZE = 4


def clear(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


def wrong(x):
    return 3.0 * x


def words(x):
    return open(x)
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "model.py"
    path.write_text(SOURCE)
    return str(path)


def test_explain(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", f"{file}:clear"]) == 0
    assert "keeps 64 bytes (8*len(x))" in capsys.readouterr().out


def test_stage(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stage", f"{file}:clear", "gradient", "--args", "np.ones(SIZE)"]) == 0
    assert "func @clear" in capsys.readouterr().out
    assert main(["stage", f"{file}:clear", "gradient", "--workspace", "0"]) == 1
    assert "workspace=0 does not allow to keep it" in capsys.readouterr().err


def test_check(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{file}:clear", "-o", "calls=3", "-o", "max_workspace=8*n"]) == 0
    assert "0 allocations in 3 calls" in capsys.readouterr().out
    assert main(["check", f"{file}:clear", "-o", "max_workspace=0"]) == 1
    assert "workspace too large" in capsys.readouterr().err
    assert main(["check", f"{file}:clear", "--grad", "wrong", "-o", "calls=3"]) == 1
    assert "gradient wrong" in capsys.readouterr().err


def test_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ADCORE_CACHE", str(tmp_path / "cache"))
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'cache'}: empty\n"
    (tmp_path / "cache" / "one.o").write_bytes(bytes(2**20))
    (tmp_path / "cache" / "other.txt").write_bytes(b"")
    assert main(["cache"]) == 0
    assert "1 entry, 1.0 MiB; the one that waited longest was read today" in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"1 entry removed\n{tmp_path / 'cache'}: empty\n"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["other.txt"]
    monkeypatch.setenv("ADCORE_CACHE", "off")
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == "the cache is off\n"


def entry(allocs: int, size: int) -> dict[str, int]:
    return {"allocs_per_call": allocs, "workspace_bytes": size, "stored": 1}


def test_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, both = (str(tmp_path / name) for name in ("a.json", "b.json", "out/both.json"))
    Path(first).write_text(json.dumps({"format": 1, "tests": {"one": entry(0, 8), "two": entry(0, 16)}}))
    Path(second).write_text(json.dumps({"format": 1, "tests": {"two": entry(1, 8), "three": entry(0, 0)}}))
    assert main(["baseline", "merge", first, second, "-o", both]) == 0
    assert "two differs between them; the larger figures are kept" in capsys.readouterr().out
    assert json.loads(Path(both).read_text())["tests"] == {
        "one": entry(0, 8),
        "two": entry(1, 16),
        "three": entry(0, 0),
    }
    assert main(["baseline", "show", both]) == 0
    assert "two: 1 allocations a call, 16 bytes, 1 values kept" in capsys.readouterr().out


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, head = (str(tmp_path / name) for name in ("base.json", "head.json"))
    Path(base).write_text(json.dumps({"format": 1, "tests": {"one": entry(0, 8)}}))
    Path(head).write_text(json.dumps({"format": 1, "tests": {"one": entry(0, 16)}}))
    assert main(["compare", base, head]) == 1
    assert "one: bytes of workspace 8 -> 16" in capsys.readouterr().out
    assert main(["compare", head, base]) == 0
    assert main(["compare", base, head, "--format", "markdown"]) == 1
    assert "| ❌ worse | `one` |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "{file}:none"], "has no function none"),
        (["explain", "{file}:SIZE"], "is no function"),
        (["explain", "function"], "write FILE:FUNCTION"),
        (["stage", "nowhere.py:f", "ir"], "there is no file nowhere.py"),
        (["explain", "{file}:clear", "--args", "nix"], "--args nix: NameError"),
        (["check", "{file}:clear", "-o", "calls"], "--option calls: write NAME=VALUE"),
        (["check", "{file}:clear", "-o", "cals=3"], "did you mean 'calls'?"),
        (["check", "{file}:clear", "--grad", "nix"], "has no function nix"),
        (["baseline", "show", "{file}"], "not a baseline"),
        (["baseline", "show", "none.json"], "does not exist"),
        (["compare", "none.json", "{file}"], "does not exist"),
    ],
)
def test_a_question_that_makes_no_sense(
    file: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main([each.format(file=file) for each in arguments]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert not printed.out


def test_every_command_has_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in (*OF_THE_COMPILER, *COMMANDS):
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert "usage: adcore " + name in capsys.readouterr().out


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in (*OF_THE_COMPILER, *COMMANDS))
