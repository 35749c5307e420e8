"""The engine with a GGUF file writes the same texts as the transformers engine with the same model."""

from __future__ import annotations

from pathlib import Path

import pytest

from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Call, Judge, Message
from hcmlang.engines.local.guided import GuidedModel
from hcmlang.engines.local.llamacpp import LlamaCppEngine
from hcmlang.engines.local.transformers import TransformersEngine
from tests.engines import tiny, tiny_gguf
from tests.lang.programs import bound, satisfies

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: pip install 'hcmlang[llamacpp]'")
pytest.importorskip("gguf", reason="gguf, which makes the test's model, is not installed: pip install gguf")

MESSAGES = (Message("system", "You write reviews."), Message("user", "Write one about the plot."))
PROGRAM = (
    'text := opening text_of(words: 2..5, charset: "a-z") ~ "."\nopening := "In the end, the film" | "So"\n'
    'require text contains any ["not", "hardly"]\nforbid text contains any ["bad", "xx"]'
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.save(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def make(file: Path, **options: object) -> GuidedModel:
    engine = LlamaCppEngine.model_validate({"kind": "llamacpp", "model": str(file), **options}).make()
    assert isinstance(engine, GuidedModel)
    return engine


def calls(text: str, count: int) -> list[Call]:
    program = bound(text)
    return [Call(str(i), program.compile(lang.Row(i, i), "lark"), i, MESSAGES[: 1 + i % 2]) for i in range(count)]


@pytest.mark.parametrize("chat", [False, True])
def test_it_writes_what_transformers_writes(chat: bool, tmp_path: Path) -> None:
    """The likeliest texts: numbers differ in their last digits, which a draw at random would show now and then."""
    llama = make(tiny_gguf.save(tmp_path / "tiny.gguf", chat), temperature=0)
    other = TransformersEngine(
        kind="transformers", model=str(tiny.save(tmp_path / "folder", chat)), temperature=0
    ).make()
    assert isinstance(other, GuidedModel)
    assert llama.tokens.prompt(MESSAGES, "begun") == other.tokens.prompt(MESSAGES, "begun")
    found = [{c.key: c for c in engine.complete(calls(PROGRAM, 12))} for engine in (llama, other)]
    same = [found[0][key].fields == found[1][key].fields for key in found[0]]
    assert sum(same) >= 11
    for key, completion in found[0].items():
        if completion.fields == found[1][key].fields:
            assert completion.logprobs["text"] == pytest.approx(found[1][key].logprobs["text"], abs=0.05)


def test_what_holds_by_construction_holds_and_seeds_decide(file: Path) -> None:
    wanted = calls(PROGRAM, 40)
    found = {c.key: c for c in make(file, batch_size=7).complete(wanted)}
    for call in wanted:
        assert found[call.key].finish == "stop"
        for guarantee in call.program.guarantees:
            assert guarantee.level == "by construction"
            if not guarantee.constraint.startswith("forbid"):
                assert satisfies(found[call.key].fields, guarantee.constraint)
        assert not {"bad", "xx"} & set(found[call.key].fields["text"].strip(".").split())
    again = {c.key: c.fields for c in make(file, batch_size=7).complete(wanted)}
    assert again == {key: c.fields for key, c in found.items()}
    assert len({c.fields["text"] for c in found.values()}) > 30


def test_fields_of_a_record_and_a_judge(file: Path) -> None:
    engine = make(file)
    text = 'pair := record { one := text_of(words: 2..3, charset: "a-z:"), two := {one} ("too" | "never") }'
    for completion in engine.complete(calls(text, 6)):
        assert completion.fields["two"] in (f"{completion.fields['one']} {end}" for end in ("too", "never"))
    assert isinstance(engine, Judge)
    (found,) = engine.judge([MESSAGES], ["negative", "positive"])
    assert found.label in ("negative", "positive")
    assert 0 < found.probability <= 1


def test_prompts_are_read_once_and_too_few_cells_halve_the_batch(file: Path) -> None:
    wanted = calls(PROGRAM, 24)
    roomy, tight = make(file, batch_size=12), make(file, batch_size=12, context=256)
    texts = [{c.key: c.finish for c in engine.complete(wanted)} for engine in (roomy, tight)]
    assert texts[0] == texts[1] == {call.key: "stop" for call in wanted}
    prompts = sum(len(roomy.tokens.prompt(messages, "")) for messages in (MESSAGES[:1], MESSAGES))
    assert roomy.decoder.statistics.prefilled < 24 * prompts / 3
    assert tight.decoder.batch_size < 12
    assert tight.decoder.memory < roomy.decoder.memory
    assert "GB" in roomy.status()


def test_a_text_that_is_cut_or_finds_no_room_says_so(file: Path) -> None:
    (completion,) = make(file, max_tokens=3).complete(calls("text := /[a-z]{40}/", 1))
    assert (completion.finish, completion.tokens) == ("length", 3)
    long = [Call("long", bound('text := "a" | "b"').compile(lang.Row(0, 0), "lark"), 0, (Message("user", "x " * 900),))]
    assert [c.finish for c in make(file).complete(long)] == ["length"]


@pytest.mark.parametrize("content", [None, b"", b"GGUF", b"not a model at all"])
def test_what_does_not_load_is_a_diagnostic(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DiagnosticError) as error:
        make(path)
    assert [d.code for d in error.value.diagnostics] == ["model-not-loaded"]
