"""The server as a process that communicates over standard input and output."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

pytest.importorskip("pygls")

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import BaseLanguageClient

from tests.conftest import PROGRAM
from tests.lsp.conftest import SPEC, in_spec

#: Long enough for a process to start on a busy machine.
WAIT = 30


class Editor(BaseLanguageClient):
    """An editor that records what the server publishes."""

    def __init__(self) -> None:
        super().__init__("editor", "1")
        self.found: dict[str, types.PublishDiagnosticsParams] = {}
        self.history: list[types.PublishDiagnosticsParams] = []
        self.published = asyncio.Event()
        self.log: list[str] = []

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def publish(params: types.PublishDiagnosticsParams) -> None:
            self.found[params.uri] = params
            self.history.append(params)
            self.published.set()

        @self.feature(types.WINDOW_LOG_MESSAGE)
        def log(params: types.LogMessageParams) -> None:
            self.log.append(params.message)

    async def begin(self, folder: Path, encodings: list[str] | None = None) -> types.InitializeResult:
        await self.start_io(*PROGRAM, "lsp", cwd=folder)
        general = types.GeneralClientCapabilities(position_encodings=encodings)
        params = types.InitializeParams(types.ClientCapabilities(general=general), root_uri=folder.as_uri())
        result = await asyncio.wait_for(self.initialize_async(params), WAIT)
        self.initialized(types.InitializedParams())
        return result

    async def end(self) -> None:
        await asyncio.wait_for(self.shutdown_async(None), WAIT)
        self.exit(None)
        assert self._server is not None
        await asyncio.wait_for(self._server.wait(), WAIT)
        assert self._server.returncode == 0
        await self.stop()
        assert self.log == []

    def open(self, path: Path, text: str, language: str = "yaml") -> str:
        item = types.TextDocumentItem(path.as_uri(), language, 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return path.as_uri()

    def change(self, uri: str, version: int, text: str) -> None:
        document = types.VersionedTextDocumentIdentifier(version, uri)
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def codes(self, uri: str, *wanted: str, version: int | None = None) -> list[types.Diagnostic]:
        """Wait until a file has these diagnostics."""

        async def wait() -> list[types.Diagnostic]:
            while True:
                found = self.found.get(uri)
                told = None if found is None else sorted(str(one.code) for one in found.diagnostics)
                if found is not None and version in (None, found.version) and told == sorted(wanted):
                    return list(found.diagnostics)
                self.published.clear()
                await self.published.wait()

        return await asyncio.wait_for(wait(), WAIT)


def position(text: str, at: int) -> types.Position:
    before = text[:at]
    line = before[before.rfind("\n") + 1 :]
    return types.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)


def place(uri: str, text: str, part: str) -> dict:
    """The position of the cursor at the end of a part of the text."""
    assert text.count(part) == 1
    return {
        "text_document": types.TextDocumentIdentifier(uri),
        "position": position(text, text.index(part) + len(part)),
    }


def session(story: Callable[[Editor], Awaitable[None]], folder: Path, encodings: list[str] | None = None) -> None:
    async def play() -> None:
        editor = Editor()
        await editor.begin(folder, encodings)
        await story(editor)
        await editor.end()

    asyncio.run(play())


def test_a_session(folder: Path) -> None:
    async def story(editor: Editor) -> None:
        broken = in_spec('    text := "the" part', '    # 😀\n    text := "😀" prat')
        uri = editor.open(folder / "spec.yaml", broken)
        (found,) = await editor.codes(uri, "undefined-rule")
        assert found.message == "there is no rule `prat`\nhint: did you mean `part`?"
        assert found.severity == types.DiagnosticSeverity.Error
        assert found.range == types.Range(types.Position(11, 17), types.Position(11, 21))

        whole = broken.replace("prat", "part")
        editor.change(uri, 2, whole)
        await editor.codes(uri, version=2)

        asked = types.CompletionParams(**place(uri, whole, "text contains any "))
        items = await editor.text_document_completion_async(asked)
        assert isinstance(items, types.CompletionList)
        by_label = {item.label: item for item in items.items}
        assert "hypothesis.triggers" in by_label
        edit = by_label["hypothesis.triggers"].text_edit
        assert isinstance(edit, types.TextEdit)
        assert edit.new_text == "hypothesis.triggers"

        shown = await editor.text_document_hover_async(types.HoverParams(**place(uri, whole, '"😀" pa')))
        assert shown is not None
        assert isinstance(shown.contents, types.MarkupContent)
        assert 'part := "plot" | "acting"' in shown.contents.value
        assert shown.range == types.Range(types.Position(11, 17), types.Position(11, 21))

        defined = await editor.text_document_definition_async(types.DefinitionParams(**place(uri, whole, '"😀" pa')))
        assert defined == types.Location(uri, types.Range(types.Position(12, 4), types.Position(12, 8)))

        asked_places = types.ReferenceParams(types.ReferenceContext(True), **place(uri, whole, '"😀" pa'))
        places = await editor.text_document_references_async(asked_places)
        assert [one.range.start.line for one in places or ()] == [11, 12]

        edit_all = await editor.text_document_rename_async(
            types.RenameParams(**place(uri, whole, '"😀" pa'), new_name="thing")
        )
        assert edit_all is not None
        assert edit_all.changes is not None
        assert [one.new_text for one in edit_all.changes[uri]] == ["thing", "thing"]
        with pytest.raises(JsonRpcException, match="word of the language"):
            await editor.text_document_rename_async(
                types.RenameParams(**place(uri, whole, '"😀" pa'), new_name="words")
            )

        document = types.TextDocumentIdentifier(uri)
        symbols = await editor.text_document_document_symbol_async(types.DocumentSymbolParams(document))
        assert [one.name for one in symbols or ()] == ["text", "part", "degree", "verdict"]
        options = types.FormattingOptions(4, True)
        edits = await editor.text_document_formatting_async(types.DocumentFormattingParams(document, options))
        assert not edits

        editor.change(uri, 3, broken)
        await editor.codes(uri, "undefined-rule", version=3)
        editor.text_document_did_close(types.DidCloseTextDocumentParams(document))
        await editor.codes(uri)

    session(story, folder)


def test_diagnostics_of_a_used_file_are_published_and_cleared(folder: Path) -> None:
    head, _, tail = SPEC.partition("  program: |\n")
    spec = head + "  program: reviews.hcm\n" + tail[tail.index("arms:") :]
    program = folder / "reviews.hcm"
    program.write_text('text := "a" | gone\n')

    async def story(editor: Editor) -> None:
        spec_uri = editor.open(folder / "spec.yaml", spec)
        await editor.codes(program.as_uri(), "undefined-rule")
        await editor.codes(spec_uri)
        uri = editor.open(program, 'text := "a"\n', "hcm")
        await editor.codes(uri)
        editor.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
        await editor.codes(uri, "undefined-rule")
        program.write_text('text := "b"\n')
        saved = types.FileEvent(uri, types.FileChangeType.Changed)
        editor.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([saved]))
        await editor.codes(uri)

    session(story, folder)


def test_while_typing_only_the_last_text_is_checked(folder: Path) -> None:
    async def story(editor: Editor) -> None:
        uri = editor.open(folder / "main.hcm", 'text := "a" | gone\n', "hcm")
        for version in range(2, 60):
            editor.change(uri, version, 'text := "a" | gone\n' * (version % 3 + 1))
            await asyncio.sleep(0.005)
        editor.change(uri, 60, 'text := "a"\n')
        seen: list[int | None] = []
        while not seen or seen[-1] != 60:
            editor.published.clear()
            await asyncio.wait_for(editor.published.wait(), WAIT)
            seen.append(editor.found[uri].version)
        assert not editor.found[uri].diagnostics
        assert len(seen) < 20

    session(story, folder)


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 12), ("utf-16", 10), ("utf-32", 9)])
def test_the_preferred_encoding_of_the_editor(folder: Path, encoding: str, column: int) -> None:
    async def story(editor: Editor) -> None:
        uri = editor.open(folder / "main.hcm", 'a := "😀"\nb := "😀" gone\n', "hcm")
        found = await editor.codes(uri, "undefined-rule")
        assert [one.range.start.character for one in found] == [column]

    session(story, folder, [encoding])


def test_other_documents_are_left_alone(folder: Path) -> None:
    async def story(editor: Editor) -> None:
        uri = editor.open(folder / "other.yaml", "a: [\n")
        assert (await editor.codes(uri)) == []
        asked = types.CompletionParams(types.TextDocumentIdentifier(uri), types.Position(0, 0))
        items = await editor.text_document_completion_async(asked)
        assert isinstance(items, types.CompletionList)
        assert not items.items
        untitled = "untitled:Untitled-1"
        item = types.TextDocumentItem(untitled, "hcm", 1, 'text := "a" | gone\n')
        editor.text_document_did_open(types.DidOpenTextDocumentParams(item))
        await editor.codes(untitled, "undefined-rule")

    session(story, folder)


def changed_session(changes: str, story: Callable[[Editor], Awaitable[None]], folder: Path) -> None:
    """A session with a server in which some functions are replaced."""
    script = folder / "changed.py"
    script.write_text(f"from hcmlang.lsp import analysis, hover, server\n{changes}\nserver.start()\n")

    async def play() -> None:
        editor = Editor()
        await editor.start_io(sys.executable, str(script), cwd=folder)
        await asyncio.wait_for(editor.initialize_async(types.InitializeParams(types.ClientCapabilities())), WAIT)
        editor.initialized(types.InitializedParams())
        await story(editor)
        await editor.end()

    asyncio.run(play())


FAILING = """
def fails(*args): raise ZeroDivisionError("planted")
hover.hover = fails
known = analysis.analyse
analysis.analyse = lambda document, *rest: fails() if "planted" in document.text else known(document, *rest)
"""


def test_an_internal_error_is_logged_and_the_server_continues(folder: Path) -> None:
    async def story(editor: Editor) -> None:
        uri = editor.open(folder / "main.hcm", 'text := "a" | gone\n', "hcm")
        await editor.codes(uri, "undefined-rule")
        asked = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(0, 0))
        assert await editor.text_document_hover_async(asked) is None
        assert "planted" in editor.log[0]
        editor.change(uri, 2, "# planted\n")
        while len(editor.log) < 2:
            await asyncio.sleep(0.05)
        editor.change(uri, 3, 'text := "a"\n')
        await editor.codes(uri)
        editor.log.clear()

    changed_session(FAILING, story, folder)


SLOW = """
import time
known = analysis.analyse
def slow(document, *rest):
    if "slow" in document.text:
        server.server.window_log_message(server.types.LogMessageParams(server.types.MessageType.Log, "slow"))
        time.sleep(1)
    return known(document, *rest)
