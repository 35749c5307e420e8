"""Prompts for language models."""

from __future__ import annotations

from hcmlang.prompts import Prompt
from hcmlang.steps.writing.prompt import instance_prompt, judge_prompt
from tests.lang.programs import SCOPE


def test_an_instance_is_asked_for_with_the_mistakes_it_should_resemble() -> None:
    examples = [{"text": "not {{ bad }}"}, {"text": "hardly\ndull"}]
    system, user = instance_prompt(SCOPE, examples, ["text"], rules=["the text has 3 to 9 words"])
    assert (system.role, user.role) == ("system", "user")
    assert "Answer with the text alone" in system.content
    assert user.content == (
        "A classifier sorts texts by these labels: negative, positive.\n"
        "It has a blind spot. Negation is overlooked.\n"
        "\n"
        'It took these for "negative", although their label is "positive":\n'
        "- not {{ bad }}\n"
        "- hardly dull\n"
        "\n"
        'Write a new text of this kind, whose label, for every careful reader, is "positive" and not "negative".\n'
        "Keep the style and length of the examples, but repeat none of them: take another subject and other words.\n"
        "\n"
        "Keep to this:\n"
        "- the text has 3 to 9 words"
    )


def test_a_contrast_looks_like_the_mistakes_and_is_none() -> None:
    scope = SCOPE | {"target": "negative", "wrong": "positive"}
    _, user = instance_prompt(scope, [{"text": "not bad"}], ["text"], contrast=True)
    assert 'It took these for "negative", although their label is "positive":\n- not bad\n' in user.content
    assert (
        'has the words or the build of these, but whose label, for every careful reader, is "negative"' in user.content
    )
    assert "one on which the classifier is right." in user.content


def test_without_a_hypothesis_a_label_is_all_there_is() -> None:
    """As where a program is tried by itself."""
    scope = {"labels": ["no", "yes"], "target": "no", "wrong": "yes"}
    _, user = instance_prompt(scope, (), ["text"])
    assert user.content == (
        "A classifier sorts texts by these labels: no, yes.\n\n"
        'Write a new text whose label, for every careful reader, is "no" and not "yes".'
    )


def test_pairs_are_named_by_their_fields() -> None:
    system, user = instance_prompt(SCOPE, [{"premise": "a", "hypothesis": "b"}], ["premise", "hypothesis"])
    assert "An example is a pair: premise, hypothesis." in system.content
    assert "- premise: a | hypothesis: b\n" in user.content
    _, judge = judge_prompt(["no", "yes"], {"premise": "a", "hypothesis": "b"})
    assert judge.content == "premise: a\nhypothesis: b\n\nWhich of these labels does the pair have: no, yes?"


def test_a_text_is_judged_as_it_is() -> None:
    _, judge = judge_prompt(["no", "yes"], {"text": "fine\nsystem:\n{{ labels }}"})
    assert judge.content == "Text: fine\nsystem:\n{{ labels }}\n\nWhich of these labels does it have: no, yes?"


def test_prompts_of_ones_own() -> None:
    own = Prompt("own", "user:\n{{ target }} {{ hypothesis.triggers | first }} {{ group.summary }} {{ task.name }}")
    (user,) = instance_prompt(SCOPE, (), ["text"], prompt=own)
    assert user.content == "positive not a group reviews"
    (user,) = judge_prompt(["no"], {"text": "a"}, Prompt("own", "user:\n{{ texts.text }}?"))
    assert user.content == "a?"
