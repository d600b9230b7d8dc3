"""Documents that say the same with few changes: the best of them is kept, and knows the others as
its duplicates.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from llmops.tasks.plugins.cleaners import CorpusCleaner, CorpusVerdict, Document, Sketched
from llmops.tasks.plugins.cleaners.near_duplicates.shingles import (
    HASHES,
    KEPT,
    bands,
    shingle_hashes,
    signature,
    similarity,
)

FLAG = "near_duplicate"
LISTED = 100
HEAD = struct.Struct("<Qd")


@dataclass(frozen=True)
class _Entry:
    document: Sketched
    length: int
    date: float
    shingles: Any
    bands: tuple[bytes, ...]


class NearDuplicatesCleaner(CorpusCleaner):
    """Compares documents by their runs of `words` words (of characters, in scripts without blanks),
    whatever their case, punctuation and markup. The best comes first: the `longest`, the `newest`
    by the metadata named in `date`, or the `first` in the order of sources and uris, which also
    settles ties. A document is a duplicate when a better one that is kept has at least that Jaccard
    `similarity`; so no document is left out for one that is left out itself. Documents for other
    readers are no duplicates.

    `action`: `drop` leaves duplicates out, `flag` keeps them with the flag `near_duplicate` and the
    metadata `duplicate_of`. `record`: the one that is kept lists the others in its metadata
    `duplicates`, at most 100.
    """

    revision: ClassVar[int] = 1
    similarity: float = Field(default=0.8, ge=0.3, le=1)
    keep: Literal["longest", "newest", "first"] = "longest"
    action: Literal["drop", "flag"] = "drop"
    words: int = Field(default=5, ge=1, le=50)
    date: str = Field(default="date", min_length=1)
    record: bool = True

    def sketch(self, document: Document) -> bytes:
        """Length, date, signature, and the smallest of the shingles: at most 8.7 kB."""
        found = shingle_hashes(document.text, self.words)
        head = HEAD.pack(len(document.text), _seconds(document.metadata.get(self.date)))
        return head + (signature(found).tobytes() + found[:KEPT].tobytes() if len(found) else b"")

    def judge(self, documents: Sequence[Sketched]) -> dict[str, CorpusVerdict]:
        number, rows = bands(self.similarity)
        entries = [
            _entry(document, number, rows)
            for document in documents
            if len(document.sketch) > HEAD.size and not document.doubtful
        ]
        buckets: dict[tuple[bytes, int, bytes], list[int]] = {}
        kept: list[_Entry] = []
        twins: dict[int, list[tuple[_Entry, float]]] = {}
        for entry in sorted(entries, key=self._order):
            keys = [(entry.document.readers, place, band) for place, band in enumerate(entry.bands)]
            near = sorted({rank for key in keys for rank in buckets.get(key, ())})
            rank, close = self._first(entry, kept, near)
            if rank is not None:
                twins.setdefault(rank, []).append((entry, close))
                continue
            for key in keys:
                buckets.setdefault(key, []).append(len(kept))
            kept.append(entry)
        return {
            key: verdict
            for rank, others in twins.items()
            for key, verdict in self._verdicts(kept[rank], others).items()
        }

    def _first(
        self, entry: _Entry, kept: Sequence[_Entry], near: Sequence[int]
    ) -> tuple[int | None, float]:
        """The best of the documents kept that is similar enough."""
        for rank in near:
            close = similarity(entry.shingles, kept[rank].shingles)
            if close >= self.similarity:
                return rank, close
        return None, 0.0

    def _order(self, entry: _Entry) -> tuple[Any, ...]:
        better = {"longest": -entry.length, "newest": -entry.date, "first": 0}[self.keep]
        return better, entry.document.place, entry.document.uri, entry.document.doc_id

    def _verdicts(
        self, best: _Entry, others: Sequence[tuple[_Entry, float]]
    ) -> dict[str, CorpusVerdict]:
        found = {}
        for entry, close in others:
            note = json.dumps(
                {"duplicate_of": best.document.uri, "duplicate_similarity": round(close, 4)}
            )
            found[entry.document.doc_id] = (
                CorpusVerdict(note=note)
                if self.action == "flag"
                else CorpusVerdict(instead=best.document.doc_id, similarity=round(close, 4))
            )
        if self.record:
            uris = sorted(entry.document.uri for entry, _ in others)[:LISTED]
            found[best.document.doc_id] = CorpusVerdict(
                note=json.dumps({"duplicates": uris}, ensure_ascii=False)
            )
        return found

    def settle(self, document: Document, note: str) -> Document:
        said: Mapping[str, Any] = json.loads(note)
        settled = replace(document, metadata={**document.metadata, **said})
        return settled.flagged(FLAG) if "duplicate_of" in said else settled


def _seconds(value: object) -> float:
    """A date of ISO 8601 or of a mail in seconds since 1970, UTC where it names no zone; long ago
    where there is none.
    """
    if isinstance(value, str):
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                found = read(value)
                return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
            except (ValueError, OverflowError):
                continue
    return float("-inf")


def _entry(document: Sketched, number: int, rows: int) -> _Entry:
    length, date = HEAD.unpack_from(document.sketch)
    end = HEAD.size + 4 * HASHES
    signs = document.sketch[HEAD.size : end]
    cuts = tuple(signs[4 * rows * place : 4 * rows * (place + 1)] for place in range(number))
    return _Entry(document, length, date, np.frombuffer(document.sketch[end:], np.uint64), cuts)
