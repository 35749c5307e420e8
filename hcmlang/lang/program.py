"""Programs: analyzed once for a spec, bound to the values of each hypothesis, compiled for each instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product as pairs_of
from random import Random

from hcmlang.diagnostics import Diagnostic, DiagnosticError, Origin, Span, has_errors
from hcmlang.hashing import content_key, derive_seed
from hcmlang.lang import check, parse
from hcmlang.lang.compiled import LEVELS, CompiledProgram, Guarantee
from hcmlang.lang.draft import Dialect, Draft, Row
from hcmlang.lang.emit import EMITTERS
from hcmlang.lang.emit.base import Emitter
from hcmlang.lang.imports import Reader, read_file, read_imports
from hcmlang.lang.membership import writes
from hcmlang.lang.passes import BINDING, PLACING
from hcmlang.lang.passes.fill import draft_of
from hcmlang.lang.patterns import bounds, graph
from hcmlang.lang.predicates.base import Predicate
from hcmlang.lang.predicates.formula import Formula, predicates_in
from hcmlang.lang.scope import Kind, Value
from hcmlang.lang.syntax import FreeText, Literal, Tree


def read_tree(
    text: str, origin: Origin, names: Mapping[str, Kind], read: Reader = read_file
) -> tuple[Tree | None, dict[str, Kind], str, list[Diagnostic]]:
    """Parse and check a program. Returns its tree with imports, the names in scope with its word lists, its content key,
    and diagnostics."""
    tree, key, diagnostics = parse.parse(text, origin)
    if tree is None:
        return None, dict(names), "", diagnostics
    tree, keys, import_errors = read_imports(tree, origin, read)
    diagnostics = [*diagnostics, *import_errors]
    scope = {**{name: Kind(True, texts, "a word list") for name, texts in tree.lists}, **names}
    if not tree.fields:
        if not has_errors(diagnostics):
            hint = 'begin with a rule, for example `text := "a" | "b"`'
            place = origin.span(1, 1, 1, 2)
            diagnostics.append(Diagnostic("no-rules", "the program has no rules", place, hint))
        return None, scope, "", diagnostics
    try:
        diagnostics += check.check(tree, scope, complete=not has_errors(diagnostics))
    except RecursionError:
        diagnostics.append(Diagnostic("too-deep", "the rules are nested too deeply", origin.span(1, 1, 1, 2)))
    return tree, scope, content_key([key, *keys]) if keys else key, diagnostics


def analyse(
    text: str, origin: Origin, names: Mapping[str, Kind], read: Reader = read_file
) -> tuple[Program | None, list[Diagnostic]]:
    """Parse and check a program.

    `names` are the values in scope (:func:`hcmlang.lang.default_names`); `origin` is the position of the text in the user's
    file, for diagnostics; `read` reads imports. Returns None if the diagnostics include an error.
    """
    tree, scope, key, diagnostics = read_tree(text, origin, names, read)
    if tree is None or has_errors(diagnostics):
        return None, diagnostics
    labels = scope["labels"].values if "labels" in scope else None
    return Program(tree, key, labels or ()), diagnostics


@dataclass(frozen=True)
class Program:
    """A program without mistakes."""

    tree: Tree
    key: str
    """Content key, which does not depend on layout and comments."""
    labels: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it writes: those of its record, or its first rule."""
        return tuple(one.name for one in self.tree.fields)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names in scope that it uses."""
        found: set[str] = set()
        predicates: list[Formula] = [constraint.predicate for constraint in self.tree.constraints]
        for body in graph.bodies(self.tree):
            for part in graph.parts(body):
                found.add(getattr(part, "name", ""))
                predicates += [c.guard for c in getattr(part, "choices", ()) if c.guard is not None]
        return frozenset(found.union(*map(_names_in, predicates)))

    @cached_property
    def context_predicates(self) -> tuple[Predicate, ...]:
        """Its predicates that need a corpus, the classifier or a judge."""
        found = [predicate for c in self.tree.constraints for predicate in predicates_in(c.predicate)]
        return tuple(predicate for predicate in found if predicate.needed)

    @property
    def needs(self) -> frozenset[str]:
        """The resources that its constraints need: `train`, `errors`, `batch`, `classifier`, `judge`."""
        return frozenset[str]().union(*(predicate.needed for predicate in self.context_predicates))

    @cached_property
    def free_text(self) -> tuple[Span, ...]:
        """Positions of free text, which needs a language model."""
        pieces = [part for body in graph.bodies(self.tree) for part in graph.parts(body)]
        return tuple(part.span for part in pieces if isinstance(part, FreeText))

    @property
    def known(self) -> Program:
        """The program without constraints that depend on the hypothesis."""
        fixed = {one.name for one in self.tree.fields} | {name for name, _ in self.tree.lists}
        fixed |= {"target", "wrong", "labels", "hypothesis.gold", "hypothesis.predicted"}
        kept = tuple(one for one in self.tree.constraints if _names_in(one.predicate) <= fixed)
        return replace(self, tree=replace(self.tree, constraints=kept))

    def example_scope(self, target: str, wrong: str) -> dict[str, Value]:
        """Values to try the program without a hypothesis. Names stand for themselves; triggers and terms are words that the
        rules write."""
        literals = [
            part.text for body in graph.bodies(self.tree) for part in graph.parts(body) if isinstance(part, Literal)
        ]
        words = [word for text in literals for word in text.split() if word.isalpha()]
        scope: dict[str, Value] = {name: name for name in self.names if "." in name}
        scope |= dict.fromkeys(("hypothesis.triggers", "group.terms"), list(dict.fromkeys(words))[:50:7] or ["not"])
        scope |= {"target": target, "hypothesis.gold": target, "labels": list(self.labels)}
        return scope | {"wrong": wrong, "hypothesis.predicted": wrong, "hypothesis.kind": "word"}

    @property
    def lengths(self) -> tuple[tuple[float, float], ...]:
        """For each field, the fewest and most characters that the rules write."""
        rules = graph.rules_of(self.tree)
        found = [bounds.chars(field.pattern, rules) for field in self.tree.fields]
        return tuple((one.low, one.high) for one in found)

    def bind(self, scope: Mapping[str, Value]) -> BoundProgram:
        """Fill in the values in scope.

        Raises :class:`DiagnosticError` if nothing is left to write, or a constraint needs words from an empty list.
        """
        lists = {name: list(texts) for name, texts in self.tree.lists}
        bound = BoundProgram(self, {**lists, **scope})
        bound.draft("sampler")
        return bound

    def guarantees(self, dialect: Dialect = "sampler") -> tuple[Guarantee, ...]:
        """One for each constraint, before the hypotheses are known: the weakest over all pairs of target and wrong label."""
        found: list[tuple[Guarantee, ...]] = []
        for target, wrong in pairs_of(self.labels, repeat=2):
            scope: dict[str, Value] = {"target": target, "hypothesis.gold": target, "labels": list(self.labels)}
            scope |= {"wrong": wrong, "hypothesis.predicted": wrong}
            if target != wrong:
                try:
                    found.append(self.bind(scope).compile(Row(0), dialect).guarantees)
                except DiagnosticError:
                    continue
        weakest = [max(same, key=lambda one: LEVELS.index(one.level)) for same in zip(*found, strict=True)]
        return tuple(_before_binding(one, self.tree) for one in weakest)


def _before_binding(guarantee: Guarantee, tree: Tree) -> Guarantee:
    """Explain a guarantee that is stronger for some hypotheses."""
    constraint = next((one for one in tree.constraints if one.source == guarantee.constraint), None)
    if constraint is None or guarantee.level != "checked":
        return guarantee
    lists = dict(tree.lists)
    for name in (operand.name for one in predicates_in(constraint.predicate) if (operand := one.operand)):
        if name is not None and "." in name and name not in lists:
            why = f"by construction for each hypothesis whose `{name}` the rules can write as a whole, else tested"
            return replace(guarantee, why=why)
    return guarantee


@dataclass(frozen=True)
class BoundProgram:
    """A program with the values of one hypothesis."""

    program: Program
    scope: Mapping[str, Value]
    _drafts: dict[Dialect, Draft] = field(default_factory=dict, compare=False, repr=False)

    def draft(self, dialect: Dialect) -> Draft:
        """The draft that all instances share: the result of the passes in `BINDING`."""
        if dialect not in self._drafts:
            draft = replace(self._bound, dialect=dialect)
            emitter = EMITTERS[dialect]() if dialect in EMITTERS else None
            self._drafts[dialect] = self._tried(draft, emitter) if emitter and emitter.needs_trial else draft
        return self._drafts[dialect]

    @cached_property
    def _bound(self) -> Draft:
        draft = draft_of(self.program.tree, self.scope, "sampler")
        for run_pass in BINDING:
            draft = run_pass(draft)
        return draft

    def _tried(self, draft: Draft, emitter: Emitter) -> Draft:
        """The draft, with formulas marked as refused until the engine accepts its masks, the heaviest first."""
        while True:
            compiled = self._compiled(draft, Row(0))
            masks = compiled.draft.masks
            field = next((name for name in draft.fields if masks.get(name) and emitter.refuses(compiled, name)), None)
            if field is None:
                return draft
            heaviest = max(
                masks[field], key=lambda formula: sum(predicate.mask_weight for predicate in predicates_in(formula))
            )
            draft = replace(draft, refused=draft.refused | {heaviest})

    def compile(self, row: Row, dialect: Dialect = "sampler") -> CompiledProgram:
        """The program for one instance, with phrases placed and rules with `=` chosen."""
        return self._compiled(self.draft(dialect), row)

    def _compiled(self, draft: Draft, row: Row) -> CompiledProgram:
        draft = replace(draft, row=row)
        for run_pass in PLACING:
            draft = run_pass(draft)
        return CompiledProgram(draft, self.program.tree.temperature)

    def refusal(self, fields: Mapping[str, str]) -> str | None:
        """The first rule or constraint that the texts break; None if there is none. Predicates that need a corpus or a model
        are not tested."""
        compiled = CompiledProgram(replace(self._bound, dialect="none"))
        if not writes(compiled, fields):
            return "the rules do not write it"
        broken = compiled.violated(fields)
        return f"it breaks `{broken}`" if broken is not None else None

    def draw(self, random: Random) -> dict[str, str]:
        """Draw a text for each field. Residuals are not tested."""
        seed = random.getrandbits(63)
        return self.compile(Row(seed, seed)).draw(Random(seed))


def _names_in(formula: Formula) -> set[str]:
    """The fields and values in scope that a formula uses."""
    found: set[str] = set()
    for predicate in predicates_in(formula):
        operand = predicate.operand
        found |= {*predicate.subjects, *([operand.name] if operand and operand.name else [])}
    return found


def rows(seed: int, count: int) -> Iterator[Row]:
    """Rows with independent random streams."""
    return (Row(derive_seed("row", seed, index), index) for index in range(count))
