"""The engine with a local model: from a folder to texts of a program's fields."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.base import Call, Judge, Message
from hcmlang.engines.local.guided import GuidedModel
from hcmlang.engines.local.hub_model import HubTokens
from hcmlang.engines.local.transformers import TransformersEngine
from tests.engines import tiny
from tests.lang.programs import bound

MESSAGES = (Message("system", "You write reviews."), Message("user", "Write one about {{ braces }} and <eos>."))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model"))


def make(folder: Path, **options: object) -> GuidedModel:
    engine = TransformersEngine.model_validate({"kind": "transformers", "model": str(folder), **options}).make()
    assert isinstance(engine, GuidedModel)
    return engine


def calls(text: str, count: int) -> list[Call]:
    program = bound(text)
    return [Call(str(i), program.compile(lang.Row(i, i), "lark"), i, MESSAGES) for i in range(count)]


def test_fields_of_a_record_are_recovered_exactly(folder: Path) -> None:
    text = 'pair := record { one := text_of(words: 2..3, charset: "a-z:"), two := {one} ("too" | "never") }'
    for completion in make(folder).complete(calls(text, 8)):
        one, two = completion.fields["one"], completion.fields["two"]
        assert two in (f"{one} too", f"{one} never")
        assert set(completion.logprobs) == {"one", "two"}
        assert completion.logprobs["one"] < 0
        assert (completion.finish, completion.tokens > 3) == ("stop", True)


def test_the_same_call_gives_the_same_text_whatever_the_batch(folder: Path) -> None:
    wanted = calls('text := text_of(words: 2..6, charset: "a-z")', 9)
    found = [
        {c.key: c.fields for c in make(folder, batch_size=size).complete(wanted[::step])}
        for size, step in ((1, 1), (9, -1))
    ]
    assert found[0] == found[1]


def test_with_and_without_a_chat_template(folder: Path, tmp_path: Path) -> None:
    chat = make(tiny.save(tmp_path / "chat", chat=True))
    plain = make(folder)
    assert isinstance(chat.tokens, HubTokens)
    assert isinstance(plain.tokens, HubTokens)
    ids = chat.tokens.prompt(MESSAGES, "begun")
    assert chat.tokens.tokenizer.decode(ids) == (
        "<system>You write reviews.\n<user>Write one about {{ braces }} and <eos>.\n<assistant>begun"
    )
    text = plain.tokens.tokenizer.decode(plain.tokens.prompt(MESSAGES, "begun"))
    assert text == "You write reviews.\n\nWrite one about {{ braces }} and <eos>.\n\nbegun"
    assert plain.tokens.prompt((), "") == [0]


def test_memory_stays_within_its_setting(folder: Path) -> None:
    """What does not fit is written in smaller batches, with the same texts; what fits not even once is told."""
    wanted = calls('text := text_of(words: 2..6, charset: "a-z")', 24)
    free, bound_ = make(folder, batch_size=24), make(folder, batch_size=24, memory_gb=1e-3)
    texts = [{c.key: c.fields for c in engine.complete(wanted)} for engine in (free, bound_)]
    assert texts[0] == texts[1]
    assert 0 < bound_.decoder.memory <= 1e6 < free.decoder.memory
    assert bound_.decoder.batch_size < 24
    assert "GB" in bound_.status()
    with pytest.raises(DiagnosticError, match="and the limit is") as error:
        list(make(folder, memory_gb=1e-5).complete(wanted[:1]))
    assert "engine.memory_gb" in str(error.value.diagnostics[0].hint)


def test_a_text_that_is_cut_says_so(folder: Path) -> None:
    (completion,) = make(folder, max_tokens=3).complete(calls("text := /[a-z]{40}/", 1))
    assert (completion.finish, completion.tokens) == ("length", 3)


def test_the_programs_temperature_goes_first(folder: Path) -> None:
    cold = calls('text := text_of(words: 3..5, charset: "a-z", temperature: 0)', 4)
    assert len({c.fields["text"] for c in make(folder).complete(cold)}) == 1
    warm = calls('text := text_of(words: 3..5, charset: "a-z")', 4)
    assert len({c.fields["text"] for c in make(folder).complete(warm)}) == 4


def test_a_judge_gives_a_label_and_its_probability(folder: Path) -> None:
    engine = make(folder)
    assert isinstance(engine, Judge)
    labels = ["negative", "positive", 'not "sure"']
    (found,) = engine.judge([MESSAGES], labels)
    assert found.label in labels
    assert 0 < found.probability <= 1
    assert engine.judge([MESSAGES] * 3, labels) == [found] * 3


@pytest.mark.parametrize("what", ["missing", "empty", "pickle", "no-eos", "slow"])
def test_what_does_not_load_is_a_diagnostic(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    if what == "empty":
        folder.mkdir()
    elif what != "missing":
        tiny.save(folder)
    if what == "pickle":
        state = tiny.model().state_dict()
        (folder / "model.safetensors").unlink()
        torch.save(state, folder / "pytorch_model.bin")
    if what == "no-eos":
        path = folder / "tokenizer_config.json"
        path.write_text(path.read_text().replace('"eos_token": "<eos>"', '"eos_token": null'))
    if what == "slow":
        monkeypatch.setattr("hcmlang.engines.local.hub_model.AutoTokenizer.from_pretrained", lambda *a, **k: _Slow())
    with pytest.raises(DiagnosticError) as error:
        make(folder)
    code = "tokenizer-refused" if what in ("no-eos", "slow") else "model-not-loaded"
    assert [d.code for d in error.value.diagnostics] == [code]
    assert error.value.diagnostics[0].hint


class _Slow:
    eos_token_id = 0


def test_a_device_that_is_not_there(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(DiagnosticError, match="there is no cuda device"):
        make(folder, device="cuda")
