"""Explanations of the programs in `programs/`. `python -m tests.analysis.planning.goldens` rewrites them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

import adcore as ad

PROGRAMS = Path(__file__).parent / "programs"


def names() -> list[str]:
    return sorted(path.stem for path in PROGRAMS.glob("*.py"))


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"explained_{name}", PROGRAMS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def annotated(arguments: tuple[Any, ...]) -> list[Any]:
    """Every float and float array is differentiated; arguments that are one array share their shadow."""
    shadows: dict[int, np.ndarray] = {}
    given: list[Any] = []
    for value in arguments:
        if isinstance(value, np.ndarray):
            given.append(ad.Duplicated(value, shadows.setdefault(id(value), np.zeros_like(value))))
        else:
            given.append(ad.Active(value) if isinstance(value, float) else ad.Const(value))
    return given


def explained(name: str) -> str:
    """What the report says, then what it says where nothing may be kept."""
    module = load(name)
    handle = ad.compile(module.program, *annotated(module.ARGS))
    text = f"{handle.explain()}\n"
    try:
        ad.compile(module.program, *annotated(module.ARGS), workspace=0)
    except ad.WorkspaceError as error:
        text += f"\nworkspace=0:\n{error}\n"
    else:
        text += "\nworkspace=0: possible\n"
    return text.replace(str(PROGRAMS) + "/", "")


def golden(name: str) -> Path:
    return PROGRAMS / f"{name}.txt"


if __name__ == "__main__":
    for each in names():
        golden(each).write_text(explained(each))
