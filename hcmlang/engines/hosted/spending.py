"""The budget of a run: the most that a call may cost is reserved before the call, and settled after it."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.engines.hosted.base import Price
from hcmlang.engines.hosted.journal import NANO, Spent
from hcmlang.engines.hosted.wire import BudgetSpent, ChatRequest, Reservation, Usage
from hcmlang.spec.model import Budget

#: Tokens that a chat template may add to a message.
_MESSAGE_TOKENS = 16
#: Tokens that a server may write when the request sets no limit.
_UNLIMITED_TOKENS = 128_000
#: Parts of a body that a server may pass to its model.
_READ = ("response_format", "structured_outputs", "grammar", "tools")


class Accountant:
    """Keeps the budget of a run over all its models. `spent` is what was spent before."""

    def __init__(self, budget: Budget | None, spent: Spent) -> None:
        self._budget = budget or Budget()
        self._spent = spent
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._numbers = count()
        self._nano, self._tokens, self._calls = spent.nano_usd, spent.tokens, spent.calls
        self._held: dict[int, tuple[int, int]] = {}
        """Billionths of a dollar and tokens, by reservation."""

    def used(self) -> Spent:
        """What was spent since, including attempts without an answer."""
        with self._lock:
            before = self._spent
            return Spent(self._nano - before.nano_usd, self._tokens - before.tokens, self._calls - before.calls)

    def priced(self, price: Price | None) -> PricedAccount:
        """The account for a model. Raises :class:`DiagnosticError` under a budget in dollars without a price."""
        if price is None and self._budget.usd is not None:
            message = "the budget is in US dollars, and the price of a model is not known"
            hint = (
                "give its engine a `price: {input: ..., output: ...}` in dollars for a million tokens; 0 for your own"
            )
            raise DiagnosticError(Diagnostic("no-price", message, hint=hint))
        return PricedAccount(self, price)

    def hold(self, most: Usage, nano: int) -> int:
        """Reserve something; returns the number of the reservation. Raises :class:`BudgetSpent`."""
        tokens = most.input + most.output
        with self._lock:
            held_nano = sum(nano for nano, _ in self._held.values())
            held_tokens = sum(tokens for _, tokens in self._held.values())
            limits = self._budget
            if limits.usd is not None and self._nano + held_nano + nano > math.floor(limits.usd * NANO):
                raise BudgetSpent(
                    "usd",
                    f"the budget of {limits.usd:,} US dollars is used up: {self._nano / NANO:,.4f} are spent, and the next "
                    f"call may cost {nano / NANO:,.4f}",
                )
            if limits.tokens is not None and self._tokens + held_tokens + tokens > limits.tokens:
                raise BudgetSpent(
                    "tokens",
                    f"the budget of {limits.tokens:,} tokens is used up: {self._tokens:,} are spent, and the next call may "
                    f"take {tokens:,}",
                )
            if limits.calls is not None and self._calls + len(self._held) + 1 > limits.calls:
                raise BudgetSpent("calls", f"the budget of {limits.calls:,} calls is used up")
            hours = self._spent.hours + (time.monotonic() - self._started) / 3600
            if limits.hours is not None and hours >= limits.hours:
                raise BudgetSpent("hours", f"the budget of {limits.hours:g} hours is used up")
            number = next(self._numbers)
            self._held[number] = (nano, tokens)
            return number

    def book(self, number: int, used: Usage, nano: int, *, called: bool) -> None:
        """Book what a reservation has cost, and free the rest."""
        with self._lock:
            self._held.pop(number)
            self._nano += nano
            self._tokens += used.input + used.output
            self._calls += called


class PricedAccount:
    """The account for the calls of one model; see :class:`hcmlang.engines.hosted.wire.Account`."""

    def __init__(self, accountant: Accountant, price: Price | None) -> None:
        self._accountant = accountant
        self.price = price

    def reserve(self, request: ChatRequest) -> Reservation:
        """See :meth:`hcmlang.engines.hosted.wire.Account.reserve`."""
        most = most_used(request.body)
        nano = nano_usd(self.price, most)
        return Reservation(self._accountant.hold(most, nano), most, nano / NANO)

    def settle(self, reservation: Reservation, usage: Usage | None) -> float:
        """See :meth:`hcmlang.engines.hosted.wire.Account.settle`."""
        used = reservation.usage if usage is None else usage
        nano = nano_usd(self.price, used)
        self._accountant.book(reservation.number, used, nano, called=bool(used.input or used.output))
        return nano / NANO


def nano_usd(price: Price | None, usage: Usage) -> int:
    """Billionths of a dollar, rounded up: a token at one dollar a million costs a thousand of them."""
    if price is None:
        return 0
    return math.ceil(round(usage.input * price.input * 1000 + usage.output * price.output * 1000, 6))


def most_used(body: Mapping[str, Any]) -> Usage:
    """The most tokens that a request may use: one for each byte that the model may read, which no tokenizer exceeds, and as
    many written as the request allows."""
    messages = body.get("messages") or []
    shown = sum(len(str(message.get("content", "")).encode()) + _MESSAGE_TOKENS for message in messages)
    shown += sum(len(json.dumps(body[part], ensure_ascii=False).encode()) for part in _READ if part in body)
    written = body.get("max_completion_tokens") or body.get("max_tokens") or _UNLIMITED_TOKENS
    return Usage(shown + _MESSAGE_TOKENS, int(written) * int(body.get("n") or 1))
