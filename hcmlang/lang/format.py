"""Formats programs in one standard layout.

A program is read as *pieces*, groups of tokens between which a line may break: an item of an alternative with its quantifier,
`| "word"`, `when target == "positive"`, `and words(text) <= 9`. A comment belongs to the piece after it if it is on its own
line, and otherwise to the piece before it. A line that is too long breaks at the lowest bracket depth, and there before `|`
rather than `when`, and before `when` rather than between items. Formatting never changes tokens, so the meaning stays the
same, and it is idempotent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

from lark import Token

from hcmlang.lang import parse

WIDTH = 120
#: The indentation of a continuation line.
INDENT = 4

_SIGNS = {"ASSIGN", "SHARED"}
_OPENING = {"LPAR", "LSQB", "LBRACE"}
_CLOSING = {"RPAR", "RSQB", "RBRACE"}
_QUANTIFIERS = {"OPTIONAL", "STAR", "PLUS", "COUNT"}
_ITEM_BEGINS = {"STRING", "REGEX", "NAME", "VALUE", "ONE_OF", "FREE", "LPAR", "RECORD", "GLUE"}
_ITEM_ENDS = {"STRING", "REGEX", "NAME", "VALUE", "RPAR", "RBRACE"} | _QUANTIFIERS
#: Tokens without a space before them; below, tokens without a space after them.
_CLOSE_TO_LEFT = {"COMMA", "COLON", "RPAR", "RSQB"} | _QUANTIFIERS
_CLOSE_TO_RIGHT = {"LPAR", "LSQB"}
_CALLS = {"FUNCTION", "FREE", "ONE_OF"}
#: Tokens that start a part of a statement. A comment after one of them is about that part.
_LEADING = {"LPAR", "LSQB", "VBAR", "WHEN", "AND", "OR", "NOT", "GLUE", "KIND"} | _SIGNS


class _Break(IntEnum):
    """Where a line may break, most preferred first, at the same bracket depth."""

    STATEMENT = 0
    FIELD = 1
    """The field of a record, or its closing brace."""
    PIPE = 2
    WHEN = 3
    ITEM = 4
    OR = 5
    AND = 6
    COMMA = 7
    """After a comma."""


#: Lines are filled between these breaks. At the others, each part starts a new line.
_FILLED = {_Break.PIPE, _Break.WHEN, _Break.ITEM, _Break.COMMA}


@dataclass
class _Comment:
    text: str
    column: int
    """Its column, from 0."""
    blank: bool
    """Whether there is an empty line before it."""
    alone: bool
    """Whether it is on its own line."""


@dataclass
class _Piece:
    """Tokens that stay on one line, and the comments that belong to them."""

    kind: _Break
    depth: int
    """How many brackets are open before it."""
    column: int
    """Its original column, from 0."""
    text: str = ""
    above: list[_Comment] = field(default_factory=list)
    behind: _Comment | None = None
    blank: bool = False
    """Whether an empty line before it is kept."""
    breaks: bool = False
    """Whether a line break before it is kept."""
    padded: bool = False
    """Whether the author aligned its sign or `when` with several spaces."""
    opened: list[int] = field(default_factory=list)
    """Offsets in the text of brackets that it leaves open."""
    sign: int | None = None
    """Offset in the text of the `=` of `:=` or `=`."""

    @property
    def level(self) -> tuple[int, _Break]:
        return self.depth, self.kind

    @property
    def keeps_lines(self) -> bool:
        """Whether the author's line break and empty line before it are kept."""
        outer = self.depth == 0 or self.kind is _Break.FIELD
        return outer and self.kind in (_Break.STATEMENT, _Break.FIELD, _Break.PIPE)


