"""Diagnostics of documents as they are being edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from hcmlang.diagnostics import Diagnostic, in_order
from hcmlang.loop.check import check_file
from hcmlang.lsp.analysis import Workspace
from hcmlang.lsp.documents import Document
from tests.lsp.conftest import SPEC, in_spec


def opened(workspace: Workspace, path: Path, text: str | None = None) -> Path:
    """Open or change a document."""
    workspace.open(Document(path, path.read_text() if text is None else text))
    workspace.refresh([path])
    return path


def codes(workspace: Workspace, path: Path) -> list[str]:
    return [one.code for one in workspace.diagnostics().get(path, [])]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("part degree?", "parts degree?"),
        ("kind: linear", "kind: linaer"),
        ("[none, miner]", "[none, minor]"),
        ("labels: [negative, positive]", "labels: [negative, positive"),
        ("test.tsv", "nowhere.tsv"),
        ("hypothesis.triggers", "hypothesis.trigers"),
    ],
)
def test_a_spec_gets_the_diagnostics_of_check(folder: Path, old: str, new: str) -> None:
    workspace, path = Workspace(), folder / "spec.yaml"
    assert codes(workspace, opened(workspace, path)) == []
    broken = in_spec(old, new)
    opened(workspace, path, broken)
    found = workspace.diagnostics()[path]
    path.write_text(broken)
    assert found == in_order(check_file(path)[1])
    assert found


def test_diagnostics_of_a_program_are_in_its_file(folder: Path) -> None:
    spec, program = folder / "spec.yaml", folder / "reviews.hcm"
    head, _, tail = SPEC.partition("  program: |\n")
    spec.write_text(head + "  program: reviews.hcm\n" + tail[tail.index("arms:") :])
    program.write_text('text := "a" prat\npart := "b"\n')
    workspace = Workspace()
    opened(workspace, spec)
    assert codes(workspace, spec) == []
    assert codes(workspace, program) == ["undefined-rule"]
    opened(workspace, program, 'text := "a" part\npart := "b"\n')
    assert codes(workspace, program) == []
    opened(workspace, program, 'text := "a" when target == "postive" | "b" when target == "negative"\n')
    assert codes(workspace, program) == ["impossible-guard"]
    workspace.close(program)
    workspace.refresh([program])
    assert codes(workspace, program) == ["undefined-rule"]


def test_a_program_is_checked_with_the_labels_of_its_spec(folder: Path) -> None:
    (folder / "specs").mkdir()
    (folder / "prompts").mkdir()
    program = folder / "prompts" / "reviews.hcm"
    program.write_text('text := "a" when target == "neutral" | "b"\n')
    workspace = Workspace()
    assert codes(workspace, opened(workspace, program)) == []
    head, _, tail = SPEC.partition("  program: |\n")
    spec = folder / "specs" / "spec.yaml"
    spec.write_text((head + "  program: ../prompts/reviews.hcm\n" + tail[tail.index("arms:") :]).replace("t.tsv", "t"))
    assert codes(workspace, opened(workspace, program)) == ["impossible-guard"]
    assert set(workspace.diagnostics()) == {program}, "a spec that is not open is not told"
    spec.write_text("hcmlang: 1\ngenerate: {program: ../prompts/reviews.hcm}\n")
    assert codes(workspace, opened(workspace, program, 'text := "a" | gone\n')) == ["undefined-rule"]


def test_an_open_imported_file_is_read_from_the_editor(folder: Path) -> None:
    main, other = folder / "main.hcm", folder / "other.hcm"
    main.write_text('import "other.hcm"\ntext := "the" noun\n')
    other.write_text('noun := "plot"\nspare := "cast"\n')
    workspace = Workspace()
    opened(workspace, main)
    assert codes(workspace, main) == []
    opened(workspace, other, 'nuon := "plot"\n')
    assert codes(workspace, main) == ["undefined-rule"]
    opened(workspace, other, 'noun := "plot\n')
    assert codes(workspace, other) == ["program-syntax"]
    opened(workspace, other, 'noun := "plot"\n')
    assert (codes(workspace, main), codes(workspace, other)) == ([], [])


def test_an_open_base_spec_is_read_from_the_editor(folder: Path) -> None:
    base, spec = folder / "base.yaml", folder / "derived.yaml"
    base.write_text(SPEC)
    spec.write_text("extends: base.yaml\nname: derived\narms: [none, miner]\n")
    workspace = Workspace()
    opened(workspace, spec)
    assert codes(workspace, spec) == []
    opened(workspace, base, in_spec("miner: {kind", "minor: {kind"))
    assert codes(workspace, spec) == ["unknown-arm"]
    opened(workspace, base, SPEC)
    assert codes(workspace, spec) == []


def test_only_dependents_of_a_change_are_checked_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace()
    first, second = folder / "first.hcm", folder / "second.hcm"
    for path in (first, second):
        opened(workspace, path, 'text := "a"\n')
    checked: list[Path] = []
    real_check = Workspace._check
    monkeypatch.setattr(Workspace, "_check", lambda self, root: checked.append(root) or real_check(self, root))
    opened(workspace, first, 'text := "a" | gone\n')
    assert checked == [first]
    assert (codes(workspace, first), codes(workspace, second)) == (["undefined-rule"], [])


def test_a_failing_check_affects_one_document(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, errors = Workspace(), []
    first, second = folder / "first.hcm", folder / "second.hcm"
    opened(workspace, first, 'text := "a" | gone\n')
    real_check = Workspace._check

    def fails(self: Workspace, root: Path) -> object:
        if root == first:
            raise ZeroDivisionError
        return real_check(self, root)

    monkeypatch.setattr(Workspace, "_check", fails)
    workspace.open(Document(second, 'text := "a" | lost\n'))
    workspace.refresh(None, errors.append)
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert (codes(workspace, first), codes(workspace, second)) == (["undefined-rule"], ["undefined-rule"])


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.yaml", "hcmlang: 1\n", "spec"),
        ("a.yml", 'name: x\n"hcmlang" : 1\n', "spec"),
        ("a.yaml", "name: x\n", None),
        ("a.yaml", "a:\n  hcmlang: 1\n", None),
        ("a.yaml", "extends: base.yaml\nseeds: 3\n", "spec"),
        ("a.yaml", "extends: airbnb\n", None),
        ("a.hcm", "", "program"),
        ("a.prompty", "", "prompt"),
        ("a.txt", "hcmlang: 1\n", None),
    ],
)
def test_kinds_of_documents(name: str, text: str, kind: str | None) -> None:
    assert Document(Path(name), text).kind == kind


PROMPT = """\
---
name: write
inputs:
  tone:
    type: string
