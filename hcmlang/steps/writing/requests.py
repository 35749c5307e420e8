"""Requests for instances: which texts a step wants for its hypotheses, and how a text becomes an instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hcmlang import lang, prompts
from hcmlang.data.records import Group, Hypothesis, Instance
from hcmlang.data.table import Table
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Message
from hcmlang.hashing import derive_seed
from hcmlang.steps.base import Schema
from hcmlang.steps.writing.prompt import instance_prompt
from hcmlang.steps.writing.write import TextRequest, TextResult

#: Confident mistakes that a prompt for an instance shows.
EXAMPLES = 4
#: What instances are for: training, controls with the other label, or the test of a hypothesis.
Purpose: TypeAlias = Literal["generate", "contrast", "probe"]


@dataclass(frozen=True)
class InstanceRequest:
    """An instance to write for a hypothesis: its label, the name of the program, and the examples to show."""

    hypothesis: Hypothesis
    label: str
    program: str
    text: TextRequest
    examples: Sequence[Mapping[str, str]] = ()

    def instance(self, result: TextResult, columns: Sequence[str]) -> Instance:
        """The text that was written, as a row of the task with these columns."""
        assert result.fields is not None
        names = in_order_of(columns, tuple(result.fields))
        texts = {column: result.fields[name] for column, name in zip(columns, names, strict=True)}
        guarantees = tuple(f"{g.constraint} ({g.level})" for g in result.program.guarantees)
        hypothesis = self.hypothesis
        return Instance(texts, self.label, hypothesis.id, self.text.seed, guarantees, self.program, hypothesis.teacher)


def in_order_of(columns: Sequence[str], fields: Sequence[str]) -> tuple[str, ...]:
    """A program's fields in the order of the task's columns: by name, or by position if no name agrees."""
    return tuple(columns) if set(columns) == set(fields) else tuple(fields)


@dataclass(frozen=True)
class PromptBuilder:
    """Builds the prompt for an instance. Without a prompt, for engines that have no model, it builds none."""

    columns: tuple[str, ...]
    prompt: prompts.Prompt | None

    def build(
        self,
        program: lang.BoundProgram,
        rules: Sequence[str],
        scope: Mapping[str, lang.Value],
        examples: Sequence[Mapping[str, str]],
        contrast: bool,
    ) -> tuple[Message, ...]:
        if self.prompt is None:
            return ()
        # The prompt names the texts as the program does.
        fields = in_order_of(self.columns, program.program.fields)
        named = [{field: one[column] for column, field in zip(self.columns, fields, strict=True)} for one in examples]
        return instance_prompt(scope, named, fields, rules=rules, contrast=contrast, prompt=self.prompt)


def requests_for(
    hypothesis: Hypothesis,
    scopes: Sequence[dict[str, lang.Value]],
    count: int,
    purpose: Purpose,
    *,
    programs: Mapping[str, lang.Program],
    seed: int,
    prompt: PromptBuilder,
) -> tuple[list[InstanceRequest], list[str]]:
    """Requests for `count` instances of a hypothesis, and why some programs cannot write them. In a `contrast` the classifier
    is right: target and wrong label change places."""
    contrast = purpose == "contrast"
    if contrast:
        scopes = [scope | {"target": hypothesis.predicted, "wrong": hypothesis.gold} for scope in scopes]
    usable, refusals = _usable(programs, scopes[0]) if count else ({}, [])
    bound = {(name, 0): program for name, program in usable.items()}
    rules: dict[tuple[str, int], list[str]] = {}
    mark = "" if purpose == "generate" else f"/{purpose}"
    requests = []
    for index in range(count if usable else 0):
        # Programs take turns, and so do the examples in programs that use one.
        name = list(usable)[index % len(usable)]
        number = index // len(usable)
        example = number % len(scopes) if _uses_example(programs[name]) else 0
        if (name, example) not in bound:
            bound[name, example] = programs[name].bind(scopes[example])
        program = bound[name, example]
        if prompt.prompt is not None and (name, example) not in rules:
            rules[name, example] = prompts.in_words(program)
        examples = _examples(scopes, index)
        text = TextRequest(
            key=f"{hypothesis.id}{mark}/{index}",
            group=f"{hypothesis.id}/{name}{mark}",
            program=program,
            seed=derive_seed(purpose, seed, hypothesis.teacher, hypothesis.id, index),
            index=number,
            messages=prompt.build(program, rules.get((name, example), ()), scopes[example], examples, contrast),
        )
        requests.append(InstanceRequest(hypothesis, str(scopes[0]["target"]), name, text, examples))
    return requests, refusals


def _usable(
    programs: Mapping[str, lang.Program], scope: Mapping[str, lang.Value]
) -> tuple[dict[str, lang.BoundProgram], list[str]]:
    """The programs that can write for a hypothesis, and why the others cannot."""
    usable: dict[str, lang.BoundProgram] = {}
    refusals: list[str] = []
    for name, program in programs.items():
        try:
            usable[name] = program.bind(scope)
        except DiagnosticError as error:
            refusals += [d.message for d in error.diagnostics]
    return usable, refusals


def _uses_example(program: lang.Program) -> bool:
    return any(name.startswith("example.") for name in program.names)


def scopes_of(
    hypothesis: Hypothesis, group: Group | None, schema: Schema, name: str, pool: Table
) -> list[dict[str, lang.Value]]:
    """The values that programs see, once for each example of the hypothesis."""
    scope = scope_of(hypothesis, group, list(schema.labels), name)
    rows = hypothesis.evidence or (group.rows if group else ())
    columns = zip(pool.fields, pool.columns, strict=True)
    texts = {f"example.{name}": [column[row] for row in rows] for name, column in columns}
    # Without a row there is no example, and programs that use one cannot write.
    return [scope | {name: column[number] for name, column in texts.items()} for number in range(len(rows))] or [scope]


def _examples(scopes: Sequence[Mapping[str, lang.Value]], index: int) -> list[dict[str, str]]:
    """Some of a hypothesis's confident mistakes, different ones for each instance."""
    return [
        texts
        for number in range(min(EXAMPLES, len(scopes)))
        if (texts := dict(_example_texts(scopes[(index + number) % len(scopes)])))
    ]


def _example_texts(scope: Mapping[str, lang.Value]) -> Iterator[tuple[str, str]]:
    for key, text in scope.items():
        if key.startswith("example."):
            yield key.removeprefix("example."), str(text)


def scope_of(hypothesis: Hypothesis, group: Group | None, labels: list[str], name: str) -> dict[str, lang.Value]:
    """The values that a program sees: it writes texts of the hypothesis's gold label, `target`, which the classifier takes for
    `wrong`."""
    return {
        "labels": list(labels),
        "task.name": name,
        "target": hypothesis.gold,
        "wrong": hypothesis.predicted,
        "hypothesis.id": hypothesis.id,
        "hypothesis.statement": hypothesis.statement,
        "hypothesis.gold": hypothesis.gold,
        "hypothesis.predicted": hypothesis.predicted,
        "hypothesis.kind": hypothesis.kind,
        "hypothesis.triggers": list(hypothesis.triggers),
        "group.terms": list(group.terms) if group else [],
        "group.summary": group.summary if group else "",
    }
