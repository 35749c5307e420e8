"""The prompts that ask a language model to write or to judge an instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hcmlang import lang
from hcmlang.engines.base import Message
from hcmlang.prompts import Prompt, Turn, load, nested, one_line


def instance_prompt(
    scope: Mapping[str, lang.Value],
    examples: Sequence[Mapping[str, str]],
    fields: Sequence[str],
    *,
    rules: Sequence[str] = (),
    contrast: bool = False,
    prompt: Prompt | None = None,
) -> tuple[Message, ...]:
    """The prompt for one instance with these fields: what the classifier gets wrong, examples by field, the label to write, and
    the constraints on the text (`rules`). Unknown values may be missing in `scope`."""
    known = lang.default_names(scope["labels"])
    values = nested({name: [] if kind.is_list else "" for name, kind in known.items()} | dict(scope))
    values |= {
        "fields": list(fields),
        "examples": [{name: one_line(text) for name, text in example.items()} for example in examples],
        "rules": list(rules),
        "contrast": contrast,
    }
    return messages((prompt or load("instances")).render(values))


def judge_prompt(labels: Sequence[str], fields: Mapping[str, str], prompt: Prompt | None = None) -> tuple[Message, ...]:
    """The prompt that asks for the label of a text."""
    values = {"labels": list(labels), "fields": list(fields), "texts": dict(fields)}
    return messages((prompt or load("judge")).render(values))


def messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """A rendered prompt as messages for an engine."""
    return tuple(Message(turn.role, turn.content) for turn in turns)
