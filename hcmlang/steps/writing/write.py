"""Write texts: an engine writes, constraints that it does not enforce are checked, and texts that fail are written again.

Open requests are written in waves, so that engines and classifiers see batches.
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
from hcmlang.progress import Advance, nothing_to_show
from hcmlang.steps.writing.external import ExternalPredicates

#: The text that keeps most preferences is chosen among so many.
PREFERENCE_TRIES = 5
#: Why a text is not complete.
_UNFINISHED = {
    "length": "engine.max_tokens",
    "refused": "the engine gave up",
    "unkept": "the server did not keep the program's rules",
}
#: Seconds between two reports of progress.
_REPORT_EVERY = 0.25
#: Of the interval for the share of texts that pass.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class TextRequest:
    """A text to write. Requests of one `group`, for the same hypothesis and program, are given up together."""

    key: str
    group: str
    program: BoundProgram
    seed: int
    index: int
    messages: tuple[Message, ...] = ()
    """The prompt, for engines with a language model."""


@dataclass(frozen=True)
class TextResult:
    """The result of a request: the texts by field, or None with the reasons."""

    key: str
    fields: Mapping[str, str] | None
    program: CompiledProgram
    draws: int
    """Texts written for it, the accepted one included."""
    reasons: Mapping[str, int]
    """How many texts each constraint (its source) refused."""
    hopeless: str = ""
    """Why the group was given up, if it was."""
    objection: tuple[str, str] | None = None
    """Why people refused it: reason and detail."""

    @property
    def failure(self) -> str:
        """The constraint that refused most texts."""
        worst = max(self.reasons, key=lambda reason: self.reasons[reason], default="")
        return f"`{worst}` failed in {self.reasons.get(worst, 0)} of {self.draws} draws"


@dataclass
class _Open:
    request: TextRequest
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
    """Reports progress a few times a second."""

    def __init__(self, engine: Engine, advance: Advance, tallies: Mapping[str, _Tally]) -> None:
        self._engine = engine
        self._advance = advance
        self._tallies = tallies
        self._started = self._reported = time.monotonic()
        self._texts = self._tokens = self._done = 0

    def seen(self, completion: Completion) -> None:
        """Count a text."""
        self._texts += 1
        self._tokens += completion.tokens
        if time.monotonic() - self._reported >= _REPORT_EVERY:
            self.report()

    def done(self) -> None:
        """Count a request that is done."""
        self._done += 1

    def report(self) -> None:
        """Report texts, the share of tested ones that passed, tokens a second, and the engine's status."""
        self._reported = now = time.monotonic()
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
    requests: Sequence[TextRequest],
    attempts: int,
    external: ExternalPredicates | None,
    advance: Advance = nothing_to_show,
) -> Iterator[TextResult]:
    """Write a text for every request, within `attempts` draws each. Results come in the order in which they are known.

    A group is given up as soon as, with 95% confidence, less than one text in `attempts` would pass: then most of its requests
    would fail anyway. `external` evaluates predicates that need a corpus or the classifier.

    Raises :class:`DiagnosticError` if the engine can use none of the grammars.
    """
    waiting = [_Open(one, one.program.compile(_row(one, 0), engine.dialect)) for one in requests]
    tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
    watch = _Watch(engine, advance, tallies)
    for attempt in range(attempts):
        if attempt:
            for one in waiting:
                one.program = one.request.program.compile(_row(one.request, attempt), engine.dialect)
        last = attempt == attempts - 1
        left: list[_Open] = []
        for one, done in _wave(engine, waiting, attempt, last, external, tallies, watch):
            if done is None:
                left.append(one)
            else:
                watch.done()
                yield done
        given_up = {group: why for group, tally in tallies.items() if (why := _hopeless(tally, attempts))}
        waiting = []
        for one in left:
            why = given_up.get(one.request.group, "")
            if why or last:
                watch.done()
                yield _result(one, why, external)
            else:
                waiting.append(one)
        watch.report()
        if not waiting:
            return


