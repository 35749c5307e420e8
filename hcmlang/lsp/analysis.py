"""Diagnostics of the documents that are open in an editor, by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, Origin, Source, in_order
from hcmlang.loop.check import check_file
from hcmlang.lsp import projects
from hcmlang.lsp.documents import Document, Files, real
from hcmlang.prompts.prompt_check import check as check_prompt


@dataclass(frozen=True)
class Report:
    """The diagnostics of a file and the files that it uses, and all files that were read for them."""

    diagnostics: dict[Path, list[Diagnostic]]
    read: frozenset[Path]


@dataclass
class Workspace:
    """The open documents and their reports. A *root* is a file that is checked by itself: a document, or a spec that uses
    it."""

    documents: dict[Path, Document] = field(default_factory=dict)
    nearby: dict[Path, list[Path]] = field(default_factory=dict)
    """For each open program, the files that may use it."""
    reports: dict[Path, Report] = field(default_factory=dict)

    def snapshot(self) -> Workspace:
        """A copy that does not change during further edits."""
        return Workspace(dict(self.documents), dict(self.nearby), dict(self.reports))

    def files(self) -> Files:
        """The files as the editor sees them."""
        return Files({path: document.text for path, document in self.documents.items()})

    def open(self, document: Document) -> None:
        """Open or update a document."""
        self.documents[document.path] = document
        if document.kind == "program":
            self.nearby[document.path] = projects.neighbours(document.path)

    def close(self, path: Path) -> None:
        """Close a document."""
        self.documents.pop(path, None)
        self.nearby.pop(path, None)

    def names(self, document: Document, files: Files) -> dict[str, lang.Kind]:
        """The values in scope of a document's programs."""
        return projects.names_of(document, files, self.nearby.get(document.path, ()))

    def refresh(self, changed: Iterable[Path] | None = None, failed: Callable[[Exception], None] | None = None) -> None:
        """Check what depends on the changed files, or everything if `changed` is None.

        If a check itself fails, `failed` receives the error and the root keeps its last report.
        """
        touched = None if changed is None else set(changed)
        before, self.reports = self.reports, {}
        for root in self._roots():
            known = before.get(root)
            if known is not None and touched is not None and not known.read & touched:
                self.reports[root] = known
                continue
            try:
                self.reports[root] = self._check(root)
            except Exception as error:
                if failed is None:
                    raise
                failed(error)
                if known is not None:
                    self.reports[root] = known

    def diagnostics(self) -> dict[Path, list[Diagnostic]]:
        """The diagnostics of open documents and the files that they use, by file."""
        result: dict[Path, list[Diagnostic]] = {path: [] for path in self.documents}
        for root, report in self.reports.items():
            for path, diagnostics in report.diagnostics.items():
                if root in self.documents or path in self.documents:
                    result.setdefault(path, []).extend(diagnostics)
        return {path: in_order(diagnostics) for path, diagnostics in result.items()}

    def _roots(self) -> list[Path]:
        roots: dict[Path, None] = {}
        for path, document in self.documents.items():
            if document.kind == "program":
                roots |= dict.fromkeys(projects.owners(path, self.files(), self.nearby.get(path, ())) or [path])
            elif document.kind is not None:
                roots[path] = None
        return list(roots)

    def _check(self, root: Path) -> Report:
        files = self.files()
        text = files.text(root) or ""
        document = self.documents.get(root) or Document(root, text)
        diagnostics = analyse(document, files, self.names(document, self.files()))
        # A program is checked through its spec. If the check of the spec fails before it reaches the program, check the
        # program by itself.
        for path, other in self.documents.items():
            mine = path != root and other.kind == "program" and path not in files.seen
            if mine and root in projects.owners(path, self.files(), self.nearby.get(path, ())):
                diagnostics += analyse(other, files, self.names(other, self.files()))
        return Report(by_file(diagnostics, root), frozenset(files.seen | {root}))


def analyse(document: Document, files: Files, names: Mapping[str, lang.Kind]) -> list[Diagnostic]:
    """Every mistake in a document and in the files that it uses."""
    text = files.read(document.path) if document.path in files.opened else document.text
    if document.kind == "spec":
        return check_file(document.path, read=files.read)[1]
    if document.kind == "program":
        origin = Origin(Source(str(document.path), text))
        return lang.analyse(text, origin, names, files.read)[1]
    if document.kind == "prompt":
        return check_prompt(document.path, text, names)
    return []


def by_file(diagnostics: Iterable[Diagnostic], root: Path) -> dict[Path, list[Diagnostic]]:
    """Group diagnostics by file. Those without a position belong to the root."""
    result: dict[Path, list[Diagnostic]] = {root: []}
    for diagnostic in diagnostics:
        path = real(Path(diagnostic.span.source.name)) if diagnostic.span else root
        result.setdefault(path, []).append(diagnostic)
    return result
