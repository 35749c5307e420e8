"""What a filter, method or operator of a template would make is estimated before it is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jinja2.utils import pass_context

from hcmlang.prompts.budget import (
    MAX_NUMBER,
    MAX_PARTS,
    MAX_VALUE,
    made,
    measured,
    refuse,
    size_of,
    step,
    steps_through,
    text_of,
)

#: Conversions of `%`: what may stand between the sign and the letter.
_CONVERSION = re.compile(r"%(?:\(([^()%]*)\))?([-+ #0]*)(\d*)(?:\.(\d*))?[hlL]?(.)", re.DOTALL)
_MAX_WIDTH = 100
_MAX_ATTRIBUTE = 200
_MAX_BITS = 256


def joined(pieces: Iterable[str]) -> str:
    """Output that a macro or a `set` block gathered, as one text."""
    found = list(pieces)
    made(sum(map(len, found)))
    return "".join(found)


def guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that counts as a step, looks at its arguments before, and at its result after.

    It takes the context, which also keeps Jinja2 from working it out while a template is compiled.
    """
    first = _FIRST.get(str(getattr(function, "jinja_pass_arg", "")).rpartition(".")[2], ())
    plain = name not in _ESTIMATES and name not in _LAZY and name != "sum"

    @pass_context
    def apply(context: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        step((1 + steps_through(value)) * _STEPS.get(name, 1))
        if name in _OF_TEXTS:
            value, args = text_of(value), tuple(one if _is_plain(one) else text_of(one) for one in args)
        given = [getattr(context, one) if one else context for one in first]
        if plain and not args and not kwargs and name not in _LISTING:
            return measured(function(*given, value))
        if name == "join":
            value = counted(value)
            for one in value if not isinstance(value, str) else ():
                text_of(one)
        elif name in _LISTING and isinstance(value, str | list | tuple) and len(value) > MAX_PARTS:
            # A letter is one sign of a text, and a hundred bytes in a list: too many lists are refused before they are made.
            refuse("it makes texts or lists that are too large")
        elif name in _LAZY:
            value = _stepped(value)
        before(name, (value, *args), kwargs)
        return measured(function(*given, value, *args, **kwargs))

    return apply


#: What Jinja2 gives a filter first, by the kind that it asks for: an attribute of the context, or the context itself.
_FIRST: Mapping[str, tuple[str, ...]] = {
    "context": ("",),
    "eval_context": ("eval_ctx",),
    "environment": ("environment",),
}
#: Filters that make a list with an entry for each letter or item.
_LISTING = frozenset(("list", "batch", "slice"))
#: Filters that go through their values one by one when somebody asks for the next.
_LAZY = frozenset(
    ("map", "select", "reject", "selectattr", "rejectattr", "sort", "unique", "groupby", "sum", "min", "max")
)


#: Filters that make a text of whatever they are given.
_OF_TEXTS = frozenset(
    ("capitalize", "center", "e", "escape", "indent", "lower", "replace", "string", "title", "trim", "truncate")
    + ("upper", "wordcount", "wordwrap")
)
#: Filters that take far longer for a letter than others.
_STEPS: Mapping[str, int] = {"title": 10}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | None)


def _stepped(items: Iterable[Any]) -> Iterator[Any]:
    for one in items:
        step()
        yield one


def concatenated(pieces: Sequence[Any]) -> str:
    """The pieces of `a ~ b` as one text."""
    found = []
    for one in pieces:
        found.append(text_of(one))
        made(len(found[-1]))
    made(sum(map(len, found)))
    return "".join(found)


def counted(items: Any) -> Any:
    """What can be gone through only once, or makes its items on the way, as a list."""
    return items if isinstance(items, str | list | tuple | dict) else list(items)


