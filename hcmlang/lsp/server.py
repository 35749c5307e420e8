"""The language server, built on pygls."""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import FeatureRequestError, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from hcmlang import __version__
from hcmlang.diagnostics import Diagnostic
from hcmlang.lang.scope import Kind
from hcmlang.lsp import completion, formatting, hover
from hcmlang.lsp import definition as navigation
from hcmlang.lsp.analysis import Workspace
from hcmlang.lsp.documents import Document, Files, real
from hcmlang.lsp.positions import Lines, with_plain_line_ends

#: Seconds without typing before documents are checked.
DELAY = 0.15

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
_SORTS: dict[completion.Sort, types.CompletionItemKind] = {
    "key": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.EnumMember,
    "keyword": types.CompletionItemKind.Keyword,
    "function": types.CompletionItemKind.Function,
    "rule": types.CompletionItemKind.Class,
    "field": types.CompletionItemKind.Field,
    "text": types.CompletionItemKind.Variable,
    "list": types.CompletionItemKind.Variable,
    "file": types.CompletionItemKind.File,
}
_WATCHED = "**/*.{hcm,yaml,yml,txt,prompty}"


class Server(LanguageServer):
    """The server, with the documents that are open in the editor."""

    def __init__(self) -> None:
        # Ask for whole texts: when pygls merges changes, it counts more line ends than the protocol does.
        super().__init__("hcmlang", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.open_files = Workspace()
        self.uris: dict[Path, str] = {}
        self.versions: dict[Path, int | None] = {}
        self.published: dict[Path, list[types.Diagnostic]] = {}
        self.changed: set[Path] = set()
        self.everything = False
        self.edits = 0
        """Counts opened, edited, saved and closed documents, so that a check knows when it is out of date."""
        self.timer: asyncio.TimerHandle | None = None
        self.checking = asyncio.Lock()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log errors of pygls instead of showing them to the user. Requests are answered with the error anyway."""
        if source is not FeatureRequestError:
            self.log(error)

    def log(self, error: BaseException) -> None:
        text = "".join(traceback.format_exception(error))
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, f"hcmlang: internal error\n{text}"))

    # ------------------------------------------------------------------------------------------------------- documents

    def take(self, item: types.TextDocumentItem | types.VersionedTextDocumentIdentifier) -> None:
        """Open or update a document."""
        path, document = self._path(item.uri), self.workspace.get_text_document(item.uri)
        self.uris[path], self.versions[path] = item.uri, item.version
        language = document.language_id or ""
        known = self.open_files.documents.get(path)
        now = Document(path, with_plain_line_ends(document.source), language or (known.language if known else ""))
        if known is None or known.kind != now.kind:
            self.open_files.open(now)
        else:
            self.open_files.documents[path] = now
        self.schedule([path])

    def drop(self, uri: str) -> None:
        """Close a document. From now on, its file on disk counts."""
        path = self._path(uri)
        self.open_files.close(path)
        self.versions.pop(path, None)
        self.schedule([path])

    def refresh_all(self) -> None:
        """Check everything again, because files on disk changed."""
        for path in self.open_files.nearby:
            self.open_files.open(self.open_files.documents[path])
        self.everything = True
        self.schedule([])

    def document(self, uri: str) -> Document | None:
        return self.open_files.documents.get(self._path(uri))

    def lines(self, path: Path) -> Lines:
        """The lines of a file as the editor counts them."""
        text = self.open_files.files().text(path) or ""
        return Lines(text, self.units, yaml=path.suffix in (".yaml", ".yml", ".prompty"))

    @property
    def units(self) -> str:
        return str(getattr(self.workspace.position_encoding, "value", self.workspace.position_encoding) or "utf-16")

    def uri(self, path: Path) -> str:
        return self.uris.get(path) or path.as_uri()

    @staticmethod
    def _path(uri: str) -> Path:
        """The file of a document. A document without a file (`untitled:...`) counts as one in the current folder."""
        name = to_fs_path(uri)
        return real(Path(name) if name else Path.cwd() / uri.replace("/", "_"))

    # ------------------------------------------------------------------------------------------------------ diagnostics

    def schedule(self, changed: Iterable[Path]) -> None:
        """Check as soon as nothing has changed for :data:`DELAY`."""
        self.changed.update(changed)
        self.edits += 1
        if self.timer is not None:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(DELAY, lambda: asyncio.ensure_future(self.check()))

    async def check(self) -> None:
        """Check what changed and publish new diagnostics. If documents changed meanwhile, leave that to the next check."""
        try:
            async with self.checking:
                edits, changed = self.edits, None if self.everything else set(self.changed)
                snapshot = self.open_files.snapshot()
                errors: list[Exception] = []
                await asyncio.to_thread(snapshot.refresh, changed, errors.append)
                for error in errors:
                    self.log(error)
                if edits != self.edits:
                    return
                self.open_files.reports = snapshot.reports
                self.changed.clear()
                self.everything = False
                self._publish(snapshot.diagnostics(), changed)
        except Exception as error:  # noqa: BLE001 (the server must not end)
            self.log(error)

    def _publish(self, diagnostics: dict[Path, list[Diagnostic]], changed: set[Path] | None) -> None:
        """Publish the diagnostics of each file whose diagnostics or text changed."""
        for path in [*diagnostics, *(self.published.keys() - diagnostics.keys())]:
            lines = self.lines(path)
            now = [_diagnostic(diagnostic, lines) for diagnostic in diagnostics.get(path, ())]
            moved = changed is None or path in changed
            if now == self.published.get(path, []) and not (moved and path in diagnostics):
                continue
            version = self.versions.get(path)
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(self.uri(path), now, version))
            self.published[path] = now
        for path in self.published.keys() - diagnostics.keys():
            del self.published[path]
            self.uris.pop(path, None)


def _diagnostic(diagnostic: Diagnostic, lines: Lines) -> types.Diagnostic:
    start, end = lines.offsets(diagnostic.span) if diagnostic.span else (0, 0)
    return types.Diagnostic(
        range=_range(lines, start, end),
        message=f"{diagnostic.message}\nhint: {diagnostic.hint}" if diagnostic.hint else diagnostic.message,
        severity=_SEVERITIES[diagnostic.severity],
        code=diagnostic.code,
        source="hcmlang",
        tags=[types.DiagnosticTag.Unnecessary] if diagnostic.code == "unused-rule" else None,
    )


def _range(lines: Lines, start: int, end: int) -> types.Range:
    return types.Range(types.Position(*lines.position(start)), types.Position(*lines.position(end)))


# ------------------------------------------------------------------------------------------------------------- requests

server = Server()
Handler = Callable[[Server, Any], Any]


def _feature(method: str, options: Any = None) -> Callable[[Handler], Handler]:
    """Register a handler. If it fails, the error is logged and the editor gets no answer; the server continues."""

    def register(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def logged(ls: Server, params: Any) -> Any:
            try:
                return handler(ls, params)
            except navigation.CannotRename as error:
                raise JsonRpcInvalidParams(str(error)) from None
            except Exception as error:  # noqa: BLE001 (the server must not end)
                ls.log(error)
                return None

        registered: Handler = server.feature(method, options)(logged)
        return registered

    return register


@_feature(types.INITIALIZED)
def initialized(ls: Server, params: types.InitializedParams) -> None:
    watched = ls.client_capabilities.workspace and ls.client_capabilities.workspace.did_change_watched_files
    if not (watched and watched.dynamic_registration):
        return
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(_WATCHED)])
    registration = types.Registration("hcmlang-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
    ls.client_register_capability(types.RegistrationParams([registration]))


@_feature(types.TEXT_DOCUMENT_DID_OPEN)
@_feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(ls: Server, params: types.DidOpenTextDocumentParams | types.DidChangeTextDocumentParams) -> None:
    ls.take(params.text_document)


@_feature(types.TEXT_DOCUMENT_DID_SAVE)
@_feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
def did_change_files(ls: Server, params: Any) -> None:
    ls.refresh_all()


@_feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    ls.drop(params.text_document.uri)


class _At:
    """A place in a document, and the values in scope there."""

    def __init__(self, ls: Server, document: Document, position: types.Position) -> None:
        self.ls = ls
        self.document = document
        self.lines = ls.lines(document.path)
        self.offset = self.lines.offset(position.line, position.character)
        self.files: Files = ls.open_files.files()

    @property
    def names(self) -> dict[str, Kind]:
        return self.ls.open_files.names(self.document, self.files)

    def range(self, start: int, end: int) -> types.Range:
        return _range(self.lines, start, end)

    def location(self, place: navigation.Place) -> types.Location:
        return types.Location(self.ls.uri(place.path), _range(self.ls.lines(place.path), place.start, place.end))


def _feature_at(method: str, options: Any = None, default: Any = None) -> Callable[[Callable[..., Any]], Handler]:
    """Register a handler of requests about a place. Documents that are not served get the default."""

    def register(handler: Callable[[_At, Any], Any]) -> Handler:
        @_feature(method, options)
        def at_place(ls: Server, params: Any) -> Any:
            document = ls.document(params.text_document.uri)
            if document is None or document.kind is None:
                return default
            return handler(_At(ls, document, params.position), params)

        return at_place

    return register


#: Besides letters. A space is not one of them, or a list would pop up at the end of every line.
_TRIGGERS = ['"', "{", "(", "[", "."]


@_feature_at(
    types.TEXT_DOCUMENT_COMPLETION,
    types.CompletionOptions(trigger_characters=_TRIGGERS),
    types.CompletionList(False, []),
)
def complete(at: _At, params: types.CompletionParams) -> types.CompletionList:
    items = completion.complete(at.document, at.offset, at.names, at.files)
    return types.CompletionList(False, [_completion(item, at) for item in items])


def _completion(item: completion.Item, at: _At) -> types.CompletionItem:
    documentation = types.MarkupContent(types.MarkupKind.Markdown, item.documentation) if item.documentation else None
    return types.CompletionItem(
        label=item.label,
        kind=_SORTS[item.sort],
        detail=item.detail or None,
        documentation=documentation,
        sort_text=f"{item.rank:03d}{item.label}",
        filter_text=item.label,
        text_edit=types.TextEdit(at.range(item.start, item.end), item.insert),
    )


@_feature_at(types.TEXT_DOCUMENT_HOVER)
def explain(at: _At, params: types.HoverParams) -> types.Hover | None:
    shown = hover.hover(at.document, at.offset, at.names, at.files)
    if shown is None:
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, shown.text), at.range(shown.start, shown.end))


@_feature_at(types.TEXT_DOCUMENT_DEFINITION)
def define(at: _At, params: types.DefinitionParams) -> types.Location | None:
    place = navigation.definition(at.document, at.offset, at.files)
    return at.location(place) if place else None


@_feature_at(types.TEXT_DOCUMENT_REFERENCES, default=[])
def refer(at: _At, params: types.ReferenceParams) -> list[types.Location]:
    return [at.location(place) for place in navigation.references(at.document, at.offset)]


@_feature_at(types.TEXT_DOCUMENT_PREPARE_RENAME)
def prepare_rename(at: _At, params: types.PrepareRenameParams) -> types.Range | None:
    place = navigation.renamable(at.document, at.offset)
    return at.range(place.start, place.end) if place else None


@_feature_at(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
def rename(at: _At, params: types.RenameParams) -> types.WorkspaceEdit:
    places = navigation.rename(at.document, at.offset, params.new_name)
    edits = [types.TextEdit(at.range(place.start, place.end), params.new_name) for place in places]
    return types.WorkspaceEdit(changes={params.text_document.uri: edits})


@_feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
def symbols(ls: Server, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    document = ls.document(params.text_document.uri)
    if document is None:
        return []
    lines = ls.lines(document.path)
    return [
        types.DocumentSymbol(
            name=symbol.name,
            kind=types.SymbolKind.Field if symbol.is_field else types.SymbolKind.Class,
            range=_range(lines, symbol.start, symbol.stop),
            selection_range=_range(lines, symbol.name_start, symbol.name_end),
            detail="field" if symbol.is_field else "rule",
        )
        for symbol in navigation.symbols(document)
    ]


@_feature(types.TEXT_DOCUMENT_FORMATTING)
def lay_out(ls: Server, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
    document = ls.document(params.text_document.uri)
    if document is None:
        return []
    lines = ls.lines(document.path)
    return [types.TextEdit(_range(lines, edit.start, edit.end), edit.text) for edit in formatting.formatted(document)]


def start() -> None:
    """Serve an editor over standard input and output until it exits."""
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # it logs tracebacks of rejected requests
    stdout, sys.stdout = sys.stdout.buffer, sys.stderr  # keep what libraries print out of the protocol
    server.start_io(stdout=stdout)
