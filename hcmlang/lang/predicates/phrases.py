"""Searches for words and phrases: whole words, in any case and spacing.

A phrase that ends with a sign (`really?`) may have any character next to it. `side`: the text `starts` or `ends` with the
phrase.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from hcmlang.lang.characters import is_word, spellings
from hcmlang.lang.emit.classes import rust_class, space_chars, word_chars
from hcmlang.lang.predicates.base import NoMask, State

#: With this many phrases or more, a text is searched for their first words instead of each phrase.
_MANY_PHRASES = 64
_ANY = "(?s:.*)"


@lru_cache(maxsize=16384)
def find_phrase(phrase: str, side: str = "") -> Callable[[str], bool]:
    """A function that tests whether a text contains a word or phrase."""
    parts = r"\s+".join(re.escape(part) for part in phrase.split())
    before = r"(?<!\w)" if phrase.strip()[:1].isalnum() else ""
    after = r"(?!\w)" if phrase.strip()[-1:].isalnum() else ""
    begin, end = (r"\A" if side == "starts" else ""), (r"\Z" if side == "ends" else "")
    search = re.compile(begin + before + parts + after + end, re.IGNORECASE).search
    return lambda text: search(text) is not None


def find_any(phrases: Sequence[str], side: str = "") -> Callable[[str], bool]:
    """A function that tests whether a text contains any of the phrases."""
    if len(phrases) < _MANY_PHRASES:
        finds = [find_phrase(phrase, side) for phrase in phrases]
        return lambda text: any(find(text) for find in finds)
    by_word: dict[str, list[str]] = {}
    others: list[str] = []
    for phrase in phrases:
        # A phrase that begins with a word requires this word in the text. With `_`, it may end inside a word.
        begins = re.match(r"\s*(\w+)", phrase) if phrase.isascii() and "_" not in phrase else None
        (by_word.setdefault(begins[1].lower(), []) if begins else others).append(phrase)
    rest = find_any(others[: _MANY_PHRASES - 1], side) if others else None
    more = [find_phrase(phrase, side) for phrase in others[_MANY_PHRASES - 1 :]]

    def found(text: str) -> bool:
        words = {word.casefold() for word in re.findall(r"\w+", text)}
        near = [phrase for word in words for phrase in by_word.get(word, ())]
        spaced = f" {text.lower()} "
        # A phrase between spaces always matches; testing that is faster than compiling its regex.
        listed = not side and any(f" {phrase.lower()} " in spaced for phrase in near)
        listed = listed or any(find_phrase(phrase, side)(text) for phrase in near)
        return listed or (rest is not None and rest(text)) or any(find(text) for find in more)

    return found


class PhraseMachine:
    """Accepts texts with any of the phrases.

    A state is `True` once a phrase is complete (not for `ends`). Otherwise it is whether the last character is a word
    character, the possible positions in phrases (phrase, number of parts read), and whether the text begins here.
    """

    def __init__(self, phrases: Sequence[str], side: str = "") -> None:
        self._side = side
        #: The parts of each phrase: a set of characters, or None for spaces.
        self._parts: list[list[frozenset[str] | None]] = []
        self._bounds: list[tuple[bool, bool]] = []
        self._first: dict[str, list[int]] = {}
        for words in map(str.split, phrases):
            if not words:
                continue
            parts: list[frozenset[str] | None] = []
            for number, word in enumerate(words):
                parts += [None] if number else []
                parts += [spellings(char) for char in word]
            for char in parts[0] or ():
                self._first.setdefault(char, []).append(len(self._parts))
            self._parts.append(parts)
            self._bounds.append((words[0][0].isalnum(), words[-1][-1].isalnum()))
        self.special = frozenset(char for parts in self._parts for part in parts for char in part or ())
        self.size = max((1, *map(len, self._first.values())))
        # Every text contains the empty one.
        everything = any(not phrase.strip() for phrase in phrases)
        self.start: State = everything or (False, frozenset[tuple[int, int]](), True)

    def step(self, state: State, char: str) -> State:
        if state is True:
            return True
        assert isinstance(state, tuple)
        was_word, places, beginning = state
        following: set[tuple[int, int]] = set()
        word = is_word(char)
        for phrase, read in places:
            parts = self._parts[phrase]
            if read == len(parts):
                if self._side != "ends" and not (word and self._bounds[phrase][1]):
                    return True
                continue
            part = parts[read]
            if char.isspace() if part is None else char in part:
                following.add((phrase, read + 1))
            if read and parts[read - 1] is None and char.isspace():
                following.add((phrase, read))
        if self._side != "starts" or beginning:
            for phrase in self._first.get(char, ()):
                if not (was_word and self._bounds[phrase][0]):
                    following.add((phrase, 1))
        if self._side != "ends" and any(
            read == len(self._parts[phrase]) and not self._bounds[phrase][1] for phrase, read in following
        ):
            return True
        return word, frozenset(following), False

    def accepts(self, state: State) -> bool:
        if state is True:
            return True
        assert isinstance(state, tuple)
        return any(read == len(self._parts[phrase]) for phrase, read in state[1])


def phrase_mask(phrase: str, alphabet: str, side: str = "") -> str:
    """A regular expression for the texts over `alphabet` with the phrase. Raises :class:`NoMask` for an empty phrase."""
    words = phrase.split()
    if not words:
        raise NoMask("it looks for an empty text")
    spaces = rust_class(space_chars(alphabet)) + "+"
    inside = spaces.join("".join(rust_class("".join(sorted(spellings(char)))) for char in word) for word in words)
    apart = rust_class(word_chars(alphabet), negated=True) if word_chars(alphabet) else "(?s:.)"
    before = f"({_ANY}{apart})?" if words[0][0].isalnum() else _ANY
    after = f"({apart}{_ANY})?" if words[-1][-1].isalnum() else _ANY
    return f"{'' if side == 'starts' else before}{inside}{'' if side == 'ends' else after}"
