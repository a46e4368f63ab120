"""How findings are rendered: carets below tabs, wide characters and several lines."""

from __future__ import annotations

from adcore.errors import CompileError, Diagnostic, render
from adcore.source import Span


def rendered(tmp_path, text, span, label="here"):
    file = tmp_path / "program.py"
    file.write_text(text, encoding="utf-8")
    return render(Diagnostic("wrong", Span(str(file), *span), label)).splitlines()[2:]


def test_one_line(tmp_path):
    assert rendered(tmp_path, "a = b + c\n", (1, 4, 1, 9)) == ["    1 | a = b + c", "      |     ^^^^^ here"]


def test_tabs_are_expanded(tmp_path):
    assert rendered(tmp_path, "\tx = 1\n", (1, 1, 1, 2)) == ["    1 |     x = 1", "      |     ^ here"]


def test_wide_and_combining_characters(tmp_path):
    text = 'f("日本", e\u0301, x)\n'
    column = text.index("x")
    source, carets = rendered(tmp_path, text, (1, column, 1, column + 1))
    assert carets.index("^") == source.index("x") + 2 - 1  # two wide characters, one without width


def test_several_lines(tmp_path):
    assert rendered(tmp_path, "x = f(\n    1,\n)\n", (1, 4, 3, 1)) == [
        "    1 | x = f(", "      |     ^^", "    2 |     1,", "      |     ^^", "    3 | )", "      | ^ here",
    ]  # fmt: skip


def test_many_lines_show_their_ends(tmp_path):
    text = "x = (\n" + "    1 +\n" * 6 + "    2)\n"
    assert rendered(tmp_path, text, (1, 4, 8, 6)) == [
        "    1 | x = (", "      |     ^", "  ... |", "    8 |     2)", "      |     ^^ here",
    ]  # fmt: skip


def test_unreadable_source():
    text = render(Diagnostic("wrong", Span("<nowhere>", 3, 1, 3, 2), "here", ("because",), "do that"))
    assert text == "wrong\n  --> <nowhere>:3:2\n  = note: because\n  = help: do that"


def test_all_findings_are_in_the_message():
    error = CompileError([Diagnostic("first", None), Diagnostic("second", None)])
    assert str(error) == "first\n\nsecond"