analysis.analyse = slow
"""


def test_stale_diagnostics_are_not_published(folder: Path) -> None:
    async def story(editor: Editor) -> None:
        uri = editor.open(folder / "main.hcm", 'text := "a" | gone # slow\n', "hcm")
        while not editor.log:
            await asyncio.sleep(0.02)
        editor.change(uri, 2, 'text := "a"\n')
        await editor.codes(uri)
        assert [one for one in editor.history if one.diagnostics] == []
        editor.log.clear()

    changed_session(SLOW, story, folder)


def test_the_server_exits_with_the_editor(folder: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "lsp", "--stdio"], input=b"", capture_output=True, timeout=WAIT, check=False, cwd=folder
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b""


def test_without_pygls(folder: Path) -> None:
    code = f"import sys; sys.modules['pygls'] = None; {PROGRAM[-1]}"
    done = subprocess.run(
        [sys.executable, "-c", code, "lsp"], capture_output=True, text=True, timeout=WAIT, check=False, input=""
    )
    assert done.returncode == 1
    assert "pip install 'hcmlang[lsp]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help() -> None:
    done = subprocess.run([*PROGRAM, "lsp", "--help"], capture_output=True, text=True, timeout=WAIT, check=False)
    assert done.returncode == 0
    assert "docs/editors.md" in done.stdout
    assert 'cmd = { "hcmlang", "lsp" }' in done.stdout
