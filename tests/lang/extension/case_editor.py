"""Completion in the language server."""

from pathlib import Path

from hcmlang import lang
from hcmlang.lsp.completion import complete
from hcmlang.lsp.documents import Document, Files


def offered(line: str) -> set[str]:
    text = f'text := "a"\n{line}'
    document = Document(Path("/nowhere/a.hcm"), text)
    return {item.label for item in complete(document, len(text), lang.default_names(["a", "b"]), Files({}))}


assert "rhymes with" in offered("require text ")
assert offered("require text rhymes ") == {"with"}
assert {"target", "text"} <= offered("require text rhymes with ")
assert offered('require text rhymes with "a" ') == {"and", "or"}
assert {"vowels", "words"} <= offered("require ")
assert offered("require vowels(text) ") == {"in", "==", "<=", ">="}
print("fine")
