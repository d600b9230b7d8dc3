"""Two texts side by side: which words the one has and the other has not."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

# Scripts without spaces go by character: Thai, Lao, Khmer, Myanmar, kana, Han. Others by word;
# spaces and signs by themselves.
ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # noqa: E501
TOKEN = re.compile(rf"[{ALONE}]|[^\W{ALONE}]+|\s+|[^\w\s]")
MOST_TOKENS = 1500
LEAST_COMMON = 0.3  # of the words of the shorter text


class Piece(NamedTuple):
    """A stretch of text; `own`: the other text does not have it."""

    text: str
    own: bool


def highlighted(old: str, new: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces. Very long ones, and those that have few words in common, are not
    marked: all would be.

    Spaces and signs that stand alone between words of the one text are its own, too.
    """
    left, right = TOKEN.findall(old), TOKEN.findall(new)
    whole = [Piece(old, False)] if old else [], [Piece(new, False)] if new else []
    if max(len(left), len(right)) > MOST_TOKENS:
        return whole
    blocks = [
        block
        for block in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
        if not block.size or _words(left[block.a : block.a + block.size])
    ]
    common = sum(_words(left[block.a : block.a + block.size]) for block in blocks)
    if common < LEAST_COMMON * max(1, min(_words(left), _words(right))):
        return whole
    found: tuple[list[Piece], list[Piece]] = ([], [])
    for tokens, side, starts in (
        (left, found[0], [block.a for block in blocks]),
        (right, found[1], [block.b for block in blocks]),
    ):
        done = 0
        for start, block in zip(starts, blocks, strict=True):
            _add(side, tokens[done:start], True)
            _add(side, tokens[start : start + block.size], False)
            done = start + block.size
    return found


def _words(tokens: Sequence[str]) -> int:
    return sum(token[0].isalnum() for token in tokens)


def _add(pieces: list[Piece], tokens: Sequence[str], own: bool) -> None:
    text = "".join(tokens)
    if text:
        pieces.append(Piece(text, own and bool(text.strip())))
