"""Which parts of a passage a full-text search has found: those whose terms the question has."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from llmops.tasks.texts.terms import FIRST_DENSE, TOKEN, analyse


class MarkedPart(NamedTuple):
    """A part of a text, the parts of which make it up. `hit`: the question has its terms."""

    text: str
    hit: bool


def highlighted(text: str, question: str) -> list[MarkedPart]:
    """The text in parts, neighbours never alike."""
    wanted = set(analyse(question))
    parts: list[MarkedPart] = []
    for piece, hit in _pieces(text, wanted):
        if parts and (parts[-1].hit == hit or (not piece.strip() and parts[-1].hit)):
            last = parts.pop()
            parts.append(MarkedPart(last.text + piece, last.hit))
        elif piece:
            parts.append(MarkedPart(piece, hit))
    return list(_trimmed(parts))


def _trimmed(parts: Sequence[MarkedPart]) -> Iterator[MarkedPart]:
    """Blanks and line ends after what was found are none of it."""
    carried = ""
    for part in parts:
        text = carried + part.text
        kept = text.rstrip() if part.hit else text
        carried = text[len(kept) :]
        yield MarkedPart(kept, part.hit)
    if carried:
        yield MarkedPart(carried, False)


def _pieces(text: str, wanted: set[str]) -> Iterator[tuple[str, bool]]:
    end = 0
    for match in TOKEN.finditer(text):
        yield text[end : match.start()], False
        token, end = match[0], match.end()
        if token[0] >= FIRST_DENSE:
            yield from _dense(token, wanted)
        else:
            yield token, not wanted.isdisjoint(analyse(token))
    yield text[end:], False


def _dense(run: str, wanted: set[str]) -> Iterator[tuple[str, bool]]:
    """Of scripts without spaces, letters of which two neighbours are wanted; a question of one
    letter wants that one.
    """
    pairs = {each for each in wanted if len(each) > 1} or wanted
    hits = [False] * len(run)
    for place in range(len(run)):
        for size in (1, 2, 3, 4):
            if run[place : place + size] in pairs and place + size <= len(run):
                hits[place : place + size] = [True] * size
    yield from zip(run, hits, strict=True)
