"""The environment of :mod:`hcmlang.prompts.sandbox`: what of Jinja2 a prompt may use, and how it is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.runtime import LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace, pass_context
from jinja2.visitor import NodeTransformer

from hcmlang.prompts import guards
from hcmlang.prompts.budget import measured, refuse, step, steps_through, write

#: How a traceback calls a file that is included: this and its name.
PART = "<part>"
#: Steps that a part counts for: a file that is included, a macro, the block of a call, a turn of a recursive loop. Jinja2 makes
#: much on the way to each.
_STEPS_OF_PART = 10
#: Attributes besides keys of mappings, by type; those of texts, lists and mappings are methods.
_ATTRIBUTES: tuple[tuple[type, frozenset[str]], ...] = (
    (
        str,
        frozenset(
            (
                "capitalize",
                "casefold",
                "count",
                "endswith",
                "find",
                "isalnum",
                "isalpha",
                "isdigit",
                "islower",
                "isupper",
            )
            + ("join", "lower", "lstrip", "removeprefix", "removesuffix", "replace", "rsplit", "rstrip", "split")
            + ("splitlines", "startswith", "strip", "swapcase", "title", "upper")
        ),
    ),
    (dict, frozenset(("get", "items", "keys", "values"))),
    (list, frozenset(("count", "index"))),
    (tuple, frozenset(("count", "index", "grouper", "list"))),
    (
        LoopContext,
        frozenset(
            (
                "changed",
                "cycle",
                "depth",
                "depth0",
                "first",
                "index",
                "index0",
                "last",
                "length",
                "nextitem",
                "previtem",
            )
            + ("revindex", "revindex0")
        ),
    ),
)

#: Filters that a prompt may use: those that neither reach beyond data nor differ from one time to the next.
FILTERS = (
    ("abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "filesizeformat")
    + ("first", "float", "format", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower")
    + ("map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "select", "selectattr", "slice")
    + ("sort", "string", "sum", "title", "tojson", "trim", "truncate", "unique", "upper", "urlencode", "wordcount")
    + ("wordwrap",)
)
_OPERATORS = frozenset(("+", "-", "*", "/", "//", "%", "**"))
#: What Jinja2 itself hands to each call.
_OF_JINJA = ("_loop_vars", "_block_vars")
_PARTS_REFUSED = (nodes.Extends, nodes.Block)


class _Strict(jinja2.StrictUndefined):
    """A value that is missing: a mistake within a list, too."""

    def __repr__(self) -> str:
        return str(self)


class _Names(Namespace):
    """`namespace()`: names that a loop can set. It holds no other, so that values stay trees."""

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__()
        for name, value in dict(*args, **values).items():
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, Namespace) or (isinstance(value, list | tuple | dict) and _holds_names(value)):
            refuse("a namespace cannot hold a namespace")
        super().__setitem__(name, value)

    def __repr__(self) -> str:
        return "namespace"


def _holds_names(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Namespace):
            return True
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
    return False


class Files(jinja2.BaseLoader):
    """Templates from these texts by name, and from nowhere else."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def get_source(self, environment: Any, template: str) -> Any:
        if template not in self._files:
            raise jinja2.TemplateNotFound(template)
        return self._files[template], f"{PART}{template}", lambda: True


