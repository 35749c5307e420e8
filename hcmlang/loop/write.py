"""Writing instances: an engine writes, what it does not keep by construction is tested, and what fails is written anew.

All instances that are still open are written in one wave after the other, so that an engine and a classifier see batches.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Call, Completion, Engine, Message, Observed
from hcmlang.hashing import derive_seed
from hcmlang.lang import BoundProgram, CompiledProgram, Row
from hcmlang.lang.predicates.base import Predicate
from hcmlang.lang.predicates.formula import predicates_in
from hcmlang.loop.ask import Asker
from hcmlang.progress import Advance, nothing_to_show

#: Texts among which the one that keeps most preferences is taken.
PREFERENCE_TRIES = 5
#: What is said of a text that is not complete: it was cut, or its grammar was too much for the engine.
_UNFINISHED = {
    "length": "engine.max_tokens",
    "refused": "the engine gave up",
    "unkept": "the server did not keep the program's rules",
}
#: Seconds between two reports of how it goes.
_TOLD_EVERY = 0.25
#: Of the interval within which the share of texts that pass must lie.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Wanted:
    """An instance to be written. `group` is what shares a fate: instances of one hypothesis and program."""

    key: str
    group: str
    program: BoundProgram
    seed: int
    index: int
    messages: tuple[Message, ...] = ()
    """What a language model is told."""


@dataclass(frozen=True)
class Written:
    """The outcome for one instance: its texts, or None with the reason."""

    key: str
    fields: Mapping[str, str] | None
    program: CompiledProgram
    draws: int
    """Texts written for it, the accepted one included."""
    reasons: Mapping[str, int]
    """How often each constraint (its source) refused one."""
    hopeless: str = ""
    """Why the whole group was given up, if it was."""
    objection: tuple[str, str] | None = None
    """What people objected to: reason and detail."""


@dataclass
class _Open:
    wanted: Wanted
    program: CompiledProgram
    draws: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    best: tuple[int, Mapping[str, str], CompiledProgram] | None = None
    since_best: int = 0


@dataclass
class _Tally:
    draws: int = 0
    passed: int = 0


class _Watch:
    """Tells how the writing goes, a few times a second."""

    def __init__(self, engine: Engine, advance: Advance, tallies: Mapping[str, _Tally]) -> None:
        self._engine = engine
        self._advance = advance
        self._tallies = tallies
        self._started = self._told = time.monotonic()
        self._texts = self._tokens = self._done = 0

    def seen(self, completion: Completion) -> None:
        """Another text has come."""
        self._texts += 1
        self._tokens += completion.tokens
        if time.monotonic() - self._told >= _TOLD_EVERY:
            self.tell()

    def done(self) -> None:
        """An instance is settled."""
        self._done += 1

    def tell(self) -> None:
        """Texts, the share of those that were tested which passed, tokens a second, and what the engine says."""
        self._told = now = time.monotonic()
        parts = [f"{self._texts:,} texts"]
        if tested := sum(tally.draws for tally in self._tallies.values()):
            parts.append(f"{sum(tally.passed for tally in self._tallies.values()) / tested:.0%} accepted")
        if self._tokens:
            parts.append(f"{self._tokens / max(1e-9, now - self._started):,.0f} tokens/s")
        if isinstance(self._engine, Observed):
            parts.append(self._engine.status())
        self._advance(self._done, ", ".join(parts))
        self._done = 0


def write(
    engine: Engine,
    wanted: Sequence[Wanted],
    attempts: int,
    asker: Asker | None,
    advance: Advance = nothing_to_show,
) -> Iterator[Written]:
    """Write every wanted instance within `attempts` draws each, in waves; outcomes in the order in which they are known.

    A group is given up as soon as, with 95% confidence, less than one text in `attempts` of it would pass: then its
    instances would mostly fail anyway. `asker` answers what takes a corpus or the classifier.

    Raises :class:`DiagnosticError` where the engine can use none of the grammars.
    """
    waiting = [_Open(one, one.program.compile(_row(one, 0), engine.dialect)) for one in wanted]
    tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
    watch = _Watch(engine, advance, tallies)
    for attempt in range(attempts):
        if attempt:
            for one in waiting:
                one.program = one.wanted.program.compile(_row(one.wanted, attempt), engine.dialect)
        last = attempt == attempts - 1
        left: list[_Open] = []
        for one, done in _wave(engine, waiting, attempt, last, asker, tallies, watch):
            if done is None:
                left.append(one)
            else:
                watch.done()
                yield done
        given_up = {group: why for group, tally in tallies.items() if (why := _hopeless(tally, attempts))}
        waiting = []
        for one in left:
            why = given_up.get(one.wanted.group, "")
            if why or last:
                watch.done()
                yield _result(one, why, asker)
            else:
                waiting.append(one)
        watch.tell()
        if not waiting:
            return


def _wave(
    engine: Engine,
    waiting: Sequence[_Open],
    attempt: int,
    last: bool,
    asker: Asker | None,
    tallies: Mapping[str, _Tally],
    watch: _Watch,
) -> Iterator[tuple[_Open, Written | None]]:
    """Have one text written for each, and test it: the outcome for each, if its text settles it, in their order."""
    by_key = {one.wanted.key: one for one in waiting}
    calls = [
        Call(key, one.program, derive_seed(one.wanted.seed, attempt), one.wanted.messages)
        for key, one in by_key.items()
    ]
    # Where nothing is compared with anything else, texts are tested as they come.
    at_once = not any(_with_needs(one.program) for one in waiting)
    completions: dict[str, Completion] = {}
    tested: dict[str, Written | None] = {}
    for completion in engine.complete(calls):
        key = completion.key
        completions[key] = completion
        if at_once:
            tested[key] = _test(by_key[key], completion, asker, tallies[by_key[key].wanted.group], last)
        watch.seen(completion)
    _refused(completions.values(), attempt)
    _prepare(waiting, completions, asker)
    for key, one in by_key.items():
        if not at_once:
            tested[key] = _test(one, completions[key], asker, tallies[one.wanted.group], last)
        yield one, tested[key]


def _row(wanted: Wanted, attempt: int) -> Row:
    """Each attempt takes another phrase and another place, so that an unlucky choice does not repeat itself."""
    return Row(derive_seed("row", wanted.seed, attempt), wanted.index + attempt)


def _refused(completions: Collection[Completion], attempt: int) -> None:
    """What an engine cannot use at all is a mistake in the program; a single row may fail and be tried anew."""
    errors = [completion.error for completion in completions if completion.error is not None]
    if attempt == 0 and errors and len(errors) == len(completions):
        raise DiagnosticError(errors[0])


def _with_needs(program: CompiledProgram) -> list[Predicate]:
    return [one for residual in program.residuals for one in predicates_in(residual.formula) if one.needed]


def _prepare(waiting: Sequence[_Open], completions: Mapping[str, Completion], asker: Asker | None) -> None:
    """Texts that need the classifier or a judge and pass all that is cheaper go there together."""
    if asker is None:
        return
    classified: list[Mapping[str, str]] = []
    judged: list[tuple[Mapping[str, str], Predicate]] = []
    for one in waiting:
        completion = completions[one.wanted.key]
        predicates = _with_needs(one.program)
        if not predicates or completion.finish != "stop" or one.program.violated(completion.fields) is not None:
            continue
        for predicate in predicates:
            if "judge" in predicate.needed:
                judged.append((completion.fields, predicate))
            elif "classifier" in predicate.needed:
                classified.append(completion.fields)
    if classified:
        asker.prepare(classified)
    if judged:
        asker.prepare_judge([fields for fields, _ in judged], judged[0][1].span)


def _test(one: _Open, completion: Completion, asker: Asker | None, tally: _Tally, last: bool) -> Written | None:
    """The outcome, if this text settles it."""
    one.draws += 1
    tally.draws += 1
    fields = completion.fields
    violated = _UNFINISHED.get(completion.finish) or one.program.violated(fields)
    if violated is None and asker is not None:
        violated = one.program.violated(fields, asker)
    if violated is not None:
        one.reasons[violated] += 1
    else:
        tally.passed += 1
        preferences = sum(residual.preferred for residual in one.program.residuals)
        kept = one.program.kept_preferences(fields, asker)
        if one.best is None or kept > one.best[0]:
            one.best = (kept, fields, one.program)
        if kept == preferences:
            return _accepted(one, asker)
    if one.best is not None:
        one.since_best += 1
        if one.since_best >= PREFERENCE_TRIES or last:
            return _accepted_still(one, asker)
    return None


def _accepted(one: _Open, asker: Asker | None) -> Written:
    assert one.best is not None
    _, fields, program = one.best
    if asker is not None:
        asker.accept(fields)
    return Written(one.wanted.key, fields, program, one.draws, one.reasons)


def _accepted_still(one: _Open, asker: Asker | None) -> Written | None:
    """The best text, if what was accepted since does not speak against it (`novelty` of the batch)."""
    assert one.best is not None
    violated = one.best[2].violated(one.best[1], asker) if asker is not None else None
    if violated is None:
        return _accepted(one, asker)
    one.reasons[violated] += 1
    one.best, one.since_best = None, 0
    return None


def _result(one: _Open, why: str, asker: Asker | None) -> Written:
    if one.best is not None and (accepted := _accepted_still(one, asker)) is not None:
        return accepted
    return Written(one.wanted.key, None, one.program, one.draws, one.reasons, why)


def _hopeless(tally: _Tally, attempts: int) -> str:
    """Why to go on is no use: the upper end of the exact one-sided interval (Clopper and Pearson 1934) of the share of
    texts that pass lies below one in `attempts`."""
    from scipy.stats import beta

    if tally.draws < attempts or tally.passed >= tally.draws:
        return ""
    upper = float(beta.ppf(CONFIDENCE, tally.passed + 1, tally.draws - tally.passed))
    if upper * attempts >= 1:
        return ""
    return (
        f"{tally.passed} of {tally.draws:,} texts kept every constraint; at most {upper:.2%} ever would "
        f"({CONFIDENCE:.0%} confidence), fewer than one in `generate.attempts` ({attempts})"
    )
