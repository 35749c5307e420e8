"""What the engine's grammar can keep besides the rules: predicates that are small regular expressions.

Measured on llguidance: up to about fifty phrases cost a few milliseconds a mask, and two lengths at once, or a length
and many phrases, can stop the lexer. So a field's grammar is intersected with one length at most and with few phrases;
before a program is used, a few texts are written with it (:mod:`hcmlang.lang.emit.trial`), and what the lexer does not
bear is tested instead. The sampler
draws without a mask; a JSON Schema keeps nothing for sure, since servers differ in what they heed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hcmlang.lang.automata import Effort, TooLarge, automaton, product, search
from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.emit import masks
from hcmlang.lang.emit.classes import alphabet
from hcmlang.lang.emit.json_schema import MAX_LISTED, texts
from hcmlang.lang.graph import parts, reached
from hcmlang.lang.machines import machine
from hcmlang.lang.plain import Definitions, spaced_out
from hcmlang.lang.syntax import Predicate, Value

#: Phrases that the masks of one field may look for.
MAX_PHRASES = 50
#: States of the rules that GBNF and regexes can be joined to, so that a row compiles in a few milliseconds.
MAX_RULE_STATES = 200
#: States of the rules and constraints together, for GBNF and for a regex.
MAX_GBNF_STATES = 500
MAX_REGEX_STATES = 40
#: States of the rules, and of the walk, up to which it is made sure that a mask leaves something to write.
MAX_SEARCHED = 2_000

#: What an instance was given, a phrase in one place for example, may exclude what another constraint wants of it.
NOTHING_LEFT = "what was chosen for this instance leaves no text that keeps it"


def run(draft: Draft) -> Draft:
    """Settle clauses that the token mask of the dialect keeps."""
    if draft.dialect == "sampler" or draft.row is None:
        return draft
    if draft.dialect in ("json", "none"):
        return draft.with_clauses([_unsettled(draft, clause) for clause in draft.clauses])
    keep = {"lark": _lark, "gbnf": _product(MAX_GBNF_STATES), "regex": _product(MAX_REGEX_STATES)}[draft.dialect]
    clauses = list(draft.clauses)
    kept: dict[str, list[Predicate]] = {}
    for name, pattern in draft.fields.items():
        if all(clause.settled for clause in clauses):
            break
        if repeats_earlier(draft, name):
            continue
        definitions = spaced_out(pattern, draft.rules)
        for number, clause in enumerate(clauses):
            if clause.settled or not draft.required(clause):
                continue
            if masks.phrases_in(clause.predicate) > MAX_PHRASES:
                clauses[number] = clause.because(f"more than {MAX_PHRASES} phrases make the mask slow")
                continue
            if machine(clause.predicate, name) is None:
                continue
            if clause.predicate in draft.refused:
                clauses[number] = clause.because("a trial has shown that the token mask does not bear it")
                continue
            why = keep(definitions, [*kept.get(name, []), clause.predicate], name)
            if why is None:
                kept.setdefault(name, []).append(clause.predicate)
                clauses[number] = clause.settle("the token mask allows nothing else")
            else:
                clauses[number] = clause.because(why)
    return replace(draft, clauses=tuple(clauses), masks={name: tuple(found) for name, found in kept.items()})


def repeats_earlier(draft: Draft, name: str) -> bool:
    """Whether the field repeats the text of an earlier one, so that its grammar is not known before that is written."""
    bodies = [draft.fields[name], *(draft.rules[rule] for rule in reached(draft.fields[name], draft.rules))]
    return any(isinstance(part, Value) for body in bodies for part in parts(body))


def _unsettled(draft: Draft, clause: Clause) -> Clause:
    """The rules themselves are only as sure as the server heeds the schema, if it is given one."""
    if clause.settled and draft.dialect == "none":
        return replace(clause, settled="", why="the engine keeps nothing by itself")
    listed = [texts(spaced_out(pattern, draft.rules), MAX_LISTED) for pattern in draft.fields.values()]
    if not clause.settled or all(one is not None for one in listed):
        return clause
    return replace(clause, settled="", why="servers differ in how much of a JSON Schema they keep")


def _lark(definitions: Definitions, predicates: list[Predicate], name: str) -> str | None:
    """Why the predicates are too much for a mask; None where they are not."""
    if definitions.recursive:
        return "the rules lead back to themselves, and llguidance intersects only what does not"
    if sum(masks.lengths_in(one) for one in predicates) > 1:
        return "one length is in the mask already; two can stop the lexer"
    if sum(masks.phrases_in(one) for one in predicates) > MAX_PHRASES:
        return f"more than {MAX_PHRASES} phrases make the mask slow"
    try:
        masks.mask(predicates[-1], alphabet(definitions))
    except masks.NoMask as error:
        return str(error)
    return None if _possible(definitions, predicates, name) else NOTHING_LEFT


def _possible(definitions: Definitions, predicates: list[Predicate], name: str) -> bool:
    """Whether some text keeps all the predicates, as far as a short search tells."""
    try:
        written = automaton(definitions, MAX_SEARCHED)
        machines = [m for p in predicates if (m := machine(p, name)) is not None]
        return search(written, machines, MAX_SEARCHED, Effort(), shortest=False) is not None
    except TooLarge:
        return True


def _product(limit: int) -> Callable[[Definitions, list[Predicate], str], str | None]:
    def keep(definitions: Definitions, predicates: list[Predicate], name: str) -> str | None:
        try:
            product(automaton(definitions, MAX_RULE_STATES), [m for p in predicates if (m := machine(p, name))], limit)
        except TooLarge:
            return f"rules and constraints together are too large (more than {MAX_RULE_STATES} or {limit:,} states)"
        except ValueError as error:
            return str(error)
        return None

    return keep
