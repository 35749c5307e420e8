"""Instances that are to be written, whoever writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hcmlang.data.records import Hypothesis, Instance
from hcmlang.loop.write import Wanted, Written


@dataclass(frozen=True)
class Order:
    """An instance to be written: for which hypothesis, with which label, by which program, with which examples before one's
    eyes."""

    hypothesis: Hypothesis
    label: str
    program: str
    wanted: Wanted
    examples: Sequence[Mapping[str, str]] = ()


def in_order_of(columns: Sequence[str], fields: Sequence[str]) -> tuple[str, ...]:
    """A program's fields in the order of the task's columns: by name, or by position where no name agrees."""
    return tuple(columns) if set(columns) == set(fields) else tuple(fields)


def instance_of(order: Order, written: Written, columns: Sequence[str]) -> Instance:
    """The text that was written for an order, as a row of the task with these columns."""
    assert written.fields is not None
    names = in_order_of(columns, tuple(written.fields))
    texts = {column: written.fields[name] for column, name in zip(columns, names, strict=True)}
    guarantees = tuple(f"{g.constraint} ({g.level})" for g in written.program.guarantees)
    hypothesis = order.hypothesis
    return Instance(texts, order.label, hypothesis.id, order.wanted.seed, guarantees, order.program, hypothesis.teacher)
