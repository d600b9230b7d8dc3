"""Documents that say the same with few changes: the best of them is kept, and knows the others as
its duplicates.
"""

import json
import struct
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from llmops.tasks.plugins.cleaners import CorpusCleaner, CorpusVerdict, Document, Sketched
from llmops.tasks.texts.hashing import mixed

FLAG = "near_duplicate"
LISTED = 100
HEAD = struct.Struct("<Qd")
WORDS = 5
HASHES = 128
KEPT = 1024
UNSPACED = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "HANGZHOU",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
    "BOPOMOFO",
    "YI",
)
Numbers = np.ndarray[Any, np.dtype[np.uint64]]


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
    """Which of several near duplicates stays."""
    action: Literal["drop", "flag"] = "drop"
    words: int = Field(default=5, ge=1, le=50)
    date: str = Field(default="date", min_length=1)
    record: bool = True

    def sketch(self, document: Document) -> bytes:
        """Length, date, signature, and the smallest of the shingles: at most 8.7 kB."""
        hashes = shingle_hashes(document.text, self.words)
        head = HEAD.pack(len(document.text), _seconds(document.metadata.get(self.date)))
        return head + (
            signature(hashes).tobytes() + hashes[:KEPT].tobytes() if len(hashes) else b""
        )

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
        verdicts = {}
        for entry, close in others:
            note = json.dumps(
                {"duplicate_of": best.document.uri, "duplicate_similarity": round(close, 4)}
            )
            verdicts[entry.document.doc_id] = (
                CorpusVerdict(note=note)
                if self.action == "flag"
                else CorpusVerdict(instead=best.document.doc_id, similarity=round(close, 4))
            )
        if self.record:
            uris = sorted(entry.document.uri for entry, _ in others)[:LISTED]
            verdicts[best.document.doc_id] = CorpusVerdict(
                note=json.dumps({"duplicates": uris}, ensure_ascii=False)
            )
        return verdicts

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
                moment = read(value)
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
            except (ValueError, OverflowError):
                continue
    return float("-inf")


def _entry(document: Sketched, number: int, rows: int) -> _Entry:
    length, date = HEAD.unpack_from(document.sketch)
    end = HEAD.size + 4 * HASHES
    signs = document.sketch[HEAD.size : end]
    cuts = tuple(signs[4 * rows * place : 4 * rows * (place + 1)] for place in range(number))
    return _Entry(document, length, date, np.frombuffer(document.sketch[end:], np.uint64), cuts)


class _Plain(dict[int, str]):
    """For str.translate: punctuation, symbols and blanks become blanks; letters of scripts that
    write no blanks stand alone.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        if kind[0] in "PSZC":
            plain = " "
        else:
            alone = (
                kind == "Lo"
                and code >= 0x0E00
                and unicodedata.name(character, "").split(" ")[0].split("-")[0] in UNSPACED
            )
            plain = f" {character} " if alone else character
        self[code] = plain
        return plain


PLAIN: Mapping[int, str] = _Plain()


def words(text: str) -> list[str]:
    """The words of a text, without case, punctuation and forms of characters; for scripts without
    blanks, the characters.
    """
    return unicodedata.normalize("NFKC", text).casefold().translate(PLAIN).split()


@lru_cache(maxsize=200_000)
def hashed(word: str) -> int:
    """64 bits of BLAKE2b, the same on every machine."""
    return int.from_bytes(
        blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )


def shingle_hashes(text: str, run: int = WORDS) -> Numbers:
    """Hashes of all runs of so many words, ascending, each once; one of all the words of a shorter
    text, none of no words.
    """
    hashes = np.array([hashed(word) for word in words(text)], np.uint64)
    return run_hashes(hashes, run)


def run_hashes(hashes: Numbers, run: int) -> Numbers:
    """Of all runs of so many words, whose hashes these are: ascending, each once; of fewer words
    one of them all.
    """
    if not len(hashes):
        return hashes
    run = min(run, len(hashes))
    total = np.zeros(len(hashes) - run + 1, np.uint64)
    for offset in range(run):
        total = mixed(total + hashes[offset : len(total) + offset])
    return np.unique(total)


@cache
def _seeds() -> Numbers:
    return mixed(np.arange(1, HASHES + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def signature(values: Numbers) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """MinHash (Broder 1997): the smallest of the values under each of 128 hash functions, 32 bits
    each. By hand: sketches are stored, so that the hash must never change with a library.
    """
    least = np.full(HASHES, np.iinfo(np.uint64).max, np.uint64)
    for start in range(0, len(values), 4096):
        least = np.minimum(least, mixed(values[start : start + 4096, None] ^ _seeds()).min(axis=0))
    return (least >> np.uint64(32)).astype(np.uint32)


def similarity(one: Numbers, other: Numbers) -> float:
    """Jaccard similarity of two sets of shingles, of which each gives its `KEPT` smallest: exact
    where neither had more, else estimated on the smallest of their union (bottom-k; standard error
    at most 0.016)."""
    both = np.intersect1d(one, other, assume_unique=True)
    union = len(one) + len(other) - len(both)
    if max(len(one), len(other)) >= KEPT:
        smallest = np.union1d(one, other)[:KEPT]
        both, union = both[both <= smallest[-1]], len(smallest)
    return len(both) / union if union else 0.0


def bands(similar: float, wanted: float = 0.995) -> tuple[int, int]:
    """(bands, rows): the most rows with which two signatures of that similarity agree on a whole
    band with the wanted probability, 1 - (1 - s^rows)^bands (Leskovec, Rajaraman, Ullman: Mining of
    Massive Datasets, 3.4)."""
    fitting = [
        rows for rows in range(1, 33) if 1 - (1 - similar**rows) ** (HASHES // rows) >= wanted
    ]
    rows = max(fitting, default=1)
    return HASHES // rows, rows
