"""Pieces of a running text in Markdown: powers and marks of notes, and what is struck through."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

POWER: Final = re.compile(r"[+\-−–]?\d[\d.,+\-−–]*|\*+|[+\-−–]")
LONGEST: Final = 12


class RunPiece(NamedTuple):
    text: str
    raised: bool = False
    struck: bool = False


def raised(before: str, text: str) -> str:
    """A raised text behind another: a power or the mark of a note as `^2^`, anything else (`1st`,
    `TM`) as it stands.
    """
    core = text.strip()
    is_mark = bool(POWER.fullmatch(core)) and len(core) <= LONGEST
    joined = bool(before) and not before[-1].isspace() and text[:1] == core[:1]
    return text.replace(core, f"^{core}^", 1) if is_mark and joined else text


def markdown_runs(pieces: Iterable[RunPiece]) -> str:
    """The pieces one after another; neighbours of the same kind are one."""
    merged: list[RunPiece] = []
    for piece in pieces:
        if merged and merged[-1][1:] == piece[1:]:
            merged[-1] = merged[-1]._replace(text=merged[-1].text + piece.text)
        elif piece.text:
            merged.append(piece)
    said = ""
    for piece in merged:
        text = raised(said, piece.text) if piece.raised else piece.text
        core = text.strip()
        if piece.struck and core:
            start = text.index(core)
            text = f"{text[:start]}~~{core}~~{text[start + len(core) :]}"
        said += text
    return said