def before(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse a filter or a method of a text (the text is its first argument) whose result would be too large."""
    for one in (*args[1:], *kwargs.values()):
        if name in _LAZY and isinstance(one, str) and len(one) > _MAX_ATTRIBUTE:
            refuse(f"`{name}` is given a name that is too long")
        if isinstance(one, int) and abs(one) > MAX_NUMBER:
            refuse(f"`{name}` is given the number {_shown(one)}, and {MAX_NUMBER:,} is the most")
    if name == "sum" and not isinstance(_argument(args, kwargs, 2, "start", 0), int | float):
        refuse("`sum` adds numbers only")
    estimate = _ESTIMATES.get(name)
    if estimate is not None and args:
        made(estimate(args, kwargs))


def before_operator(operator: str, left: Any, right: Any) -> None:
    """Refuse an operator whose result would be too large."""
    if operator == "*":
        for one, times in ((left, right), (right, left)):
            if isinstance(one, str | list | tuple) and isinstance(times, int):
                made(len(one) * max(0, times) * (1 if isinstance(one, str) else 16))
    elif operator == "+" and isinstance(left, str | list | tuple):
        made(_length(left) + _length(right))
    elif operator == "**":
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > _MAX_BITS:
            refuse("it makes numbers that are too large")
    elif operator == "%" and isinstance(left, str):
        values = right if isinstance(right, tuple) else (right,)
        made(_percent((left, *values), {}))


def _shown(number: int) -> str:
    return f"{number:,}" if number.bit_length() < 64 else "that has too many digits"


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return 16 * len(value) if isinstance(value, list | tuple) else 8


def _argument(args: Sequence[Any], kwargs: Mapping[str, Any], place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _number(value: Any) -> int:
    return max(0, int(value)) if isinstance(value, int | float) and abs(value) <= MAX_NUMBER else 1


def _text_length(value: Any) -> int:
    """The characters of a value as a text."""
    return len(value) if isinstance(value, str) else len(text_of(value))


def _replaced(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """Jinja2 makes a text of whatever is to be replaced, and of what stands in for it."""
    text, old, new = str(args[0]), _argument(args, kwargs, 1, "old", ""), _argument(args, kwargs, 2, "new", "")
    return len(text) + text.count(str(old)) * _text_length(new)


def _joined(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    items, separator = args[0], _argument(args, kwargs, 1, "d", "")
    if isinstance(items, str):
        return len(items) * (1 + _text_length(separator))
    return len(items) * _text_length(separator) if isinstance(items, list | tuple | dict) else _text_length(separator)


def _centered(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    return _text_length(args[0]) + _number(_argument(args, kwargs, 1, "width", 80))


def _indented(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    width = _argument(args, kwargs, 1, "width", 4)
    return len(str(args[0])) + (str(args[0]).count("\n") + 1) * (
        len(width) if isinstance(width, str) else _number(width)
    )


def _wrapped(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    width, end = _number(_argument(args, kwargs, 1, "width", 79)), _argument(args, kwargs, 3, "wrapstring", "\n")
    length = len(str(args[0]))
    if length > MAX_VALUE // 20:
        refuse("`wordwrap` is given a text that is too long")
    return length + length // max(1, width) * _text_length(end)


def _in_rows(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    return 16 * _number(_argument(args, kwargs, 1, "linecount", 1))


def _percent(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """The length that a format with these values can have. Widths above a hundred and those that values give are refused."""
    text, values = str(args[0]), [*args[1:], *kwargs.values()]
    longest = max(
        (len(one) if isinstance(one, str) else 400 if isinstance(one, float | int) else 0 for one in values), default=0
    )
    if any(not isinstance(one, str | int | float) for one in values):
        refuse("a format takes texts and numbers only")
    total = len(text)
    for _name, _flags, width, precision, letter in _CONVERSION.findall(text):
        if (
            letter == "*"
            or len(width) > 3
            or len(precision) > 3
            or max(int(width or 0), int(precision or 0)) > _MAX_WIDTH
        ):
            refuse(f"the width of a format is {_MAX_WIDTH} at most")
        total += longest + _MAX_WIDTH
    return total


def _as_json(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    indent = _number(_argument(args, kwargs, 1, "indent", 0) or 0)
    size = size_of(args[0])
    return size * (1 + min(indent, 100)) * 2


_ESTIMATES: Mapping[str, Callable[[Sequence[Any], Mapping[str, Any]], int]] = {
    "replace": _replaced,
    "join": _joined,
    "center": _centered,
    "indent": _indented,
    "wordwrap": _wrapped,
    "batch": _in_rows,
    "slice": _in_rows,
    "format": _percent,
    "tojson": _as_json,
}
