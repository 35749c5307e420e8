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
    found = _Found(lists=dict(tree.lists))
    here = Path(origin.source.name).absolute()
    if tree.imports:
        _follow(tree.imports, here, read, found, {here})
    rules = (*tree.rules, *found.rules)
    return replace(tree, rules=rules, lists=tuple(found.lists.items())), found.keys, found.diagnostics


def _follow(imports: tuple[Import, ...], here: Path, read: Reader, found: _Found, seen: set[Path]) -> None:
    pack = pack_folder(here)
    for one in imports:
        try:
            path = (here.parent / one.path).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            found.diagnostics.append(_unreadable(one, error))
            continue
        if pack is not None and not path.is_relative_to(pack):
            message = f"{one.path} is outside the pack of this program"
            hint = "a pack contains every file it needs: copy the file into its folder"
            found.diagnostics.append(Diagnostic("outside-pack", message, one.span, hint))
        elif one.name is not None and path.suffix == ".hcm":
            hint = f'write `import "{one.path}"`: its rules already have names'
            found.diagnostics.append(
                Diagnostic("wrong-type", f"{one.path} is a program, not a word list", one.span, hint)
            )
        elif one.name is not None:
            _word_list(one, path, read, found)
        elif path.suffix != ".hcm":
            hint = f'a program ends with .hcm; give a word list a name: `import "{one.path}" as my_words`'
            found.diagnostics.append(Diagnostic("not-a-program", f"{one.path} is not a program", one.span, hint))
        elif path not in seen:
            seen.add(path)
            _program(one, path, read, found, seen)


def _text(one: Import, path: Path, read: Reader, found: _Found) -> str | None:
    try:
        # Reading a pipe without a writer would never end.
        if path.exists() and not path.is_file() and not path.is_dir():
            found.diagnostics.append(Diagnostic("unreadable-file", f"{one.path} is not a regular file", one.span))
            return None
        return read(path)
    except FileNotFoundError:
        hint = f"paths are relative to the file that imports, so this is {path}"
        found.diagnostics.append(Diagnostic("missing-file", f"there is no file {one.path}", one.span, hint))
    except (OSError, ValueError) as error:
        found.diagnostics.append(_unreadable(one, error))
    return None


def _unreadable(one: Import, error: Exception) -> Diagnostic:
    if isinstance(error, UnicodeDecodeError):
        return Diagnostic("unreadable-file", f"{one.path} is not UTF-8 text", one.span, "save the file as UTF-8")
    if isinstance(error, IsADirectoryError):
        return Diagnostic("unreadable-file", f"{one.path} is a folder", one.span, "name a file in it")
    why = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    return Diagnostic("unreadable-file", f"cannot read {one.path}: {why}", one.span)


def _word_list(one: Import, path: Path, read: Reader, found: _Found) -> None:
    name = one.name or ""
    if name in found.lists:
        message = f"there is a list `{name}` already"
        found.diagnostics.append(Diagnostic("duplicate-list", message, one.span, "choose another name"))
    text = _text(one, path, read, found)
    lines = [line.strip() for line in (text or "").splitlines()]
    phrases = tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if text is not None and not phrases:
        hint = "one word or phrase on each line; lines that begin with # are comments"
        found.diagnostics.append(Diagnostic("empty-list", f"{one.path} has no words", one.span, hint))
    words = len(phrases) + sum(map(len, found.lists.values()))
    if words > MAX_WORDS:
        message = f"with {one.path} the word lists of this program have {words:,} words; {MAX_WORDS:,} are allowed"
        hint = "keep the words that matter; a few hundred are enough for varied texts"
        found.diagnostics.append(Diagnostic("too-large", message, one.span, hint))
        phrases = ()
    found.lists[name] = phrases
    found.keys.append([name, list(phrases)])


def _program(one: Import, path: Path, read: Reader, found: _Found, seen: set[Path]) -> None:
    text = _text(one, path, read, found)
    if text is None:
        return
    origin = Origin(Source(str(path), text))
    tree, key, diagnostics = parse.parse(text, origin)
    found.diagnostics += diagnostics
    if tree is None:
        return
    if tree.constraints:
        hint = "constraints belong to the program that imports"
        message = f"{one.path} has constraints; a file that is imported holds rules only"
        found.diagnostics.append(Diagnostic("imported-constraint", message, one.span, hint))
    if tree.fields and not _is_rule(tree):
        message = f"{one.path} begins with a record; a file that is imported holds rules only"
        hint = "move the rules that both need into a separate file"
        found.diagnostics.append(Diagnostic("imported-record", message, one.span, hint))
    found.keys.append(key)
    found.rules += tree.rules
    _follow(tree.imports, path, read, found, seen)


def _is_rule(tree: Tree) -> bool:
    return bool(tree.rules) and tree.fields[0].pattern is tree.rules[0].pattern


def place_of(tree: Tree, name: str) -> Span | None:
    """The position of a word list's import."""
    return next((one.span for one in tree.imports if one.name == name), None)
