"""A language model as a teacher: it says what the classifier overlooks in each group of HCMs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hcmlang import lang, prompts
from hcmlang.data.records import Hypothesis
from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.base import Call, Completion, Engine, Message
from hcmlang.hashing import content_key, derive_seed
from hcmlang.spec.model import Characterize
from hcmlang.teachers.base import Case
from hcmlang.teachers.hypotheses import Shown, answer_program, finished, shown, triggers_of
from hcmlang.teachers.llm import LLMTeacher

#: The most attempts for one answer if the answers break the program.
ATTEMPTS = LLMTeacher.answer_attempts
#: After this many unusable answers and no usable one, hcmlang stops paying for more.
HOPELESS = 30

_UNUSABLE = {
    "length": "cut at `engine.max_tokens`",
    "refused": "the engine gave up",
    "unkept": "not of the required form",
}


@dataclass(frozen=True)
class _Question:
    """A question for one hypothesis about a group."""

    shown: Shown
    sample: int
    messages: tuple[Message, ...]
    program: lang.BoundProgram

    def hypothesis(self, answer: Mapping[str, str]) -> Hypothesis:
        """The answer as a hypothesis without a name."""
        triggers = (trigger.casefold() for trigger in triggers_of(answer["triggers"]))
        numbers = {int(number) for number in answer["evidence"].split(",")}
        return self.shown.stated("llm", " ".join(answer["statement"].split()), triggers, numbers)


class LanguageModel:
    """See :class:`hcmlang.teachers.base.Teacher`. `engine` is called once there is something to ask."""

    def __init__(self, name: str, engine: Callable[[], Engine]) -> None:
        self._name = name
        self._engine = engine

    def characterize(self, case: Case, config: Characterize) -> list[Hypothesis]:
        """Hypotheses in the order of the groups, at most `per_group` for each.

        Raises :class:`DiagnosticError` if the prompt, or every answer of the model, is unusable.
        """
        if not case.groups:
            return []
        questions = _questions(case, config)
        answers = self._answers(questions, case.seed)
        stated = [question.hypothesis(answer) for question, answer in zip(questions, answers, strict=True) if answer]
        return finished(stated, self._name, case)

    def _answers(self, questions: Sequence[_Question], seed: int) -> list[Mapping[str, str] | None]:
        """The fields of the answer to each question; None if no attempt was usable."""
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
            completions = {completion.key: completion for completion in engine.complete(list(calls.values()))}
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
            message = f"no answer about the mistakes was usable: {count} of {unusable.total()} were {why}"
            hint = (
                f"the teacher `{self._name}` needs a model that follows its prompt, or an engine that enforces programs"
            )
            raise DiagnosticError(Diagnostic("no-answer", message, hint=hint))
        return answers

    def _call(self, question: _Question, seed: int, attempt: int, dialect: lang.Dialect) -> Call:
        own = derive_seed("characterize", seed, self._name, question.sample, attempt)
        turns = [[message.role, message.content] for message in question.messages]
        key = content_key([question.shown.group.id, question.program.program.key, turns, own])
        return Call(key, question.program.compile(lang.Row(own, attempt), dialect), own, question.messages)


def _problem(call: Call, completion: Completion) -> str | None:
    """Why an answer is unusable."""
    if completion.finish != "stop":
        return _UNUSABLE[completion.finish]
    violated = call.program.violated(completion.fields)
    return f"against `{violated}`" if violated else None


def _questions(case: Case, config: Characterize) -> list[_Question]:
    """`per_group` questions for each group."""
    prompt, program = prompts.load("characterize", config.prompt), answer_program()
    questions = []
    for part in shown(case):
        group = part.group
        numbers = [str(number) for number in range(1, len(part.mistakes) + 1)]
        scope: dict[str, lang.Value] = {
            "group.gold": group.gold,
            "group.predicted": group.predicted,
            "group.numbers": numbers,
        }
        bound = program.bind(scope)
        values = part.values | {"group": {"terms": list(group.terms), "summary": group.summary}}
        for sample in range(1, config.per_group + 1):
            turns = prompt.render(values | {"sample": sample})
            messages = tuple(Message(turn.role, turn.content) for turn in turns)
            questions.append(_Question(part, sample, messages, bound))
    return questions