---
system:
Write a {{ tone }} sentence for {{ target }} with {{ hypothesis.triggers | join(", ") }}.
{% for word in group.terms %}{{ word }}{% endfor %}
"""


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("{{ tone }}", "{{ mood }}", [("unknown-name", 8, "mood")]),
        ("{{ tone }}", "mood {{ mood }}", [("unknown-name", 8, "mood")]),
        ("hypothesis.triggers", "hypothesis.trigger", [("unknown-name", 8, "hypothesis.trigger")]),
        ("{% endfor %}", "", [("template-syntax", 9, None)]),
        ("{{ tone }}", "{{ tone", [("template-syntax", 8, None)]),
        ("| join", "| jion", [("template-syntax", 8, None)]),
        ("  tone:", "  tone: a: b", [("yaml-syntax", 4, None)]),
        ("type: string", "type: string", []),
        ("---\nsystem", "system", [("no-front-matter", 2, None)]),
    ],
)
def test_prompts(folder: Path, old: str, new: str, found: list[tuple[str, int, str | None]]) -> None:
    workspace = Workspace()
    path = opened(workspace, folder / "write.prompty", PROMPT.replace(old, new))

    def told(one: Diagnostic) -> tuple[str, int, str | None]:
        assert one.span is not None
        line = one.span.source.line(one.span.line) or ""
        shown = line[one.span.column - 1 : one.span.end_column - 1]
        return one.code, one.span.line, shown if one.code == "unknown-name" else None

    got = [told(one) for one in workspace.diagnostics()[path]]
    if old.startswith("  tone:"):
        assert got[0] == found[0]
    else:
        assert got == found


def test_a_prompt_whose_inputs_are_a_list(folder: Path) -> None:
    workspace = Workspace()
    text = "---\ninputs: [tone, {name: mood}]\n---\n{{ tone }} {{ mood }} {{ other }}\n"
    path = opened(workspace, folder / "write.prompty", text)
    assert [one.message for one in workspace.diagnostics()[path]] == [
        "`other` is not a value in scope, and `inputs` does not declare it"
    ]
