"""The wording of findings: one Jinja2 template for each kind, from a YAML file that a user may replace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import Diagnostic, Span, SpecError, did_you_mean, has_errors
from hcmlang.prompts.includes import COMPILE_FAILURES, MAX_TOKENS, count_tokens, template_environment
from hcmlang.prompts.sandbox.client import RenderError, worker
from hcmlang.spec.tree import Entry, MappingNode, ScalarNode, read_tree

#: The default wording.
BUILT_IN = Path(__file__).with_name("statements.yaml")

KINDS = ("word", "phrase", "negation", "contrast", "length", "overlap")
_NAMES = ("name", "field", "words", "triggers", "gold", "predicted", "hcms", "of_hcms", "others", "of_others")


@dataclass(frozen=True)
class Statements:
    """A template for each kind of finding."""

    templates: dict[str, str]

    @classmethod
    def load(cls, path: Path | None = None) -> Statements:
        """The built-in wording, overridden by that of the file. Raises :class:`DiagnosticError` for a bad file."""
        templates, diagnostics = _read(BUILT_IN)
        if path is not None:
            own, diagnostics = _read(path)
            templates |= own
        if has_errors(diagnostics):
            raise SpecError(diagnostics)
        return cls(templates)

    def render(self, kind: str, **values: Any) -> str:
        """The sentence for a finding of this kind, on one line; see statements.yaml for the values.

        Raises :class:`DiagnosticError` if the template fails with these values.
        """
        text, problem = _fill(self.templates[kind], values)
        if problem:
            raise SpecError(Diagnostic("template-failed", f"the template of `{kind}` fails: {problem}", hint=_hint()))
        return text


def check_templates(path: Path) -> list[Diagnostic]:
    """Every mistake in a file of templates, including errors while filling them in. The copy of the built-in wording that
    `hcmlang init` writes has none."""
    return [] if path.read_bytes() == BUILT_IN.read_bytes() else _read(path)[1]


def _hint() -> str:
    return f"known in a template: {', '.join(_NAMES)}"


def _fill(template: str, values: Mapping[str, Any]) -> tuple[str, str | None]:
    """The filled-in template on one line, and the error, if any."""
    try:
        text = " ".join(worker.render(json.dumps({"templates": [template], "files": {}}), values)[0].split())
    except RenderError as error:
        return "", error.message
    return text, None if text else "it is empty"


def _examples(kind: str) -> Iterator[dict[str, Any]]:
    """Typical and extreme values of findings of this kind."""
    names = {"length": ("short", "long"), "overlap": ("high", "low", "one-negated")}.get(kind, (kind,))
    has_triggers = kind not in ("length", "overlap")
    for name in names:
        for field, others in (("", 0), ("text", 3)):
            counts = {"hcms": 3, "of_hcms": 3, "others": others, "of_others": 9, "words": 8}
            triggers = [name] if has_triggers else []
            yield {"name": name, "field": field, "triggers": triggers, "gold": "a", "predicted": "b", **counts}


def _read(path: Path) -> tuple[dict[str, str], list[Diagnostic]]:
    tree, diagnostics = read_tree(path)
    if tree is None:
        return {}, diagnostics
    if not isinstance(tree, MappingNode):
        message, hint = "templates are a mapping of kinds to sentences", f"one `kind: sentence` for {', '.join(KINDS)}"
        return {}, [*diagnostics, Diagnostic("not-templates", message, tree.span, hint)]
    templates = {}
    for kind, entry in tree.entries.items():
        found = _check(kind, entry)
        diagnostics += found
        if not found and isinstance(entry.node, ScalarNode):
            templates[kind] = str(entry.node.value)
    return templates, diagnostics


def _check(kind: str, entry: Entry) -> list[Diagnostic]:
    import jinja2
    from jinja2 import meta

    node = entry.node
    if kind not in KINDS:
        return [Diagnostic("unknown-key", f"no finding is of the kind `{kind}`", entry.key, did_you_mean(kind, KINDS))]
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        hint = "write a sentence with {{ name }} and the like"
        return [Diagnostic("wrong-type", f"`{kind}` must be a text", node.span, hint)]
    if count_tokens(node.value) > MAX_TOKENS:
        return [Diagnostic("too-large", f"the template of `{kind}` is too long", entry.key, _hint())]
    try:
        parsed = template_environment().parse(node.value)
        unknown_names = sorted(meta.find_undeclared_variables(parsed) - set(_NAMES))
        template_environment().compile(parsed)
    except jinja2.TemplateSyntaxError as error:
        message = f"the template of `{kind}` is wrong: {(error.message or '').rstrip('.')}"
        return [Diagnostic("template-syntax", message, _line(entry, node, error.lineno), _hint())]
    except (jinja2.TemplateError, *COMPILE_FAILURES) as error:
        message = f"the template of `{kind}` cannot be used: {str(error) or type(error).__name__}"
        return [Diagnostic("template-syntax", message, entry.key, _hint())]
    unknown = [
        Diagnostic(
            "unknown-name",
            f"the template of `{kind}` knows no `{name}`",
            _place(entry, node, name),
            did_you_mean(name, _NAMES),
        )
        for name in unknown_names
    ]
    if unknown:
        return unknown
    problems = dict.fromkeys(problem for values in _examples(kind) if (problem := _fill(node.value, values)[1]))
    return [
        Diagnostic("template-failed", f"the template of `{kind}` fails: {problem}", entry.key, _hint())
        for problem in list(problems)[:1]
    ]


def _line(entry: Entry, node: ScalarNode, number: int) -> Span:
    """Line `number` of the template in the file; its key where the file folds lines."""
    if not node.block:
        return entry.key
    origin = node.origin()
    text = node.text.splitlines()[number - 1] if number <= len(node.text.splitlines()) else ""
    return origin.span(number, 1, number, len(text) + 1)


def _place(entry: Entry, node: ScalarNode, name: str) -> Span:
    """The first use of a value in a template."""
    span = node.span
    for number in range(span.line, span.end_line + 1):
        start = span.column - 1 if number == span.line else 0
        found = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)").search(span.source.line(number) or "", start)
        if found:
            return Span.point(span.source, number, found.start() + 1, len(name))
    return entry.key
