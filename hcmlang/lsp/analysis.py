"""From the texts that are open in an editor to what is wrong with them, file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hcmlang import lang
from hcmlang.diagnostics import Diagnostic, Origin, Source, in_order
from hcmlang.loop.check import check_file
from hcmlang.lsp import projects, prompty
from hcmlang.lsp.documents import Document, Files, real


@dataclass(frozen=True)
class Report:
    """What is wrong with a file and those that it names, and which files were read to find out."""

    diagnostics: dict[Path, list[Diagnostic]]
    read: frozenset[Path]


@dataclass
class Workspace:
    """The documents that are open, and what is known of them. A *root* is a file that is checked for itself: a document,
    or the spec that names it."""

    documents: dict[Path, Document] = field(default_factory=dict)
    nearby: dict[Path, list[Path]] = field(default_factory=dict)
    """For a program that is open: files that may name it."""
    reports: dict[Path, Report] = field(default_factory=dict)

    def snapshot(self) -> Workspace:
        """A copy that stays as it is while editing goes on."""
        return Workspace(dict(self.documents), dict(self.nearby), dict(self.reports))

    def files(self) -> Files:
        return Files({path: document.text for path, document in self.documents.items()})

    def open(self, document: Document) -> None:
        self.documents[document.path] = document
        if document.kind == "program":
            self.nearby[document.path] = projects.neighbours(document.path)

    def close(self, path: Path) -> None:
        self.documents.pop(path, None)
        self.nearby.pop(path, None)

    def names(self, document: Document, files: Files) -> dict[str, lang.Kind]:
        """The values in scope of a document's programs."""
        return projects.names_of(document, files, self.nearby.get(document.path, ()))

    def refresh(self, changed: Iterable[Path] | None = None, failed: Callable[[Exception], None] | None = None) -> None:
        """Check what depends on the files that changed; everything, where that is not said.

        An error within the checks is handed to `failed`; the root then keeps what was known of it.
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
        """What is wrong, by file: the documents that are open, and the files that open ones name."""
        found: dict[Path, list[Diagnostic]] = {path: [] for path in self.documents}
        for root, report in self.reports.items():
            for path, diagnostics in report.diagnostics.items():
                if root in self.documents or path in self.documents:
                    found.setdefault(path, []).extend(diagnostics)
        return {path: in_order(diagnostics) for path, diagnostics in found.items()}

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
        found = analyse(document, files, self.names(document, self.files()))
        # A program is checked through its spec. Where that is broken before it comes to the program, the program is
        # checked by itself.
        for path, other in self.documents.items():
            mine = path != root and other.kind == "program" and path not in files.seen
            if mine and root in projects.owners(path, self.files(), self.nearby.get(path, ())):
                found += analyse(other, files, self.names(other, self.files()))
        return Report(by_file(found, root), frozenset(files.seen | {root}))


def analyse(document: Document, files: Files, names: Mapping[str, lang.Kind]) -> list[Diagnostic]:
    """Every mistake in a document and in the files that it names."""
    text = files.read(document.path) if document.path in files.opened else document.text
    if document.kind == "spec":
        return check_file(document.path, read=files.read)[1]
    if document.kind == "program":
        origin = Origin(Source(str(document.path), text))
        return lang.analyse(text, origin, names, files.read)[1]
    if document.kind == "prompt":
        return prompty.check(document.path, text, names)
    return []


def by_file(diagnostics: Iterable[Diagnostic], root: Path) -> dict[Path, list[Diagnostic]]:
    """Diagnostics by the file that they lie in; those without a place lie in the root."""
    found: dict[Path, list[Diagnostic]] = {root: []}
    for one in diagnostics:
        path = real(Path(one.span.source.name)) if one.span else root
        found.setdefault(path, []).append(one)
    return found
