"""How a finding is said: one Jinja2 template for each kind, from a YAML file that a user may replace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hcmlang.diagnostics import EXIT_SPEC, Diagnostic, DiagnosticError, did_you_mean, has_errors
from hcmlang.spec.tree import Entry, MappingNode, ScalarNode, read_tree

#: The wording that is used unless the spec names another file.
BUILT_IN = Path(__file__).with_name("statements.yaml")

KINDS = ("word", "phrase", "negation", "contrast", "length", "overlap")
_NAMES = ("name", "field", "triggers", "gold", "predicted", "hcms", "of_hcms", "others", "of_others")


@dataclass(frozen=True)
class Statements:
    """A template for each kind of finding."""

    templates: dict[str, str]

    @classmethod
    def load(cls, path: Path | None = None) -> Statements:
        """The built-in wording, with that of the file laid upon it. Raises :class:`DiagnosticError` for a bad file."""
        templates, diagnostics = _read(BUILT_IN)
        if path is not None:
            own, diagnostics = _read(path)
            templates |= own
        if has_errors(diagnostics):
            raise DiagnosticError(diagnostics, EXIT_SPEC)
        return cls(templates)

    def render(self, kind: str, **values: Any) -> str:
        """The sentence for a finding of this kind; see statements.yaml for the values."""
        text = _environment().from_string(self.templates[kind]).render(values)
        return " ".join(str(text).split())


def check_templates(path: Path) -> list[Diagnostic]:
    """Every mistake in a file of templates."""
    return _read(path)[1]


def _environment() -> Any:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)


def _read(path: Path) -> tuple[dict[str, str], list[Diagnostic]]:
    tree, diagnostics = read_tree(path)
    if tree is None:
        return {}, diagnostics
    if not isinstance(tree, MappingNode):
        hint = f"one `kind: sentence` for each of {', '.join(KINDS)}"
        return {}, [
            *diagnostics,
            Diagnostic("not-templates", "templates are a mapping of kinds to sentences", tree.span, hint),
        ]
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

    if kind not in KINDS:
        return [Diagnostic("unknown-key", f"no finding is of the kind `{kind}`", entry.key, did_you_mean(kind, KINDS))]
    if not isinstance(entry.node, ScalarNode) or not isinstance(entry.node.value, str):
        return [
            Diagnostic(
                "wrong-type",
                f"`{kind}` must be a text",
                entry.node.span,
                "a sentence with {{ name }} and the like",
            )
        ]
    try:
        parsed = _environment().parse(entry.node.value)
    except jinja2.TemplateSyntaxError as error:
        return [Diagnostic("template-syntax", f"the template of `{kind}` is wrong: {error.message}", entry.key)]
    unknown = sorted(meta.find_undeclared_variables(parsed) - set(_NAMES))
    return [
        Diagnostic(
            "unknown-name",
            f"the template of `{kind}` knows no `{name}`",
            entry.key,
            did_you_mean(name, _NAMES),
        )
        for name in unknown
    ]