def _wave(
    engine: Engine,
    waiting: Sequence[_Open],
    attempt: int,
    last: bool,
    external: ExternalPredicates | None,
    tallies: Mapping[str, _Tally],
    watch: _Watch,
) -> Iterator[tuple[_Open, TextResult | None]]:
    """Write and test one text for each request; yields the result of each, or None if it needs another text, in order."""
    by_key = {one.request.key: one for one in waiting}
    calls = [
        Call(key, one.program, derive_seed(one.request.seed, attempt), one.request.messages)
        for key, one in by_key.items()
    ]
    # Texts that are not compared with each other are tested as they come.
    at_once = not any(_with_needs(one.program) for one in waiting)
    completions: dict[str, Completion] = {}
    tested: dict[str, TextResult | None] = {}
    for completion in engine.complete(calls):
        key = completion.key
        completions[key] = completion
        if at_once:
            tested[key] = _test(by_key[key], completion, external, tallies[by_key[key].request.group], last)
        watch.seen(completion)
    _refused(completions.values(), attempt)
    _prepare(waiting, completions, external)
    for key, one in by_key.items():
        if not at_once:
            tested[key] = _test(one, completions[key], external, tallies[one.request.group], last)
        yield one, tested[key]


def _row(request: TextRequest, attempt: int) -> Row:
    """Each attempt takes another phrase and place, so that it does not repeat a choice that failed."""
    return Row(derive_seed("row", request.seed, attempt), request.index + attempt)


def _refused(completions: Collection[Completion], attempt: int) -> None:
    """A program that the engine cannot use at all is an error; a single text may fail and be tried again."""
    errors = [completion.error for completion in completions if completion.error is not None]
    if attempt == 0 and errors and len(errors) == len(completions):
        raise DiagnosticError(errors[0])


def _with_needs(program: CompiledProgram) -> list[Predicate]:
    return [one for residual in program.residuals for one in predicates_in(residual.formula) if one.needed]


def _prepare(
    waiting: Sequence[_Open], completions: Mapping[str, Completion], external: ExternalPredicates | None
) -> None:
    """Texts that need the classifier or a judge, and pass all cheaper tests, go there in a batch."""
    if external is None:
        return
    classified: list[Mapping[str, str]] = []
    judged: list[tuple[Mapping[str, str], Predicate]] = []
    for one in waiting:
        completion = completions[one.request.key]
        predicates = _with_needs(one.program)
        if not predicates or completion.finish != "stop" or one.program.violated(completion.fields) is not None:
            continue
        for predicate in predicates:
            if "judge" in predicate.needed:
                judged.append((completion.fields, predicate))
            elif "classifier" in predicate.needed:
                classified.append(completion.fields)
    if classified:
        external.prepare(classified)
    if judged:
        external.prepare_judge([fields for fields, _ in judged], judged[0][1].span)


def _test(
    one: _Open, completion: Completion, external: ExternalPredicates | None, tally: _Tally, last: bool
) -> TextResult | None:
    """Test a text; returns the result if the request needs no other text."""
    one.draws += 1
    tally.draws += 1
    fields = completion.fields
    violated = _UNFINISHED.get(completion.finish) or one.program.violated(fields)
    if violated is None and external is not None:
        violated = one.program.violated(fields, external)
    if violated is not None:
        one.reasons[violated] += 1
    else:
        tally.passed += 1
        preferences = sum(residual.preferred for residual in one.program.residuals)
        kept = one.program.kept_preferences(fields, external)
        if one.best is None or kept > one.best[0]:
            one.best = (kept, fields, one.program)
        if kept == preferences:
            return _accepted(one, external)
    if one.best is not None:
        one.since_best += 1
        if one.since_best >= PREFERENCE_TRIES or last:
            return _accepted_still(one, external)
    return None


def _accepted(one: _Open, external: ExternalPredicates | None) -> TextResult:
    assert one.best is not None
    _, fields, program = one.best
    if external is not None:
        external.accept(fields)
    return TextResult(one.request.key, fields, program, one.draws, one.reasons)


def _accepted_still(one: _Open, external: ExternalPredicates | None) -> TextResult | None:
    """The best text, if it is still novel compared with the texts accepted since."""
    assert one.best is not None
    violated = one.best[2].violated(one.best[1], external) if external is not None else None
    if violated is None:
        return _accepted(one, external)
    one.reasons[violated] += 1
    one.best, one.since_best = None, 0
    return None


def _result(one: _Open, why: str, external: ExternalPredicates | None) -> TextResult:
    if one.best is not None and (accepted := _accepted_still(one, external)) is not None:
        return accepted
    return TextResult(one.request.key, None, one.program, one.draws, one.reasons, why)


def _hopeless(tally: _Tally, attempts: int) -> str:
    """Why another attempt would be useless, if so: the upper end of the exact one-sided interval (Clopper and Pearson 1934) for
    the share of texts that pass is below one in `attempts`."""
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
