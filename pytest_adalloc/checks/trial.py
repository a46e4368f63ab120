"""A check on its way: what is asked for, what is known so far, and whom to tell about progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pytest_adalloc.checks.inputs.arguments import Vector
from pytest_adalloc.checks.subjects.subject import WorkspaceUse
from pytest_adalloc.checks.verdict.diagnostics import About
from pytest_adalloc.checks.verdict.grad_report import GradReport
from pytest_adalloc.checks.workspace_limit import WorkspaceLimit
from pytest_adalloc.options import CheckOptions, Progress


@dataclass
class Trial:
    """A check on its way: the report grows with every step."""

    about: About
    options: CheckOptions
    report: GradReport
    progress: Progress
    limit: WorkspaceLimit | None = None
    gradient: Vector = field(default_factory=lambda: np.zeros(0))
    noise: float = 0.0
    rounding: Vector | float = 0.0  # of each component of the gradient, where exact slopes tell it

    def learn(self, **figures: Any) -> None:
        self.report = self.report.learned(**figures)

    def note(self, text: str) -> None:
        self.learn(notes=(*self.report.notes, text))

    def learn_storage(self, storage: WorkspaceUse) -> None:
        """What the gradient keeps between its sweeps."""
        self.learn(
            workspace_bytes=storage.bytes,
            workspace_formula=storage.formula,
            stored=storage.stored,
            explanation=storage.explanation,
        )
