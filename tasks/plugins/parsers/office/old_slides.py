"""Texts of a PowerPoint file before 2007, by its records (MS-PPT, sections 2.3 to 2.5): its reader
knows those of the outline, and not all of the text boxes.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from llmops.tasks.plugins.parsers._containers import ole_stream

DOCUMENT: Final = "PowerPoint Document"
EDIT, PERSISTED, LISTED, SLIDE_OF_LIST = 0x0FF5, 0x1772, 0x0FF0, 0x03F3
LETTERS, BYTES = 0x0FA0, 0x0FA8
DEEPEST: Final = 30
MOST: Final = 100_000
"""Records that are looked at."""


class SlideRecord(NamedTuple):
    """A record: its kind, its instance, and where its content begins and ends."""

    kind: int
    instance: int
    holds: bool
    start: int
    end: int


def slide_texts(data: bytes) -> list[list[str]]:
    """For each slide in the order of the show its texts: those of the outline, then those drawn on
    it. What was deleted and only lies about in the file is none. [] where it cannot be told.
    """
    stream = ole_stream(data, DOCUMENT)
    try:
        places, document = _persisted(stream)
        slides: list[list[str]] = []
        for record in _inside(stream, _at(stream, places[document])):
            if record.kind == LISTED and record.instance == 0:
                slides += _listed(stream, record, places)
    except (struct.error, KeyError):
        return []
    return slides


def _listed(stream: bytes, slides: SlideRecord, places: dict[int, int]) -> list[list[str]]:
    texts: list[list[str]] = []
    drawn: list[int] = []
    for record in _inside(stream, slides):
        if record.kind == SLIDE_OF_LIST:
            texts.append([])
            drawn.append(struct.unpack_from("<I", stream, record.start)[0])
        elif texts:
            texts[-1] += _text(stream, record)
    for own, reference in zip(texts, drawn, strict=True):
        # each once: a hostile list may name one again and again
        place = places.pop(reference, None)
        if place is not None:
            for record in _below(stream, _at(stream, place)):
                own += _text(stream, record)
    return texts


def _persisted(stream: bytes) -> tuple[dict[int, int], int]:
    """(where the objects of the last edit begin, by their numbers; the number of the document)"""
    edits = [record for record in _records(stream, 0, len(stream)) if record.kind == EDIT]
    places: dict[int, int] = {}
    start, seen = edits[-1].start - 8 if edits else 0, set[int]()
    _, _, _, _, document = struct.unpack_from("<5I", stream, start + 8)
    while start and start not in seen:
        seen.add(start)
        _, _, earlier, listed, _ = struct.unpack_from("<5I", stream, start + 8)
        table = _at(stream, listed)
        at = table.start
        while table.kind == PERSISTED and at + 4 <= table.end:
            (head,) = struct.unpack_from("<I", stream, at)
            first, count = head & 0xFFFFF, head >> 20
            for n, place in enumerate(struct.unpack_from(f"<{count}I", stream, at + 4)):
                places.setdefault(first + n, place)
            at += 4 + 4 * count
        start = earlier
    return places, document


def _at(stream: bytes, place: int) -> SlideRecord:
    """The record that begins there. Raises struct.error beyond the end."""
    head, kind, length = struct.unpack_from("<HHI", stream, place)
    end = min(place + 8 + length, len(stream))
    return SlideRecord(kind, head >> 4, head & 0xF == 0xF, place + 8, end)


def _records(stream: bytes, start: int, end: int) -> Iterator[SlideRecord]:
    for _ in range(MOST):
        if start + 8 > end:
            return
        record = _at(stream, start)
        yield record
        start = record.end


def _inside(stream: bytes, record: SlideRecord) -> Iterator[SlideRecord]:
    return _records(stream, record.start, record.end) if record.holds else iter(())


def _below(stream: bytes, record: SlideRecord, depth: int = 0) -> Iterator[SlideRecord]:
    for each in _inside(stream, record):
        yield each
        if depth < DEEPEST:
            yield from _below(stream, each, depth + 1)


def _text(stream: bytes, record: SlideRecord) -> list[str]:
    """The paragraphs of a record with text."""
    content = stream[record.start : record.end]
    if record.kind == LETTERS:
        said = content.decode("utf-16-le", "replace")
    elif record.kind == BYTES:
        said = content.decode("latin-1")
    else:
        return []
    return [
        line for each in said.replace("\v", "\r").split("\r") if (line := " ".join(each.split()))
    ]
