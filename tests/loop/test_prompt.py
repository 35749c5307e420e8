"""What a language model is told."""

from __future__ import annotations

from hcmlang.loop.prompt import instance_prompt, judge_prompt
from tests.lang.programs import SCOPE


def test_an_instance_is_asked_for_with_the_mistakes_it_should_resemble() -> None:
    _, user = instance_prompt(SCOPE, [{"text": "not {{ bad }}"}, {"text": "hardly dull"}], ["text"])
    assert user.content == (
        "A classifier tells these labels apart: negative, positive.\n"
        "It has a weakness: Negation is overlooked.\n"
        "Texts that it took for `negative`, though they are `positive`:\n"
        "- not {{ bad }}\n"
        "- hardly dull\n"
        "Write another text of this kind whose label is `positive`."
    )


def test_pairs_are_named_by_their_columns() -> None:
    _, user = instance_prompt(SCOPE, [{"premise": "a", "hypothesis": "b"}], ["premise", "hypothesis"])
    assert "- premise: a; hypothesis: b\nWrite another pair of texts (premise, hypothesis) of this kind" in user.content
    _, judge = judge_prompt(["no", "yes"], {"premise": "a", "hypothesis": "b"})
    assert judge.content == "- premise: a; hypothesis: b\n\nWhich label is right: no, yes?"
