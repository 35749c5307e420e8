"""The teacher that asks a language model: for each group of HCMs, what the classifier overlooks in them.

Every answer is a record of the program `hypothesis.hcm`. What a model claims is counted in the pool, and answers that say
the same are one hypothesis, whatever group they were given for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hcmlang import lang, prompts
from hcmlang.data.records import Group, Hypothesis
from hcmlang.diagnostics import Diagnostic, DiagnosticError, Origin, Source, has_errors
from hcmlang.engines.base import Call, Completion, Engine, Message
from hcmlang.hashing import content_key, derive_seed
from hcmlang.lang.imports import read_file
from hcmlang.lang.predicates.phrases import find_any
from hcmlang.spec.model import Characterize
from hcmlang.teachers.base import Case
from hcmlang.teachers.features import words_of
from hcmlang.teachers.nearest import right_like

#: Mistakes of a group that are shown, and texts that rightly got the same label.
SHOWN, RIGHT = 20, 8
#: Answers to one question, at most, where the first ones are not what the program allows.
ATTEMPTS = 8
#: Answers of which none could be used, after which no more are paid for.
HOPELESS = 30
#: Two hypotheses of one direction say the same from this share of common triggers on (Jaccard); where one has none, from this
#: share of common words on.
SAME_TRIGGERS, SAME_WORDS = 0.5, 0.6
#: The most triggers of an answer, and of a hypothesis.
MOST_TRIGGERS = 8

_PROGRAM = Path(__file__).with_name("hypothesis.hcm")
_NAMES = {"group.gold": lang.TEXT, "group.predicted": lang.TEXT, "group.numbers": lang.LIST}
#: What is said of an answer that is not complete or not of the program's form.
_UNUSABLE = {
    "length": "cut at `engine.max_tokens`",
    "refused": "the engine gave up",
    "unkept": "not of the form that it was asked for",
}


@dataclass(frozen=True)
class _Question:
    """One hypothesis wanted about a group; `shown` are the pool rows that the model sees, by their numbers less one."""

    group: Group
    sample: int
    shown: tuple[int, ...]
    messages: tuple[Message, ...]
    program: lang.BoundProgram


class LanguageModel:
    """See :class:`hcmlang.teachers.base.Teacher`. `engine` is called once there is something to ask."""

    def __init__(self, name: str, engine: Callable[[], Engine]) -> None:
        self._name = name
        self._engine = engine

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """Hypotheses in the order of the groups, at most `per_group` for each.

        Raises :class:`DiagnosticError` where the prompt cannot be used, or no answer of the model can.
        """
        if not case.groups:
            return []
        questions = _questions(case, config)
        answers = self._answers(questions, case.seed)
        said = [_hypothesis(question, answer) for question, answer in zip(questions, answers, strict=True) if answer]
        counted = Counted(case)
        return [
            counted.checked(replace(one, id=f"{self._name}-{number}", teacher=self._name))
            for number, one in enumerate(merged(said), start=1)
        ]

    def _answers(self, questions: Sequence[_Question], seed: int) -> list[Mapping[str, str] | None]:
        """The fields of the answer to each question; None where no attempt brought one."""
        engine = self._engine()
        answers: list[Mapping[str, str] | None] = [None] * len(questions)
        unusable: Counter[str] = Counter()
        for attempt in range(ATTEMPTS):
            calls = {
                number: self._call(question, seed, attempt, engine.dialect)
                for number, question in enumerate(questions)
                if answers[number] is None
            }
            if not calls:
                break
            completions = {one.key: one for one in engine.complete(list(calls.values()))}
            errors = []
            for number, call in calls.items():
                completion = completions[call.key]
                problem = _problem(call, completion)
                if problem is None:
                    answers[number] = completion.fields
                else:
                    unusable[problem] += 1
                    errors += [completion.error] if completion.error is not None else []
            if attempt == 0 and len(errors) == len(calls):
                raise DiagnosticError(errors[0])
            if not any(answers) and unusable.total() >= HOPELESS:
                break
        if not any(answers):
            why, count = unusable.most_common(1)[0]
            message = f"no answer about the mistakes could be used: {count} of {unusable.total()} were {why}"
            hint = f"the teacher `{self._name}` needs a model that follows its prompt, or an engine that keeps programs"
            raise DiagnosticError(Diagnostic("no-answer", message, hint=hint))
        return answers

    def _call(self, question: _Question, seed: int, attempt: int, dialect: lang.Dialect) -> Call:
        own = derive_seed("characterize", seed, self._name, question.sample, attempt)
        told = [[message.role, message.content] for message in question.messages]
        key = content_key([question.group.id, question.program.program.key, told, own])
        return Call(key, question.program.compile(lang.Row(own, attempt), dialect), own, question.messages)


def _problem(call: Call, completion: Completion) -> str | None:
    """Why an answer cannot be used."""
    if completion.finish != "stop":
        return _UNUSABLE[completion.finish]
    violated = call.program.violated(completion.fields)
    return f"against `{violated}`" if violated else None


# ------------------------------------------------------------------------------------------------------------ questions


def answer_program() -> lang.Program:
    """The program of the answers."""
    text = read_file(_PROGRAM)
    program, found = lang.analyse(text, Origin(Source(str(_PROGRAM), text)), _NAMES)
    if program is None or has_errors(found):
        raise DiagnosticError(found)
    return program


def _questions(case: Case, config: Characterize) -> list[_Question]:
    """`per_group` questions for each group. They depend on the pool, the scores and the groups alone."""
    prompt, program = prompts.load("characterize", config.prompt), answer_program()
    found = []
    for group, right in zip(case.groups, right_like(case, RIGHT), strict=True):
        shown = central(case, group)[:SHOWN]
        numbers = [str(number) for number in range(1, len(shown) + 1)]
        scope: dict[str, lang.Value] = {
            "group.gold": group.gold,
            "group.predicted": group.predicted,
            "group.numbers": numbers,
        }
        bound = program.bind(scope)
        values = {
            "labels": list(case.pool.labels),
            "fields": list(case.pool.fields),
            "gold": group.gold,
            "predicted": group.predicted,
            "mistakes": [{"number": n, **as_shown(case, row)} for n, row in enumerate(shown, start=1)],
            "right": [as_shown(case, row) for row in right],
            "group": {"terms": list(group.terms), "summary": group.summary},
        }
        for sample in range(1, config.per_group + 1):
            turns = prompt.render(values | {"sample": sample})
            told = tuple(Message(turn.role, turn.content) for turn in turns)
            found.append(_Question(group, sample, tuple(shown), told, bound))
    return found


def central(case: Case, group: Group) -> list[int]:
    """The group's rows, those with most of its telling words first; among equals in the group's order."""
    terms = frozenset(group.terms)
    texts = case.pool.take(group.rows).joined("\n")
    count = {row: len(terms.intersection(words_of(text))) for row, text in zip(group.rows, texts, strict=True)}
    return sorted(group.rows, key=lambda row: -count[row])


def rightly(case: Case, predicted: str) -> np.ndarray:
    """The pool rows that rightly got this prediction."""
    label = case.pool.labels.index(predicted)
    return np.flatnonzero((case.scores.argmax(axis=1) == label) & (case.pool.y == label))


def as_shown(case: Case, row: int) -> dict[str, object]:
    columns = zip(case.pool.fields, case.pool.columns, strict=True)
    texts = {name: prompts.one_line(column[row]) for name, column in columns}
    return {"texts": texts, "confidence": round(float(case.scores[row].max()), 2)}


# -------------------------------------------------------------------------------------------------------------- answers


def _hypothesis(question: _Question, answer: Mapping[str, str]) -> Hypothesis:
    """An answer as a hypothesis that has no name yet."""
    phrases = (" ".join(phrase.split()) for phrase in answer["triggers"].split(","))
    triggers = {phrase.casefold(): phrase for phrase in phrases if any(map(str.isalnum, phrase))}
    numbers = {int(number) for number in answer["evidence"].split(",")}
    return Hypothesis(
        id="",
        teacher="",
        statement=" ".join(answer["statement"].split()),
        gold=question.group.gold,
        predicted=question.group.predicted,
        kind="llm",
        triggers=tuple(triggers),
        evidence=tuple(sorted(question.shown[number - 1] for number in numbers)),
        group=question.group.id,
        statistics={"answers": 1},
    )


def merged(said: Iterable[Hypothesis]) -> list[Hypothesis]:
    """Hypotheses that say the same as one: the first one's statement, the evidence of all, the triggers that most of them name;
    `answers` counts them."""
    alike: list[list[Hypothesis]] = []
    for one in said:
        same = next((those for those in alike if _say_the_same(one, those[0])), None)
        if same is None:
            alike.append([one])
        else:
            same.append(one)
    return [_joined(those) for those in alike]


def _joined(those: Sequence[Hypothesis]) -> Hypothesis:
    first = those[0]
    if len(those) == 1:
        return first
    named = Counter(trigger.casefold() for one in those for trigger in one.triggers)
    spelled = {trigger.casefold(): trigger for one in reversed(those) for trigger in one.triggers}
    return replace(
        first,
        triggers=tuple(spelled[trigger] for trigger, _ in named.most_common(MOST_TRIGGERS)),
        evidence=tuple(sorted({row for one in those for row in one.evidence})),
        statistics={"answers": sum(one.statistics["answers"] for one in those)},
    )


def _say_the_same(one: Hypothesis, other: Hypothesis) -> bool:
    """Whether two hypotheses are one. The triggers tell, since texts are written with them: sentences that differ in
    one word, such as "Rows with ... are misread", may be about different things. Sentences of the same words are one
    whatever their triggers."""
    if (one.gold, one.predicted) != (other.gold, other.predicted):
        return False
    words = _shared(words_of(one.statement), words_of(other.statement))
    if words == 1:
        return True
    if one.triggers and other.triggers:
        return _shared(map(str.casefold, one.triggers), map(str.casefold, other.triggers)) >= SAME_TRIGGERS
    return words >= SAME_WORDS


def _shared(one: Iterable[str], other: Iterable[str]) -> float:
    first, second = set(one), set(other)
    return len(first & second) / max(1, len(first | second))


class Counted:
    """What hypotheses claim, counted in the pool."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def checked(self, hypothesis: Hypothesis) -> Hypothesis:
        """The hypothesis with its group, that with most of its evidence, and how often its triggers occur: in the HCMs of
        its direction (`hcms`) and those of its group (`group_hcms`), and in rows that rightly got the same prediction
        (`others`). Without triggers there is nothing to count."""
        groups = [
            group
            for group in self._case.groups
            if (group.gold, group.predicted) == (hypothesis.gold, hypothesis.predicted)
        ]
        home = max(groups, key=lambda group: len(set(group.rows).intersection(hypothesis.evidence)))
        statistics = dict(hypothesis.statistics)
        if hypothesis.triggers:
            errors = [row for group in groups for row in group.rows]
            right = rightly(self._case, hypothesis.predicted)
            hcms, others = self._with(hypothesis, errors), self._with(hypothesis, right)
            statistics |= {
                "hcms": hcms,
                "of_hcms": len(errors),
                "rate": round(hcms / len(errors), 4),
                "group_hcms": self._with(hypothesis, home.rows),
                "of_group": len(home.rows),
                "others": others,
                "of_others": len(right),
                "other_rate": round(others / max(1, len(right)), 4),
            }
        return replace(hypothesis, group=home.id, statistics=statistics)

    def _with(self, hypothesis: Hypothesis, rows: Sequence[int] | np.ndarray) -> int:
        """How many of the rows contain a trigger."""
        find = find_any(hypothesis.triggers)
        return sum(map(find, self._case.pool.take(rows).joined("\n")))
