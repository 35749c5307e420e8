"""Batched constrained decoding: soundness, exact distributions, independence of the batch, and edge cases."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from typing import Any

import pytest
import torch
from llguidance.hf import from_tokenizer
from scipy.stats import chisquare

from hcmlang import lang
from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.local.decoding import Decoder, Output, Request
from hcmlang.engines.local.sampling import Sampling
from hcmlang.engines.local.torch_batch import TorchBatch
from tests.engines import tiny
from tests.lang.programs import bound, satisfies

VOCABULARY = 1024
ABC = 'start: FIELD\nFIELD: ("a" | "b") ("c" | "d" | "ee")\n'
LONG = "start: FIELD\nFIELD: /[a-z ]{20,60}/\n"


@lru_cache(maxsize=1)
def parts() -> tuple[Any, Any, Any]:
    hf = tiny.tokenizer()
    return tiny.model(VOCABULARY), from_tokenizer(hf, n_vocab=VOCABULARY), hf


def decoder(batch: int, *, replace_rows: bool = True, **options: Any) -> Decoder:
    model, tokenizer, _ = parts()
    return Decoder(TorchBatch(model, **options), tokenizer, batch, replace_rows=replace_rows)


def prompt(text: str) -> tuple[int, ...]:
    return tuple(parts()[2](text)["input_ids"])


def text_of(output: Output) -> str:
    return str(parts()[1].decode_bytes(list(output.tokens)).decode())


def run(requests: list[Request], batch: int = 8, **options: Any) -> dict[str, Output]:
    return {output.key: output for output in decoder(batch, **options).decode(requests)}


def mixed(count: int, **sampling: Any) -> list[Request]:
    """Rows with different grammars, prompts of different lengths, and forced tokens."""
    program = bound(
        'text := opening text_of(words: 2..5, charset: "a-z") ~ "."\nopening := "In the end, the film" | "So"\n'
        'require text contains any hypothesis.triggers\nforbid text contains any ["bad", "xx"]'
    )
    prompts = [
        prompt("Write a review."),
        prompt("The film is not good: write about the plot and the cast"),
        prompt("x"),
    ]
    return [
        Request(
            str(i), prompts[i % 3], program.compile(lang.Row(i, i), "lark").to_lark("text"), Sampling(**sampling), i
        )
        for i in range(count)
    ]


def test_a_text_does_not_depend_on_the_batch_it_is_written_in() -> None:
    requests = mixed(24)
    found = [run(requests, batch) for batch in (1, 7, 32)]
    assert [output.finish for output in found[0].values()] == ["stop"] * 24
    tokens = [{key: output.tokens for key, output in one.items()} for one in found]
    assert tokens[0] == tokens[1] == tokens[2]
    assert {key: o.tokens for key, o in run(requests[5:6] + requests[:2]).items()}.items() <= tokens[0].items()


@pytest.mark.parametrize("options", [{"share_prefixes": False}, {"replace_rows": False}])
def test_what_makes_it_fast_changes_no_text(options: dict[str, bool]) -> None:
    requests = mixed(20)
    plain, other = run(requests, 6), run(requests, 6, **options)
    assert {key: o.tokens for key, o in plain.items()} == {key: o.tokens for key, o in other.items()}


def test_prefixes_are_computed_once_and_rows_replaced() -> None:
    shared, alone = decoder(6), decoder(6, share_prefixes=False)
    list(shared.decode(mixed(18)))
    list(alone.decode(mixed(18)))
    assert shared.statistics.prefilled * 5 < alone.statistics.prefilled
    waiting = decoder(6, replace_rows=False)
    list(waiting.decode(mixed(18)))
    assert shared.statistics.steps < waiting.statistics.steps
    assert shared.statistics.forced > 18, "tokens without a choice are not sampled"


def test_texts_agree_with_a_plain_forward_pass() -> None:
    """The log-probabilities of a row in a batch are those of the text by itself, among the allowed tokens."""
    grammar = "start: FIELD\nFIELD: /[a-z]{6,9}/\n"
    requests = [Request(str(i), prompt("The film"), grammar, Sampling(), i) for i in range(9)]
    model, tokenizer, _ = parts()
    from llguidance import LLMatcher

    for output in run(requests, 4).values():
        matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(grammar))
        ids = list(prompt("The film"))
        for token, logprob in zip(output.tokens, output.logprobs, strict=True):
            with torch.inference_mode():
                logits = model(torch.tensor([ids])).logits[0, -1, :VOCABULARY]
            allowed = torch.tensor(list(matcher.compute_bitmask()), dtype=torch.uint8)
            bits = ((allowed.unsqueeze(1) >> torch.arange(8)) & 1).flatten()[:VOCABULARY].bool()
            expected = torch.log_softmax(logits.masked_fill(~bits, -math.inf), -1)[token].item()
            assert logprob in (pytest.approx(expected, abs=1e-4), 0.0)
            matcher.consume_token(token)
            ids.append(token)


def test_the_distribution_is_the_exact_renormalized_one() -> None:
    """At temperature 1 over a small grammar: the model's own distribution, each step renormalized over what the grammar
    allows (chi-squared test)."""
    from llguidance import LLMatcher

    model, tokenizer, _ = parts()
    start = prompt("The film")

    def exact(tokens: tuple[int, ...], probability: float, found: Counter[str]) -> None:
        matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(ABC))
        matcher.consume_tokens(list(tokens))
        if matcher.is_stopped():
            found[tokenizer.decode_bytes(list(tokens)).decode()] += probability  # type: ignore[assignment]
            return
        with torch.inference_mode():
            logits = model(torch.tensor([[*start, *tokens]])).logits[0, -1, :VOCABULARY]
        bits = ((torch.tensor(list(matcher.compute_bitmask())).unsqueeze(1) >> torch.arange(8)) & 1).flatten()
        allowed = bits[:VOCABULARY].bool()
        after = torch.softmax(logits.masked_fill(~allowed, -math.inf), -1)
        for token in torch.nonzero(allowed).flatten().tolist():
            if token == tokenizer.eos_token:
                text = tokenizer.decode_bytes(list(tokens)).decode()
                found[text] += probability * after[token].item()  # type: ignore[assignment]
            else:
                exact((*tokens, token), probability * after[token].item(), found)

    expected: Counter[str] = Counter()
    exact((), 1.0, expected)
    assert sum(expected.values()) == pytest.approx(1, abs=1e-4)
    count = 3000
    counts = Counter(
        text_of(output)
        for output in run([Request(str(i), start, ABC, Sampling(), i) for i in range(count)], 64).values()
    )
    assert set(counts) <= set(expected)
    texts = [text for text in expected if expected[text] * count >= 5]
    mass = sum(expected[text] for text in texts)
    seen = sum(counts[text] for text in texts)
    test = chisquare([counts[text] for text in texts], [expected[text] / mass * seen for text in texts])
    assert test.pvalue > 0.001, (counts, expected)


def test_sampling_settings_narrow_the_choice() -> None:
    start = prompt("The film is")
    greedy = run([Request(str(i), start, LONG, Sampling(temperature=0), i) for i in range(4)])
    assert len({output.tokens for output in greedy.values()}) == 1
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 0.999999}):
        only = run([Request(str(i), start, LONG, Sampling(**narrow), i) for i in range(2)])
        assert {output.tokens for output in only.values()} == {greedy["0"].tokens}
    free = run([Request(str(i), start, LONG, Sampling(), i) for i in range(4)])
    assert len({output.tokens for output in free.values()}) == 4
    hot = "start: FIELD\nFIELD: /[ab]{40}/\n"
    repeated = [
        text_of(next(iter(run([Request("x", start, hot, Sampling(0, repetition_penalty=penalty), 0)]).values())))
        for penalty in (1.0, 5.0)
    ]
    runs = [max(len(piece) for piece in re.findall(r"a+|b+", text)) for text in repeated]
    assert runs[1] <= runs[0]


def test_an_end_of_text_comes_only_where_the_grammar_allows_it() -> None:
    model = tiny.model(VOCABULARY)
    with torch.no_grad():
        model.lm_head.weight[0] = model.lm_head.weight.mean(0) + 5.0  # the model wants to end at once
    outputs = list(
        Decoder(TorchBatch(model), parts()[1], 4).decode(
            [Request(str(i), prompt("x"), LONG, Sampling(), i) for i in range(4)]
        )
    )
    assert all(20 <= len(text_of(output)) <= 60 and output.finish == "stop" for output in outputs)


def test_a_row_that_is_cut_says_so_and_the_others_go_on() -> None:
    requests = [Request(str(i), prompt("x"), LONG, Sampling(max_tokens=3 if i == 1 else 80), i) for i in range(4)]
    found = run(requests, 2)
    assert {key: output.finish for key, output in found.items()} == {
        "0": "stop",
        "1": "length",
        "2": "stop",
        "3": "stop",
    }
    assert len(found["1"].tokens) == 3


def test_a_prompt_longer_than_the_context_and_a_text_that_reaches_its_end() -> None:
    model, tokenizer = tiny.model(VOCABULARY, context=24), parts()[1]
    longer = "start: FIELD\nFIELD: /[a-z ]{200,300}/\n"
    long, near = (prompt("the film ") * 24)[:24], (prompt("the film ") * 24)[:20]
    outputs = {
        output.key: output
        for output in Decoder(TorchBatch(model), tokenizer, 4).decode(
            [Request("long", long, LONG, Sampling(), 0), Request("near", near, longer, Sampling(), 0)]
        )
    }
    assert (outputs["long"].finish, outputs["long"].tokens) == ("length", ())
    assert outputs["near"].finish == "length"
    assert 1 <= len(outputs["near"].tokens) <= 4


def test_rows_of_the_vocabulary_without_a_token_are_never_taken() -> None:
    _, tokenizer, hf = parts()
    with torch.no_grad():
        bias = tiny.model(VOCABULARY)
        bias.lm_head.weight[len(hf) :] = bias.lm_head.weight.mean(0) + 5.0
    grammar = "start: FIELD\nFIELD: /(?s:.){5,9}/\n"
    outputs = list(
        Decoder(TorchBatch(bias), tokenizer, 3).decode(
            [Request(str(i), (1,), grammar, Sampling(), i) for i in range(6)]
        )
    )
    assert all(token < len(hf) for output in outputs for token in output.tokens)


def test_a_grammar_that_is_refused_is_answered_and_the_others_go_on() -> None:
    requests = [
        Request("bad", prompt("x"), "start: nope\n", Sampling(), 0),
        Request("good", prompt("x"), ABC, Sampling(), 0),
    ]
    found = run(requests)
    assert found["bad"].finish == "refused"
    assert "nope" in found["bad"].error
    assert found["good"].finish == "stop"


def test_when_memory_runs_out_the_batch_is_halved_and_no_row_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    requests, expected = mixed(20), run(mixed(20), 4)
    made = decoder(16)
    batch = made._batch
    assert isinstance(batch, TorchBatch)
    model, limit = batch._model, 5

    def forward(*args: Any, **kwargs: Any) -> Any:
        if kwargs["input_ids"].shape[0] > limit:
            raise torch.OutOfMemoryError("no room")
        return model(*args, **kwargs)

    monkeypatch.setattr(batch, "_model", forward)
    found = {output.key: output for output in made.decode(requests)}
    assert made.batch_size == 4
    assert made.statistics.restarts > 0
    assert {key: o.tokens for key, o in found.items()} == {key: o.tokens for key, o in expected.items()}
    limit = 0
    with pytest.raises(DiagnosticError, match="a single text does not fit"):
        list(made.decode(requests[:3]))


PROGRAMS = (
    'text := text_of(words: 3..7, charset: "a-z")\nrequire words(text) in 4..6\nrequire text contains any ["not", "the plot"]',
    'text := ("a" | "not" | "the plot"){2,5}\nrequire text contains all ["not"]\nrequire chars(text) in 5..40',
    'text := "it" ("is" | "was") text_of(words: 1..3, charset: "a-z")\nrequire words(text) in 3..5',
    'text := /[ab]{1,3}/ ("not" ~ "hing" | "not")\nrequire text contains any ["not"]',
)


@pytest.mark.parametrize("text", PROGRAMS)
def test_no_constraint_that_holds_by_construction_is_broken(text: str) -> None:
    program = bound(text)
    compiled = {str(i): program.compile(lang.Row(i, i), "lark") for i in range(60)}
    requests = [Request(k, prompt("The film"), c.to_lark("text"), Sampling(), int(k)) for k, c in compiled.items()]
    kept = 0
    for key, output in run(requests, 32).items():
        assert output.finish == "stop"
        for guarantee in compiled[key].guarantees:
            if guarantee.level == "by construction":
                kept += 1
                assert satisfies({"text": text_of(output)}, guarantee.constraint), (text_of(output), guarantee)
    assert kept >= 60
