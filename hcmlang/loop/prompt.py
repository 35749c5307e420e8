"""What a language model is told when it writes an instance, or judges one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hcmlang.engines.base import Message

_WRITER = (
    "You write test data for text classifiers: short, natural texts, each with a given label, each unlike the others. "
    "Answer with the text alone."
)
_JUDGE = "You label texts. Answer with the label alone."


def instance_prompt(
    scope: Mapping[str, str | list[str]], examples: Sequence[Mapping[str, str]], columns: Sequence[str]
) -> tuple[Message, ...]:
    """The conversation for one instance of a hypothesis: what the classifier gets wrong, examples of it, and the label
    that is wanted."""
    labels = ", ".join(scope["labels"])
    parts = [f"A classifier tells these labels apart: {labels}."]
    if scope["hypothesis.statement"]:
        parts.append(f"It has a weakness: {scope['hypothesis.statement']}")
    if examples:
        parts.append("Texts that it took for `{}`, though they are `{}`:".format(scope["wrong"], scope["target"]))
        parts += [_shown(example, columns) for example in examples]
    what = "text" if len(columns) == 1 else "pair of texts (" + ", ".join(columns) + ")"
    parts.append(f"Write another {what} of this kind whose label is `{scope['target']}`.")
    return Message("system", _WRITER), Message("user", "\n".join(parts))


def judge_prompt(labels: Sequence[str], fields: Mapping[str, str]) -> tuple[Message, ...]:
    """The conversation in which a text is labelled."""
    text = _shown(fields, tuple(fields))
    question = f"{text}\n\nWhich label is right: {', '.join(labels)}?"
    return Message("system", _JUDGE), Message("user", question)


def _shown(fields: Mapping[str, str], columns: Sequence[str]) -> str:
    if len(columns) == 1:
        return f"- {fields[columns[0]]}"
    return "- " + "; ".join(f"{name}: {fields[name]}" for name in columns)
