"""Free text as a pattern of characters, and how to divide its length among its pieces."""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import replace

from hcmlang.lang.syntax import Alternation, CharClass, Choice, FreeText, Item, Pattern, Repeat, Sequence

#: The longest word. Without a limit, a model could write an endless one.
WORD_CHARS = 20

STOPS = ".!?"


def lowered(free: FreeText) -> Pattern:
    """A pattern of words with a space between them; of characters if only they are counted."""
    if free.words == (0, 0):
        return _run(free.charset, free.chars or (1, 1))
    if free.sentences is not None:
        return _sentences(free, free.sentences)
    return Repeat(_word(free.charset), *free.words)


def stops(free: FreeText) -> str:
    """The characters that its sentences may end with."""
    return "".join(char for char in free.charset if char in STOPS) or "."


def sentence_words(free: FreeText) -> tuple[int, int] | None:
    """The range of words for each sentence for which every allowed number of sentences has an allowed total; None if there
    is none."""
    if free.sentences is None:
        return None
    low, high = -(-free.words[0] // free.sentences[0]), free.words[1] // free.sentences[1]
    return (max(1, low), high) if max(1, low) <= high else None


def with_words(free: FreeText, low: int, high: int) -> Pattern:
    """The free text with another range of words, which may be 0."""
    if high == 0:
        return Sequence(())
    some = replace(free, words=(max(1, low), high))
    return some if low else Repeat(some, 0, 1)


def share(ranges: Many[tuple[int, int]], low: int, high: int, weights: Many[float]) -> list[tuple[int, int]] | None:
    """Narrow each range so that any sum of numbers from them lies in `low..high`; None if that is impossible. `weights` (sum
    1) are the shares of each range."""
    if sum(most for _, most in ranges) < low or sum(least for least, _ in ranges) > high:
        return None
    least = _fill([a for a, _ in ranges], [b for _, b in ranges], low, weights)
    most = _fill(least, [b for _, b in ranges], high, weights)
    return list(zip(least, most, strict=True))


def _fill(start: list[int], caps: list[int], total: int, weights: Many[float]) -> list[int]:
    """Increase numbers by weight, up to their caps, until their sum reaches the total."""
    numbers = list(start)
    missing = total - sum(numbers)
    for number, weight in enumerate(weights):
        more = min(caps[number] - numbers[number], max(0, int(missing * weight)))
        numbers[number] += more
    # The remainder goes to the numbers that lost most by rounding.
    for number in sorted(range(len(numbers)), key=lambda i: -(missing * weights[i] % 1)):
        numbers[number] += max(0, min(caps[number] - numbers[number], total - sum(numbers)))
    return numbers


def _word(chars: str) -> Pattern:
    return Repeat(CharClass(chars), 1, WORD_CHARS, glued=True)


def _run(chars: str, length: tuple[int, int]) -> Pattern:
    """A run of characters with spaces inside."""
    low, high = length
    edge, inner = CharClass(chars), CharClass("".join(sorted({*chars, " "})))
    if high == 1:
        return edge
    middle = Repeat(inner, max(0, low - 2), high - 2, glued=True) if high > 2 else Sequence(())
    long = Sequence((Item(edge), Item(middle, glued=True), Item(edge, glued=True)))
    return long if low > 1 else Alternation((Choice(edge), Choice(long)))


def _sentences(free: FreeText, count: tuple[int, int]) -> Pattern:
    """Sentences end with a stop. No other word does, so that the sentences can be counted."""
    inner = _word("".join(char for char in free.charset if char not in STOPS) or "a")
    last = Sequence((Item(inner), Item(CharClass(stops(free)), glued=True)))
    low, high = sentence_words(free) or (1, 1)
    if high == 1:
        return Repeat(last, *count)
    return Repeat(Sequence((Item(Repeat(inner, low - 1, high - 1)), Item(last))), *count)
