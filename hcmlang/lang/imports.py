"""Reads the rules and word lists that a program imports from other files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from hcmlang.diagnostics import Diagnostic, Origin, Source, Span
from hcmlang.files import pack_folder
from hcmlang.lang import parse
from hcmlang.lang.syntax import Import, Rule, Tree

#: The most words and phrases in all lists of a program.
MAX_WORDS = 20_000

#: Reads a file. An editor passes its unsaved text.
Reader = Callable[[Path], str]


def read_file(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")


@dataclass
class _Found:
    rules: list[Rule] = field(default_factory=list)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keys: list[object] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def read_imports(tree: Tree, origin: Origin, read: Reader) -> tuple[Tree, list[object], list[Diagnostic]]:
    """The tree with the rules and word lists that it imports, directly and through others.

    The second part of the result goes into the program's content key. Paths are relative to the importing file.
    """
    collected = _Found(lists=dict(tree.lists))
    here = Path(origin.source.name).absolute()
    if tree.imports:
        _follow(tree.imports, here, read, collected, {here})
    rules = (*tree.rules, *collected.rules)
    return replace(tree, rules=rules, lists=tuple(collected.lists.items())), collected.keys, collected.diagnostics


def _follow(imports: tuple[Import, ...], here: Path, read: Reader, collected: _Found, seen: set[Path]) -> None:
    pack = pack_folder(here)
    for entry in imports:
        try:
            path = (here.parent / entry.path).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            collected.diagnostics.append(_unreadable(entry, error))
            continue
        if pack is not None and not path.is_relative_to(pack):
            message = f"{entry.path} is outside the pack of this program"
            hint = "a pack contains every file it needs: copy the file into its folder"
            collected.diagnostics.append(Diagnostic("outside-pack", message, entry.span, hint))
        elif entry.name is not None and path.suffix == ".hcm":
            hint = f'write `import "{entry.path}"`: its rules already have names'
            collected.diagnostics.append(
                Diagnostic("wrong-type", f"{entry.path} is a program, not a word list", entry.span, hint)
            )
        elif entry.name is not None:
            _word_list(entry, path, read, collected)
        elif path.suffix != ".hcm":
            hint = f'a program ends with .hcm; give a word list a name: `import "{entry.path}" as my_words`'
            collected.diagnostics.append(
                Diagnostic("not-a-program", f"{entry.path} is not a program", entry.span, hint)
            )
        elif path not in seen:
            seen.add(path)
            _program(entry, path, read, collected, seen)


def _text(entry: Import, path: Path, read: Reader, collected: _Found) -> str | None:
    try:
        # Reading a pipe without a writer would never end.
        if path.exists() and not path.is_file() and not path.is_dir():
            collected.diagnostics.append(
                Diagnostic("unreadable-file", f"{entry.path} is not a regular file", entry.span)
            )
            return None
        return read(path)
    except FileNotFoundError:
        hint = f"paths are relative to the file that imports, so this is {path}"
        collected.diagnostics.append(Diagnostic("missing-file", f"there is no file {entry.path}", entry.span, hint))
    except (OSError, ValueError) as error:
        collected.diagnostics.append(_unreadable(entry, error))
    return None


def _unreadable(entry: Import, error: Exception) -> Diagnostic:
    if isinstance(error, UnicodeDecodeError):
        return Diagnostic("unreadable-file", f"{entry.path} is not UTF-8 text", entry.span, "save the file as UTF-8")
    if isinstance(error, IsADirectoryError):
        return Diagnostic("unreadable-file", f"{entry.path} is a folder", entry.span, "name a file in it")
    why = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    return Diagnostic("unreadable-file", f"cannot read {entry.path}: {why}", entry.span)


def _word_list(entry: Import, path: Path, read: Reader, collected: _Found) -> None:
    name = entry.name or ""
    if name in collected.lists:
        message = f"there is a list `{name}` already"
        collected.diagnostics.append(Diagnostic("duplicate-list", message, entry.span, "choose another name"))
    text = _text(entry, path, read, collected)
    lines = [line.strip() for line in (text or "").splitlines()]
    phrases = tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if text is not None and not phrases:
        hint = "one word or phrase on each line; lines that begin with # are comments"
        collected.diagnostics.append(Diagnostic("empty-list", f"{entry.path} has no words", entry.span, hint))
    words = len(phrases) + sum(map(len, collected.lists.values()))
    if words > MAX_WORDS:
        message = f"with {entry.path} the word lists of this program have {words:,} words; {MAX_WORDS:,} are allowed"
        hint = "keep the words that matter; a few hundred are enough for varied texts"
        collected.diagnostics.append(Diagnostic("too-large", message, entry.span, hint))
        phrases = ()
    collected.lists[name] = phrases
    collected.keys.append([name, list(phrases)])


def _program(entry: Import, path: Path, read: Reader, collected: _Found, seen: set[Path]) -> None:
    text = _text(entry, path, read, collected)
    if text is None:
        return
    origin = Origin(Source(str(path), text))
    tree, key, diagnostics = parse.parse(text, origin)
    collected.diagnostics += diagnostics
    if tree is None:
        return
    if tree.constraints:
        hint = "constraints belong to the program that imports"
        message = f"{entry.path} has constraints; a file that is imported holds rules only"
        collected.diagnostics.append(Diagnostic("imported-constraint", message, entry.span, hint))
    if tree.fields and not _is_rule(tree):
        message = f"{entry.path} begins with a record; a file that is imported holds rules only"
        hint = "move the rules that both need into a separate file"
        collected.diagnostics.append(Diagnostic("imported-record", message, entry.span, hint))
    collected.keys.append(key)
    collected.rules += tree.rules
    _follow(tree.imports, path, read, collected, seen)


def _is_rule(tree: Tree) -> bool:
    return bool(tree.rules) and tree.fields[0].pattern is tree.rules[0].pattern


def place_of(tree: Tree, name: str) -> Span | None:
    """The position of a word list's import."""
    return next((entry.span for entry in tree.imports if entry.name == name), None)