@dataclass
class _Line:
    indent: int
    pieces: list[_Piece]
    spaces: int = 0
    """Extra spaces before `when`."""

    def render(self) -> Iterator[str]:
        first = self.pieces[0]
        for comment in first.above:
            yield from [""] * (comment.blank and first.keeps_lines)
            yield " " * (self.indent + INDENT * (first.text.startswith("}"))) + comment.text
        yield from [""] * (first.blank and first.keeps_lines)
        at = self.when or len(self.pieces)
        text = _joined(self.pieces[:at]) + " " * self.spaces + "".join(f" {piece.text}" for piece in self.pieces[at:])
        behind = self.pieces[-1].behind
        yield " " * self.indent + text + (f"  {behind.text}" if behind else "")

    @property
    def when(self) -> int:
        """The index of the piece with the condition of the alternative; 0 if there is none."""
        return next((n for n, piece in enumerate(self.pieces) if piece.level == (0, _Break.WHEN)), 0)


def format_program(text: str, width: int = WIDTH) -> str:
    """Format a program, with lines of at most `width` characters where possible.

    Raises lark's exceptions for syntax errors.
    """
    statements, rest = _read(text)
    _align_signs(statements)
    lines: list[str] = []
    for pieces, trailing in statements:
        laid_out = _layout(pieces, 0, width)
        _align_conditions(laid_out, width)
        lines += [line for one in laid_out for line in one.render()]
        indent = INDENT if pieces[0].sign is None else pieces[0].sign
        lines += [" " * indent + comment.text for comment in trailing]
    lines += [line for comment in rest for line in ([""] * comment.blank + [comment.text])]
    return "\n".join(lines).strip("\n") + "\n" if lines else ""


# -------------------------------------------------------------------------------------------------------------- reading

#: The pieces of a rule, constraint or import, and the comments after it that are indented like its parts.
_Statement = tuple[list[_Piece], list[_Comment]]


def _read(text: str) -> tuple[list[_Statement], list[_Comment]]:
    """The statements of a program, and the comments at its end."""
    reader = _Reader(text)
    parser = parse.parser().parse_interactive(text)
    for token in parser.iter_parse():
        reader.take(token)
    parser.feed_eof()  # type: ignore[no-untyped-call]
    reader.take(Token("$END", "", start_pos=len(text), end_pos=len(text)))
    statements: list[_Statement] = []
    for piece in reader.pieces:
        if piece.kind is not _Break.STATEMENT:
            statements[-1][0].append(piece)
            continue
        trailing: list[_Comment] = []
        while statements and piece.above and _belongs(piece.above[0], statements[-1][0][0]):
            trailing.append(piece.above.pop(0))
        if statements:
            statements[-1] = (statements[-1][0], trailing)
        statements.append(([piece], []))
    end = statements.pop()[0][0]
    return statements, end.above


def _belongs(comment: _Comment, statement: _Piece) -> bool:
    """Whether a comment after a statement is part of it, such as an alternative that is commented out."""
    return not comment.blank and comment.column > statement.column


