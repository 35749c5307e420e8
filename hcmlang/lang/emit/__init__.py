"""Emitters write compiled programs for engines, one dialect each. docs/language.md lists what each dialect enforces.

Other packages add theirs as entry points of `hcmlang.emitters`.
"""

from hcmlang.kinds import Registry
from hcmlang.lang.emit.base import Emitter

EMITTERS: Registry[Emitter] = Registry(
    "hcmlang.emitters",
    {
        "lark": "hcmlang.lang.emit.lark:LarkEmitter",
        "gbnf": "hcmlang.lang.emit.gbnf:GbnfEmitter",
        "regex": "hcmlang.lang.emit.regex:RegexEmitter",
        "json": "hcmlang.lang.emit.json_schema:JsonSchemaEmitter",
    },
)


def dialects() -> tuple[str, ...]:
    """All dialects; see :data:`hcmlang.lang.draft.Dialect`."""
    return ("sampler", *EMITTERS, "none")
