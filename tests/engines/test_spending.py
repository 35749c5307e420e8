"""Budgets: spending and reservations never exceed the budget, in any order of events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcmlang.diagnostics import DiagnosticError
from hcmlang.engines.hosted.base import Price
from hcmlang.engines.hosted.journal import NANO, Spent
from hcmlang.engines.hosted.spending import Accountant, most_used, nano_usd
from hcmlang.engines.hosted.wire import BudgetSpent, ChatRequest, Reservation, Usage
from hcmlang.spec.model import Budget
from tests.engines import tiny

PRICE = Price(input=0.15, output=0.6)


def request(text: str = "x", **body: Any) -> ChatRequest:
    return ChatRequest("k", {"messages": [{"role": "user", "content": text}], "max_tokens": 10, **body})


@given(
    st.integers(1, 5_000),
    st.lists(st.tuples(st.booleans(), st.integers(0, 300), st.integers(0, 20)), max_size=60),
)
def test_no_more_is_spent_and_set_aside_than_there_is(micro: int, steps: list[tuple[bool, int, int]]) -> None:
    """Calls within their reservations, in any interleaving; what is freed can be set aside again."""
    accountant = Accountant(Budget(usd=micro / 1e6), Spent())
    account = accountant.priced(PRICE)
    held: list[Reservation] = []
    spent = 0
    for reserve, size, number in steps:
        if reserve or not held:
            most = nano_usd(PRICE, most_used(request("x" * size).body))
            aside = sum(round(one.usd * NANO) for one in held)
            try:
                held.append(account.reserve(request("x" * size)))
            except BudgetSpent as error:
                assert error.limit == "usd"  # noqa: PT017
                assert spent + aside + most > micro * 1000
            else:
                assert spent + aside + most <= micro * 1000
        else:
            one = held.pop(number % len(held))
            used = Usage(one.usage.input * number // 20, one.usage.output * number // 20) if number else None
            spent += round(account.settle(one, used) * NANO)
    assert spent <= micro * 1000


def test_what_nobody_knows_is_booked_in_full_and_what_cost_nothing_is_free() -> None:
    account = Accountant(Budget(usd=1), Spent()).priced(PRICE)
    one = account.reserve(request())
    assert account.settle(one, None) == one.usd > 0
    assert account.settle(account.reserve(request()), Usage()) == 0


def test_a_server_that_writes_more_than_it_may_is_booked_truly() -> None:
    account = Accountant(Budget(tokens=1000), Spent()).priced(PRICE)
    account.settle(account.reserve(request()), Usage(10, 5_000))
    with pytest.raises(BudgetSpent, match="5,010 are spent"):
        account.reserve(request())


@pytest.mark.parametrize(
    ("limits", "spent", "limit"),
    [
        ({"usd": 1.5}, Spent(nano_usd=1_499_999_000), "usd"),
        ({"tokens": 100}, Spent(tokens=90), "tokens"),
        ({"calls": 3}, Spent(calls=3), "calls"),
        ({"hours": 2}, Spent(hours=2.0), "hours"),
    ],
)
def test_what_was_spent_before_counts(limits: dict[str, Any], spent: Spent, limit: str) -> None:
    account = Accountant(Budget.model_validate(limits), spent).priced(PRICE)
    with pytest.raises(BudgetSpent) as error:
        account.reserve(request())
    assert error.value.limit == limit
    assert "is used up" in str(error.value)
    Accountant(Budget.model_validate(limits), Spent()).priced(PRICE).reserve(request())


def test_dollars_need_a_price() -> None:
    with pytest.raises(DiagnosticError, match="the price of a model is not known"):
        Accountant(Budget(usd=1), Spent()).priced(None)
    account = Accountant(Budget(calls=1), Spent()).priced(None)
    assert account.reserve(request()).usd == 0


def test_a_price_is_exact() -> None:
    assert nano_usd(Price(input=0.15, output=0.6), Usage(1_000_000, 1_000_000)) == 750_000_000
    assert nano_usd(Price(input=0.0001, output=0), Usage(1, 0)) == 1, "rounded up"
    assert sum(nano_usd(Price(input=0.25, output=2), Usage(3, 1)) for _ in range(100_000)) == 275_000_000


@given(st.text(max_size=200))
def test_no_tokenizer_makes_more_tokens_than_the_bound(text: str) -> None:
    tokenizer = tiny.tokenizer(chat=True)
    shown = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
    )
    assert len(tokenizer(shown)["input_ids"]) <= most_used(request(text).body).input


def test_what_a_request_may_write() -> None:
    assert most_used(request(n=3).body).output == 30
    assert most_used({"messages": [], "max_completion_tokens": 7}).output == 7
    assert most_used({"messages": []}).output == 128_000
    assert most_used(request(grammar="x" * 500).body).input >= 500
