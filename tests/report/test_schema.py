"""The JSON file is what docs/reference/schema.json says, with nothing left out of either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from pytest_adalloc.checks.verdict.grad_report import Verdict
from pytest_adalloc.report.json_document import as_json, relative, run_facts
from tests.report.test_outputs import WRONG, counted, found

jsonschema = pytest.importorskip("jsonschema")

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "schema.json").read_text())


def test_every_kind_of_finding_is_as_it_says() -> None:
    document = json.loads(as_json([found(), found(**WRONG), counted()], run_facts()))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    described = SCHEMA["properties"]["checks"]["items"]["properties"]
    assert set(document["checks"][0]) == set(described) - {"pprof"}
    assert set(described["verdict"]["enum"]) == {*get_args(Verdict)}
    assert document["run"]["versions"]["numpy"]


@pytest.mark.parametrize("spoilt", [{"verdict": "fine"}, {"line": "7"}, {"allocs": 0.5}, {"new": 1}, {"stored": [{}]}])
def test_something_else_is_refused(spoilt: dict[str, Any]) -> None:
    document = json.loads(as_json([{**found(), **spoilt}]))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(document)


def test_files_are_named_from_the_root() -> None:
    given = {
        "file": "/src/a.py",
        "sites": [{"file": "/src/lib/b.py"}, {"file": "/usr/c.py"}],
        "test": "x",
    }
    assert relative(given, Path("/src")) == {
        "file": "a.py", "sites": [{"file": "lib/b.py"}, {"file": "/usr/c.py"}], "test": "x",
    }  # fmt: skip
