"""What a constraint rules out goes from the rules; what the rules keep by themselves is settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice

from hcmlang.diagnostics import Diagnostic, DiagnosticError
from hcmlang.lang import bounds, graph
from hcmlang.lang.automata import Automaton, Effort, TooLarge, automaton, search
from hcmlang.lang.draft import Clause, Draft
from hcmlang.lang.emit.masks import phrases_in
from hcmlang.lang.evaluate import find_any
from hcmlang.lang.free_text import STOPS, stops
from hcmlang.lang.machines import machine
from hcmlang.lang.plain import spaced_out
from hcmlang.lang.syntax import (
    Alternation,
    CharClass,
    Constant,
    Contains,
    Count,
    FreeText,
    Literal,
    Not,
    Pattern,
    Predicate,
    Repeat,
    Sequence,
    UsesOnly,
)
from hcmlang.lang.transform import change_parts, prune

_MAX_STATES = 4_000
#: Phrases that a predicate may look for to be walked through together with the rules.
_MAX_PHRASES = 2_000

#: What becomes of a piece of text, and whether its neighbours may stand close to it; None where it cannot stay.
Keep = Callable[[Pattern, bool], Pattern | None]

BY_RULES = "the rules write nothing that breaks it"


def run(draft: Draft) -> Draft:
    """Literals that hold a forbidden phrase, and characters that may not be used, are left out of the rules; then every
    clause that all texts of the rules keep is settled.

    Raises :class:`DiagnosticError` where a constraint leaves nothing to write.
    """
    for clause in draft.clauses:
        if draft.required(clause) and not clause.settled:
            draft = _pruned(draft, clause)
    automata: dict[str, Automaton | None] = {}
    effort = Effort()
    return draft.with_clauses([_settled(draft, clause, automata, effort) for clause in draft.clauses])


def _pruned(draft: Draft, clause: Clause) -> Draft:
    predicate = clause.predicate
    if isinstance(predicate, Constant):
        raise _nothing_left(draft, clause)
    keep = _filter(predicate)
    if keep is None:
        return draft
    subject = _subject(predicate)
    own = graph.reached(draft.fields[subject], draft.rules)
    chosen_here = draft.shared & graph.unavoidable(draft.fields[subject], draft.rules)
    for name, pattern in draft.fields.items():
        # A rule that other fields use as well is free there, unless it is chosen once for them and always used here.
        if name != subject:
            own -= graph.reached(pattern, draft.rules) - chosen_here
    glued = _glued_rules(draft)
    rules: dict[str, Pattern | None] = {
        name: _rewrite(pattern, keep, name in glued) if name in own else pattern
        for name, pattern in draft.rules.items()
    }
    fields: dict[str, Pattern | None] = dict(draft.fields)
    fields[subject] = _rewrite(draft.fields[subject], keep, subject in glued)
    left, whole = prune(rules, fields)
    if subject not in whole or len(whole) < len(draft.fields):
        raise _nothing_left(draft, clause)
    return replace(draft, rules=left, fields=whole)


def _nothing_left(draft: Draft, clause: Clause) -> DiagnosticError:
    constraint = draft.constraints[clause.constraint]
    message = f"`{constraint.source}` leaves nothing to write for this hypothesis"
    hint = "loosen it, or add rules that keep it"
    return DiagnosticError(Diagnostic("nothing-to-write", message, constraint.span, hint))


def _subject(predicate: Predicate) -> str:
    inner = predicate.part if isinstance(predicate, Not) else predicate
    assert isinstance(inner, UsesOnly | Contains)
    return inner.subject


def _filter(predicate: Predicate) -> Keep | None:
    """What becomes of a single piece of text under the predicate; None where pieces alone say nothing."""
    if isinstance(predicate, UsesOnly):
        allowed = frozenset(predicate.charset)
        return lambda piece, glued: _restricted(piece, allowed)
    if isinstance(predicate, Not) and isinstance(predicate.part, Contains) and predicate.part.phrases.name is None:
        if predicate.part.quantity == "all" and len(predicate.part.phrases.texts) > 1:
            return None
        found = find_any(predicate.part.phrases.texts)
        return lambda piece, glued: (
            None if isinstance(piece, Literal) and found(_as_it_stands(piece.text, glued)) else piece
        )
    return None


def _as_it_stands(text: str, glued: bool) -> str:
    """What is glued to its neighbours may be a part of longer words, so that only what is inside it is certain."""
    return f"_{text}_" if glued else text


def _rewrite(pattern: Pattern, keep: Keep, glued: bool) -> Pattern | None:
    """The pattern without the pieces that are not kept; `glued`: a neighbour may stand close to it."""
    if isinstance(pattern, Sequence):
        close = glued or any(item.glued for item in pattern.items)
        return change_parts(pattern, lambda part: _rewrite(part, keep, close))
    if isinstance(pattern, Alternation | Repeat):
        close = glued or (isinstance(pattern, Repeat) and pattern.glued)
        return change_parts(pattern, lambda part: _rewrite(part, keep, close))
    return keep(pattern, glued)


def _glued_rules(draft: Draft) -> set[str]:
    """The rules that are used where a neighbour may stand close to them, and those that these use."""
    found: set[str] = set()
    for pattern in (*draft.fields.values(), *draft.rules.values()):
        for part in graph.parts(pattern):
            close = isinstance(part, Sequence) and any(item.glued for item in part.items)
            if close or (isinstance(part, Repeat) and part.glued):
                found |= graph.reached(part, draft.rules)
    return found


def _restricted(piece: Pattern, allowed: frozenset[str]) -> Pattern | None:
    if isinstance(piece, Literal):
        return piece if allowed.issuperset(piece.text) else None
    if isinstance(piece, CharClass):
        chars = "".join(char for char in piece.chars if char in allowed)
        return CharClass(chars) if chars else None
    if isinstance(piece, FreeText):
        chars = "".join(char for char in piece.charset if char in allowed)
        if piece.sentences is not None and not (allowed.intersection(stops(piece)) and chars.strip(STOPS)):
            return None
        return replace(piece, charset=chars) if chars else None
    return piece


# ------------------------------------------------------------------------------------------------------------- settling


def _settled(draft: Draft, clause: Clause, automata: dict[str, Automaton | None], effort: Effort) -> Clause:
    if clause.settled:
        return clause
    clause = settle_by_bounds(clause, draft.fields, draft.rules)
    if clause.settled:
        return clause
    if phrases_in(clause.predicate) > _MAX_PHRASES:
        return clause
    for name in draft.fields:
        refutation = machine(Not(clause.predicate), name)
        if refutation is None:
            continue
        try:
            if name not in automata:
                automata[name] = None
                if _is_large(draft, name):
                    return clause
                automata[name] = automaton(spaced_out(draft.fields[name], draft.rules), _MAX_STATES)
            written = automata[name]
            if written is None:
                return clause
            broken = search(written, [refutation], _MAX_STATES, effort)
        except TooLarge:
            return clause
        if broken is None:
            return clause.settle(BY_RULES)
        if broken.certain and len(broken.text) < 60 and not isinstance(clause.predicate, Count):
            return clause.because(f"the rules can write `{broken.text}`")
        return clause
    return clause


def _is_large(draft: Draft, name: str) -> bool:
    """Whether the rules have more parts than the automaton may have states, which is quicker to see than to build it."""
    bodies = [draft.fields[name], *(draft.rules[rule] for rule in graph.reached(draft.fields[name], draft.rules))]
    return len(list(islice((part for body in bodies for part in graph.parts(body)), _MAX_STATES + 1))) > _MAX_STATES


def settle_by_bounds(clause: Clause, fields: Mapping[str, Pattern], rules: Mapping[str, Pattern]) -> Clause:
    """Settle a length by the least and the greatest that the rules write, a phrase by its being in every way through
    them: quick, and enough for most."""
    predicate = clause.predicate
    if isinstance(predicate, Count) and predicate.subject in fields and predicate.measure != "sentences":
        measure = bounds.words if predicate.measure == "words" else bounds.chars
        found = measure(fields[predicate.subject], rules)
        why = f"the rules write {bounds.in_words(found)} {predicate.measure}"
        if predicate.low <= found.low and found.high <= predicate.high:
            return clause.settle(why)
        return clause.because(why)
    if isinstance(predicate, Contains) and predicate.phrases.name is None and predicate.quantity == "any":
        if bounds.always_contains(fields[predicate.subject], rules, predicate.phrases.texts):
            return clause.settle("no way through the rules avoids it")
        return clause.because("some texts of the rules do not contain it")
    return clause
