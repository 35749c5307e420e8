"""Programs as guidance nodes."""

from __future__ import annotations

from hcmlang import lang
from hcmlang.engines.guide import to_guidance
from tests.lang.programs import bound


def test_a_node_accepts_and_captures_what_the_program_writes() -> None:
    program = bound('text := "so" ("good" | "bad"){1,2}\nforbid text ends with "bad"\nrequire chars(text) >= 8')
    node = to_guidance(program.compile(lang.Row(1), "lark"), "text")
    assert node.match("so bad good").captures == {"text": "so bad good"}
    assert not any(node.match(text) for text in ("so bad", "so good", "so good bad", "so badgood", ""))