class _Reader:
    """Groups tokens into pieces."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[_Piece] = []
        self.brackets: list[str] = []
        self.last: Token | None = None
        self.waiting: list[_Comment] = []
        """Comments from inside a piece that must move above the next piece."""

    def take(self, token: Token) -> None:
        start = self.last.end_pos if self.last and self.last.end_pos else 0
        gap = self.text[start : token.start_pos]
        comments, blank = self.comments(gap, start)
        kind = self.kind(token)
        if kind is None:
            self.within(token, gap, comments, blank)
        else:
            self.begin(kind, token, gap, comments, blank)
        self.add(token)
        self.last = token

    def before(self, token: Token | None) -> str:
        """The text before a token on its line."""
        end = token.start_pos if token and token.start_pos else 0
        return self.text[self.text.rfind("\n", 0, end) + 1 : end]

    def comments(self, gap: str, start: int) -> tuple[list[_Comment], bool]:
        """The comments in the gap between two tokens, and whether an empty line follows them."""
        found: list[_Comment] = []
        end = 0
        for match in re.finditer(r"#[^\n]*", gap):
            lines = gap[end : match.start()].count("\n")
            at = start + match.start()
            column = at - self.text.rfind("\n", 0, at) - 1
            alone = self.last is None or bool(found) or lines > 0
            found.append(_Comment(match[0].rstrip(), column, lines > 1, alone))
            end = match.end()
        return found, gap[end:].count("\n") > 1

    def kind(self, token: Token) -> _Break | None:
        """The kind of break that is possible before the token; None if no break is."""
        last = self.last.type if self.last else ""
        if token.type in {"KIND", "IMPORT", "$END"} or (token.type == "RULE_NAME" and not self.brackets):
            return _Break.STATEMENT
        if token.type in {"RULE_NAME", "RBRACE"}:
            return _Break.FIELD
        if token.type in {"WHEN", "OR", "AND"}:
            return _Break[token.type]
        if token.type == "VBAR":
            return _Break.PIPE
        if last == "COMMA" and token.type not in _CLOSING:
            return _Break.COMMA
        return _Break.ITEM if token.type in _ITEM_BEGINS and last in _ITEM_ENDS else None

    def begin(self, kind: _Break, token: Token, gap: str, comments: list[_Comment], blank: bool) -> None:
        """Begin a piece. A comment at the end of a line stays with the last piece; others go above the new one."""
        piece = _Piece(kind, len(self.brackets), len(self.before(token)))
        if comments and not comments[0].alone and not self.waiting and self.pieces[-1].behind is None:
            self.pieces[-1].behind = comments.pop(0)
        piece.above, self.waiting = self.waiting + comments, []
        piece.blank = blank
        in_group = bool(self.brackets) and self.brackets[-1] != "LBRACE"
        piece.breaks = kind is _Break.FIELD or (kind is _Break.PIPE and not in_group)
        piece.breaks &= "\n" in gap
        piece.padded = kind is _Break.WHEN and re.fullmatch(r"[ \t]{2,}", gap) is not None
        self.pieces.append(piece)

    def within(self, token: Token, gap: str, comments: list[_Comment], blank: bool) -> None:
        """Handle a gap inside a piece: its comments move above or behind the piece, in order."""
        piece, last = self.pieces[-1], self.last.type if self.last else ""
        if token.type in _SIGNS:
            piece.padded = re.fullmatch(r"[ \t]{2,}", gap) is not None
        if piece.text == "|":  # a `|` at the end of a line is moved to the next one, with the comments behind it
            before = self.pieces[-2]
            first = piece.above or not self.before(self.last).strip()
            if comments and not comments[0].alone and not first and before.behind is None:
                before.behind = comments.pop(0)
            piece.breaks |= "\n" in gap and (piece.depth == 0 or self.brackets[-1] == "LBRACE")
            piece.blank |= blank and not piece.above and not comments
        for comment in comments:
            free = piece.behind is None and not self.waiting  # whether it keeps its place among the comments
            if free and last in _LEADING:
                comment.blank, comment.column, piece.blank = comment.blank or piece.blank, 0, False
                piece.above.append(comment)
            elif free and not comment.alone:
                piece.behind = comment
            else:
                self.waiting.append(comment)

    def add(self, token: Token) -> None:
        piece, last = self.pieces[-1], self.last.type if self.last else ""
        if piece.text and not self.close(token, last):
            piece.text += " "
        if token.type in _OPENING:
            self.brackets.append(token.type)
            piece.opened.append(len(piece.text))
        elif token.type in _CLOSING:
            self.brackets.pop()
            if piece.opened:
                piece.opened.pop()
        piece.text += token
        if token.type in _SIGNS:
            piece.sign = len(piece.text) - 1

    def close(self, token: Token, last: str) -> bool:
        """Whether there is no space before the token."""
        if token.type in _CLOSE_TO_LEFT or last in _CLOSE_TO_RIGHT or ".." in (token, self.last):
            return True
        return token.type == "LPAR" and last in _CALLS


# --------------------------------------------------------------------------------------------------------------- layout


def _layout(pieces: list[_Piece], column: int, width: int) -> list[_Line]:
    """Arrange pieces in lines. The first line begins at `column` (from 0)."""
    if len(pieces) == 1 or (not _has_break(pieces) and column + len(_joined(pieces)) <= width):
        return [_Line(column, pieces)]
    level = min(piece.level for piece in pieces[1:])
    starts = [0, *(n for n, piece in enumerate(pieces) if n and piece.level == level), len(pieces)]
    parts = [pieces[start:end] for start, end in pairwise(starts)]
    laid_out = _layout(parts[0], column, width)
    lines = [*laid_out]
    overflow = False
    for part in parts[1:]:
        last = lines[-1]
        fits = last.indent + len(_joined([*last.pieces, *part])) <= width and not _has_break(part)
        wanted = part[0].breaks and not (overflow and not part[0].blank)
        if fits and not wanted and not _parted(last.pieces[-1], part[0]) and len(laid_out) == 1 and level[1] in _FILLED:
            last.pieces = [*last.pieces, *part]
            continue
        overflow = not part[0].breaks  # join the rest of a line that was too long with the author's next line
        laid_out = _layout(part, column if part[0].text.startswith("}") else _indent(pieces[0], level, column), width)
        lines += laid_out
    return lines


def _indent(first: _Piece, level: tuple[int, _Break], column: int) -> int:
    """The indentation of lines broken at a level of a piece that begins at `column`.

    A `|` is aligned with the bracket of its group or the sign of its rule. What follows `and` or a comma is aligned after
    the bracket. Anything else is indented.
    """
    depth, kind = level
    bracket = depth - first.depth - 1
    if kind is _Break.FIELD:
        return column + INDENT
    if 0 <= bracket < len(first.opened):
        further = {_Break.PIPE: 0, _Break.OR: 1, _Break.AND: 1, _Break.COMMA: 1}.get(kind, INDENT)
        return column + first.opened[bracket] + further
    if first.sign is not None:
        return column + first.sign + (0 if kind is _Break.PIPE else INDENT)
    return column + INDENT


def _joined(pieces: list[_Piece]) -> str:
    return " ".join(piece.text for piece in pieces)


def _has_break(pieces: list[_Piece]) -> bool:
    """Whether there must be a line break between two of the pieces."""
    return any(right.breaks or _parted(left, right) for left, right in pairwise(pieces))


def _parted(left: _Piece, right: _Piece) -> bool:
    """Whether there is a comment between the two pieces."""
    return left.behind is not None or bool(right.above)


# ------------------------------------------------------------------------------------------------------------ alignment


def _align_signs(statements: list[_Statement]) -> None:
    """Align the signs of consecutive rules if the author aligned one of them."""
    block: list[_Piece] = []
    for pieces, _ in [*statements, ([_Piece(_Break.STATEMENT, 0, 0)], [])]:
        head = pieces[0]
        if head.sign is None or head.blank or any(comment.blank for comment in head.above):
            most = max((piece.sign or 0 for piece in block), default=0) if any(p.padded for p in block) else 0
            for piece in block:
                _move_sign(piece, most - (piece.sign or 0))
            block = []
        if head.sign is not None:
            block.append(head)


def _move_sign(head: _Piece, by: int) -> None:
    if by > 0 and head.sign is not None:
        name, _, rest = head.text.partition(" ")
        head.text = f"{name} {' ' * by}{rest}"
        head.sign += by
        head.opened = [at + by for at in head.opened]


def _align_conditions(lines: list[_Line], width: int) -> None:
    """Align `when` in consecutive lines with one alternative each, if the author aligned one of them."""
    run: list[_Line] = []
    for line, following in pairwise([*lines, None, None]):
        if line is not None and line.when and _is_alternative(line, following):
            run.append(line)
            continue
        ends = [one.indent + len(_joined(one.pieces[: one.when])) for one in run]
        spaces = [max(ends) - end for end in ends]
        fits = all(one.indent + len(_joined(one.pieces)) + more <= width for one, more in zip(run, spaces, strict=True))
        if fits and any(one.pieces[one.when].padded for one in run):
            for one, more in zip(run, spaces, strict=True):
                one.spaces = more
        run = []


def _is_alternative(line: _Line, following: _Line | None) -> bool:
    """Whether the line is one whole alternative of a rule."""
    pipe = (0, _Break.PIPE)
    begins = line.pieces[0].level == pipe or line.pieces[0].sign is not None
    ends = following is None or following.pieces[0].level == pipe
    return begins and ends and all(piece.level != pipe for piece in line.pieces[1:])
