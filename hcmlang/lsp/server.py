"""The Language Server Protocol, by pygls: documents come in, diagnostics and answers go out."""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

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

Params = TypeVar("Params")
Answer = TypeVar("Answer")


class Server(LanguageServer):
    """An editor server with the documents that are open."""

    def __init__(self) -> None:
        # Whole texts: pygls counts more line ends than the protocol when it puts changes together.
        super().__init__("hcmlang", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.open_files = Workspace()
        self.uris: dict[Path, str] = {}
        self.versions: dict[Path, int | None] = {}
        self.published: dict[Path, list[types.Diagnostic]] = {}
        self.changed: set[Path] = set()
        self.everything = False
        self.edits = 0
        """Counts what was opened, edited, saved and closed, so that a check knows that it is stale."""
        self.timer: asyncio.TimerHandle | None = None
        self.checking = asyncio.Lock()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """What goes wrong within pygls belongs into the log, not before the user's eyes; a request is answered with it."""
        if source is not FeatureRequestError:
            self.log(error)

    def log(self, error: BaseException) -> None:
        text = "".join(traceback.format_exception(error))
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, f"hcmlang: internal error\n{text}"))

    # ------------------------------------------------------------------------------------------------------- documents

    def take(self, item: types.TextDocumentItem | types.VersionedTextDocumentIdentifier) -> None:
        """Take in a document as it is now."""
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
        """A document is closed: from now on its file counts."""
        path = self._path(uri)
        self.open_files.close(path)
        self.versions.pop(path, None)
        self.schedule([path])

    def refresh_all(self) -> None:
        """Files on the disk changed."""
        for path in self.open_files.nearby:
            self.open_files.open(self.open_files.documents[path])
        self.everything = True
        self.schedule([])

    def document(self, uri: str) -> Document | None:
        return self.open_files.documents.get(self._path(uri))

    def lines(self, path: Path) -> Lines:
        """The text of a file as the editor counts in it."""
        text = self.open_files.files().text(path) or ""
        return Lines(text, self.units, yaml=path.suffix in (".yaml", ".yml", ".prompty"))

    @property
    def units(self) -> str:
        return str(getattr(self.workspace.position_encoding, "value", self.workspace.position_encoding) or "utf-16")

    def uri(self, path: Path) -> str:
        return self.uris.get(path) or path.as_uri()

    @staticmethod
    def _path(uri: str) -> Path:
        """The file of a document; what has none yet (`untitled:...`) counts as one in the current folder."""
        name = to_fs_path(uri)
        return real(Path(name) if name else Path.cwd() / uri.replace("/", "_"))

    # ------------------------------------------------------------------------------------------------------ diagnostics

    def schedule(self, changed: Iterable[Path]) -> None:
        """Check soon, once nothing more changes."""
        self.changed.update(changed)
        self.edits += 1
        if self.timer is not None:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(DELAY, lambda: asyncio.ensure_future(self.check()))

    async def check(self) -> None:
        """Check what changed and publish what is new, unless editing went on meanwhile: then the next check does."""
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
        except Exception as error:  # noqa: BLE001 (the server goes on)
            self.log(error)

    def _publish(self, found: dict[Path, list[Diagnostic]], changed: set[Path] | None) -> None:
        """Tell the editor about every file whose diagnostics, or whose text, are not what they were."""
        for path in [*found, *(self.published.keys() - found.keys())]:
            lines = self.lines(path)
            now = [_diagnostic(one, lines) for one in found.get(path, ())]
            moved = changed is None or path in changed
            if now == self.published.get(path, []) and not (moved and path in found):
                continue
            version = self.versions.get(path)
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(self.uri(path), now, version))
            self.published[path] = now
        for path in self.published.keys() - found.keys():
            del self.published[path]
            self.uris.pop(path, None)


def _diagnostic(one: Diagnostic, lines: Lines) -> types.Diagnostic:
    start, end = lines.offsets(one.span) if one.span else (0, 0)
    return types.Diagnostic(
        range=_range(lines, start, end),
        message=f"{one.message}\nhint: {one.hint}" if one.hint else one.message,
        severity=_SEVERITIES[one.severity],
        code=one.code,
        source="hcmlang",
        tags=[types.DiagnosticTag.Unnecessary] if one.code == "unused-rule" else None,
    )


def _range(lines: Lines, start: int, end: int) -> types.Range:
    return types.Range(types.Position(*lines.position(start)), types.Position(*lines.position(end)))


# ------------------------------------------------------------------------------------------------------------- requests

server = Server()


def _guarded(function: Callable[[Server, Params], Answer]) -> Callable[[Server, Params], Answer | None]:
    """A mistake of ours is logged, and the editor gets no answer; the server goes on."""

    @functools.wraps(function)
    def guarded(ls: Server, params: Params) -> Answer | None:
        try:
            return function(ls, params)
        except JsonRpcInvalidParams:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, the server goes on)
            ls.log(error)
            return None

    return guarded


class _Asked:
    """What a request is about: a document, a place in it, and what is in scope there."""

    def __init__(self, ls: Server, document: Document, position: types.Position) -> None:
        self.document = document
        self.lines = ls.lines(document.path)
        self.offset = self.lines.offset(position.line, position.character)
        self.files: Files = ls.open_files.files()
        self._workspace = ls.open_files

    @property
    def names(self) -> dict[str, Kind]:
        return self._workspace.names(self.document, self.files)

    def range(self, start: int, end: int) -> types.Range:
        return _range(self.lines, start, end)