class Narrow(ImmutableSandboxedEnvironment):
    """Jinja2 for prompts. `loader` has the files that may be included; without one, none may."""

    intercepted_binops = _OPERATORS

    def __init__(self, loader: Any = None) -> None:
        super().__init__(
            loader=loader,
            undefined=_Strict,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=write,
            auto_reload=False,
        )
        self.globals = {"range": safe_range, "dict": dict, "namespace": _Names}
        self.filters = {name: guards.guarded(name, self.filters[name]) for name in FILTERS}
        self.filters |= {name: _at_run_time(function) for name, function in _OWN.items()}

    concat = staticmethod(guards.joined)

    def _generate(self, source: nodes.Template, name: Any, filename: Any, defer_init: bool = False) -> Any:
        for part in source.find_all(_PARTS_REFUSED):
            what = "extends" if isinstance(part, nodes.Extends) else "block"
            raise TemplateSyntaxError(f"a prompt cannot use {{% {what} %}}; use macros and includes", part.lineno, name)
        return super()._generate(_Counted().visit(source), name, filename, defer_init)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key goes before a method of the same name: a column may be called `items`."""
        step()
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return self._attribute(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        step()
        if isinstance(obj, Mapping | list | tuple | str) and not isinstance(argument, slice):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        if isinstance(argument, str):
            return (
                self._attribute(obj, argument)
                if not isinstance(obj, Mapping)
                else self.undefined(obj=obj, name=argument)
            )
        return self.undefined(obj=obj, name=argument)

    def _attribute(self, obj: Any, name: str) -> Any:
        if isinstance(obj, Undefined):
            return obj._fail_with_undefined_error()
        if isinstance(obj, Namespace | jinja2.environment.TemplateModule):
            found = None if name.startswith("_") else _own(obj, name)
            return self.undefined(obj=obj, name=name) if found is None else found[0]
        for kind, known in _ATTRIBUTES:
            if isinstance(obj, kind) and name in known and hasattr(obj, name):
                return getattr(obj, name)
        if name.startswith("_") or hasattr(obj, name):
            return self.unsafe_undefined(obj, name)
        return self.undefined(obj=obj, name=name)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return any(isinstance(obj, kind) and attr in known for kind, known in _ATTRIBUTES)

    def is_safe_callable(self, obj: Any) -> bool:
        if isinstance(obj, Undefined):
            return True  # calling it says what is missing, or refused
        if isinstance(obj, Macro | LoopContext) or any(obj is one for one in (safe_range, dict, _Names)):
            return True
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        return any(isinstance(owner, kind) and name in known for kind, known in _ATTRIBUTES)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        step()
        if type(obj) is Macro:
            for name in _OF_JINJA:
                kwargs.pop(name, None)
            return obj(context.eval_ctx, *args, **kwargs)
        owner = getattr(obj, "__self__", None) if not isinstance(obj, Undefined) else None
        if isinstance(owner, str):
            step(steps_through(owner))
            before = (owner, *args)
            if obj.__name__ == "join":
                args = tuple(map(guards.counted, args))
                before = (*args, owner)  # as the filter has it: what is joined, then the separator
            given = {name: value for name, value in kwargs.items() if name not in _OF_JINJA}
            guards.before(obj.__name__, before, given)
        return measured(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        guards.before_operator(operator, left, right)
        return measured(self.binop_table[operator](left, right))


def _own(obj: Any, name: str) -> tuple[Any] | None:
    """What a namespace or an imported file has under this name."""
    if isinstance(obj, Namespace):
        try:
            return (getattr(obj, name),)
        except (AttributeError, KeyError):
            return None
    return (obj.__dict__[name],) if name in obj.__dict__ else None


def _stepping(value: Any) -> Any:
    step()
    return value


def _part(value: Any) -> Any:
    step(_STEPS_OF_PART)
    return value


def _gone_through(value: Any) -> Any:
    step(steps_through(value))
    return value


def _at_run_time(function: Callable[..., Any]) -> Any:
    """A filter that is not worked out while a template is compiled."""
    return pass_context(lambda context, value: function(value))


#: What counts and measures, put into templates by :class:`_Counted`. A template that names one itself is counted once more.
_OWN: Mapping[str, Callable[..., Any]] = {
    "_made": measured,
    "_joined": guards.concatenated,
    "_step": _stepping,
    "_part": _part,
    "_through": _gone_through,
}


class _Counted(NodeTransformer):
    """Puts the counting into a template: steps for each turn of a loop and for each part, and a measure
    on every list, mapping, joined text and slice that is made."""

    def visit_Template(self, node: nodes.Template) -> nodes.Node:
        return self._stepped(node, "_part")

    def visit_For(self, node: nodes.For) -> nodes.Node:
        return self._stepped(node, "_part" if node.recursive else "_step")

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        return self._stepped(node, "_part")

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        return self._stepped(node, "_part")

    def _stepped(self, node: Any, name: str) -> nodes.Node:
        self.generic_visit(node)
        count = self._filtered(nodes.Const(None, lineno=node.lineno), name)
        node.body.insert(0, nodes.ExprStmt(count, lineno=node.lineno))
        same: nodes.Node = node
        return same

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return self._measured(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return self._measured(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return self._filtered(nodes.List(node.nodes, lineno=node.lineno), "_joined")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        for one in node.ops:
            if one.op in ("in", "notin"):
                one.expr = self._filtered(one.expr, "_through")
        return self._filtered(node, "_step")

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        self.generic_visit(node)
        return self._filtered(node, "_step")

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        return self._measured(node) if node.ctx == "load" else self._within(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        return self._measured(node) if isinstance(node.arg, nodes.Slice) else self._within(node)

    def _within(self, node: nodes.Node) -> nodes.Node:
        self.generic_visit(node)
        return node

    def _measured(self, node: Any) -> nodes.Filter:
        self.generic_visit(node)
        return self._filtered(node, "_made")

    def _filtered(self, node: nodes.Expr, name: str) -> nodes.Filter:
        return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
