"""The Jinja2 environment of prompts: templates see plain data, its methods, and a few filters and functions.

hcmlang parses and compiles templates with it, but only the worker process renders them. The worker imports this module
without the rest of hcmlang.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace, pass_context

#: How a traceback names an included file: this, then the name that the template uses.
INCLUDED = "<included>"
#: Characters of one text, entries of one list, bits of a number, and characters of an argument that names attributes.
MAX_TEXT = 500_000
MAX_ITEMS = 50_000
MAX_BITS = 256
MAX_ATTRIBUTE = 60


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Filters that go through their value by entries or letters, filters that turn it into text, and all that a prompt may use.
_ITERATING = _names(
    "batch groupby join list map max min reject rejectattr select selectattr slice sort sum unique wordwrap"
)
_WRITING = _names(
    "capitalize center e escape format indent join lower replace string title trim truncate upper wordcount"
)
FILTERS = (
    _ITERATING | _WRITING | _names("abs count d default dictsort filesizeformat first float int items last length")
)
FILTERS |= _names("reverse round tojson urlencode")
#: Types whose attributes and methods a template may use, and methods that it may not: `format` reads attributes itself.
_OPEN_TYPES = (str, dict, list, tuple, LoopContext, Namespace, TemplateModule)
_CLOSED = _names("encode format format_map translate")
#: What Jinja2 passes to a filter before its value.
_FIRST: Mapping[str, Callable[[Any], tuple[Any, ...]]] = {
    "": lambda context: (),
    "context": lambda context: (context,),
    "eval_context": lambda context: (context.eval_ctx,),
    "environment": lambda context: (context.environment,),
}


class _CodeGenerator(CodeGenerator):
    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        """Compile `a ~ b` as the filter `join`, which checks what it joins."""
        self.write("environment.call_filter('join', [")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("], context=context)")

    def visit_Extends(self, node: Any, frame: Frame) -> None:
        self.fail("a prompt cannot use {% extends %} or {% block %}; use macros and includes", node.lineno)

    visit_Block = visit_Extends


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2 for prompts. A template may include these files (text by name) and no others."""

    code_generator_class = _CodeGenerator
    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))  # Jinja2 evaluates others while it compiles

    def __init__(self, files: Mapping[str, str]) -> None:
        loader = jinja2.FunctionLoader(lambda name: (files[name], INCLUDED + name, None) if name in files else None)
        super().__init__(
            loader=loader if files else None,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=as_text,
            auto_reload=False,
        )
        self.globals = {"range": safe_range, "dict": dict, "namespace": Namespace}
        self.filters = {name: _checked(name, self.filters[name]) for name in FILTERS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key comes before a method of the same name: a column may be called `items`."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, Undefined) or not attribute.startswith("_"):
            return super().getattr(obj, attribute)
        is_data = isinstance(obj, Namespace | TemplateModule)
        return self.undefined(obj=obj, name=attribute) if is_data else self.unsafe_undefined(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return isinstance(obj, _OPEN_TYPES) and attr not in _CLOSED and super().is_safe_attribute(obj, attr, value)

    def is_safe_callable(self, obj: Any) -> bool:
        return callable(obj)  # a template reaches no others than the globals, macros and safe methods

    def wrap_str_format(self, value: Any) -> None:
        """Leave `str.format` to `is_safe_attribute`, which refuses it."""

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        if type(obj) is not Macro:
            return super().call(context, obj, *args, **kwargs)
        kwargs.pop("_loop_vars", None)  # `Context.call` does the same for every kind of function, and takes much longer
        kwargs.pop("_block_vars", None)
        return obj(context.eval_ctx, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            as_text(right)
        return _check_size(super().call_binop(context, operator, left, right))


def as_text(value: Any) -> str:
    """A value as text. Refuses functions, iterators and other objects: Python would write where they are in memory."""
    if isinstance(value, str):
        return value
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, Undefined):
            str(part)  # raises an error
        elif not isinstance(part, str | int | float | complex | None | range | TemplateModule):
            if not isinstance(part, Collection):
                raise SecurityError("it writes a function or an iterator; call the function, or add `| list`")
            waiting += part
    return str(value)


def _check_size(value: Any) -> Any:
    if isinstance(value, str):
        is_large = len(value) > MAX_TEXT
    elif isinstance(value, int):
        is_large = value.bit_length() > MAX_BITS
    else:
        is_large = isinstance(value, list | tuple | dict) and len(value) > MAX_ITEMS
    if is_large:
        raise SecurityError("it makes a text, a list or a number that is too large")
    return value


def _checked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that checks its arguments and its result. It takes the context: Jinja2 evaluates others while it compiles."""
    first = _FIRST[getattr(getattr(function, "jinja_pass_arg", None), "name", "")]
    iterates, writes = name in _ITERATING, name in _WRITING

    @pass_context
    def apply(context: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        if name == "join" and not isinstance(value, str | Undefined):
            value = list(value)
        if writes:
            as_text(value)
        if iterates and isinstance(value, str | list | tuple | range) and len(value) > MAX_ITEMS:
            raise SecurityError(f"`{name}` takes at most {MAX_ITEMS:,} entries or letters")
        if args or kwargs:
            check(*args, **kwargs)
        return _check_size(function(*first(context), value, *args, **kwargs))

    def check(*args: Any, attribute: Any = "", start: Any = 0, **kwargs: Any) -> None:
        for argument in (*args, *kwargs.values()):
            if not isinstance(argument, Undefined):
                as_text(argument)
        if len(as_text(attribute)) > MAX_ATTRIBUTE or not isinstance(start, int | float):
            raise SecurityError(
                f"`{name}` takes an attribute of at most {MAX_ATTRIBUTE} characters, and adds numbers only"
            )

    return apply