def _asked(ls: Server, params: Any) -> _Asked | None:
    document = ls.document(params.text_document.uri)
    return _Asked(ls, document, params.position) if document is not None and document.kind is not None else None


@server.feature(types.INITIALIZED)
@_guarded
def initialized(ls: Server, params: types.InitializedParams) -> None:
    watched = ls.client_capabilities.workspace and ls.client_capabilities.workspace.did_change_watched_files
    if not (watched and watched.dynamic_registration):
        return
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(_WATCHED)])
    registration = types.Registration("hcmlang-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
    ls.client_register_capability(types.RegistrationParams([registration]))


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
@_guarded
def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    ls.take(params.text_document)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
@_guarded
def did_change(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    ls.take(params.text_document)


@server.feature(types.TEXT_DOCUMENT_DID_SAVE)
@_guarded
def did_save(ls: Server, params: types.DidSaveTextDocumentParams) -> None:
    ls.refresh_all()


@server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
@_guarded
def did_change_files(ls: Server, params: types.DidChangeWatchedFilesParams) -> None:
    ls.refresh_all()


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
@_guarded
def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    ls.drop(params.text_document.uri)


#: Besides the begin of a word. A space is none: a list would pop up at the end of every line.
_TRIGGERS = ['"', "{", "(", "[", "."]


@server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=_TRIGGERS))
@_guarded
def complete(ls: Server, params: types.CompletionParams) -> types.CompletionList:
    asked = _asked(ls, params)
    items = completion.complete(asked.document, asked.offset, asked.names, asked.files) if asked else []
    return types.CompletionList(False, [_completion(one, asked) for one in items] if asked else [])


def _completion(item: completion.Item, asked: _Asked) -> types.CompletionItem:
    documentation = types.MarkupContent(types.MarkupKind.Markdown, item.documentation) if item.documentation else None
    return types.CompletionItem(
        label=item.label,
        kind=_SORTS[item.sort],
        detail=item.detail or None,
        documentation=documentation,
        sort_text=f"{item.rank:03d}{item.label}",
        filter_text=item.label,
        text_edit=types.TextEdit(asked.range(item.start, item.end), item.insert),
    )


@server.feature(types.TEXT_DOCUMENT_HOVER)
@_guarded
def explain(ls: Server, params: types.HoverParams) -> types.Hover | None:
    asked = _asked(ls, params)
    found = hover.hover(asked.document, asked.offset, asked.names, asked.files) if asked else None
    if asked is None or found is None:
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, found.text), asked.range(found.start, found.end))


@server.feature(types.TEXT_DOCUMENT_DEFINITION)
@_guarded
def define(ls: Server, params: types.DefinitionParams) -> types.Location | None:
    asked = _asked(ls, params)
    place = navigation.definition(asked.document, asked.offset, asked.files) if asked else None
    return _location(ls, place) if place else None


def _location(ls: Server, place: navigation.Place) -> types.Location:
    return types.Location(ls.uri(place.path), _range(ls.lines(place.path), place.start, place.end))


@server.feature(types.TEXT_DOCUMENT_REFERENCES)
@_guarded
def refer(ls: Server, params: types.ReferenceParams) -> list[types.Location]:
    asked = _asked(ls, params)
    return [_location(ls, place) for place in navigation.references(asked.document, asked.offset)] if asked else []


@server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
@_guarded
def prepare_rename(ls: Server, params: types.PrepareRenameParams) -> types.Range | None:
    asked = _asked(ls, params)
    try:
        place = navigation.renamable(asked.document, asked.offset) if asked else None
    except navigation.CannotRename as error:
        raise JsonRpcInvalidParams(str(error)) from None
    return asked.range(place.start, place.end) if asked and place else None


@server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
@_guarded
def rename(ls: Server, params: types.RenameParams) -> types.WorkspaceEdit | None:
    asked = _asked(ls, params)
    if asked is None:
        return None
    try:
        places = navigation.rename(asked.document, asked.offset, params.new_name)
    except navigation.CannotRename as error:
        raise JsonRpcInvalidParams(str(error)) from None
    edits = [types.TextEdit(asked.range(place.start, place.end), params.new_name) for place in places]
    return types.WorkspaceEdit(changes={params.text_document.uri: edits})


@server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
@_guarded
def symbols(ls: Server, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    document = ls.document(params.text_document.uri)
    if document is None:
        return []
    lines = ls.lines(document.path)
    return [
        types.DocumentSymbol(
            name=one.name,
            kind=types.SymbolKind.Field if one.is_field else types.SymbolKind.Class,
            range=_range(lines, one.start, one.stop),
            selection_range=_range(lines, one.name_start, one.name_end),
            detail="what is written" if one.is_field else "rule",
        )
        for one in navigation.symbols(document)
    ]


@server.feature(types.TEXT_DOCUMENT_FORMATTING)
@_guarded
def lay_out(ls: Server, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
    document = ls.document(params.text_document.uri)
    if document is None:
        return []
    lines = ls.lines(document.path)
    return [types.TextEdit(_range(lines, one.start, one.end), one.text) for one in formatting.formatted(document)]


def start() -> None:
    """Serve an editor over standard input and output until it says goodbye."""
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # it has tracebacks for requests that are refused
    stdout, sys.stdout = sys.stdout.buffer, sys.stderr  # what a library prints must not get among the messages
    server.start_io(stdout=stdout)
