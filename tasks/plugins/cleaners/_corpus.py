"""Cleaners that look at a document beside all the others: each is sketched once, all sketches are
judged together.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from llmops.tasks.plugins.cleaners import Cleaner, Document


@dataclass(frozen=True)
class Sketched:
    """What is left of a document when all are compared.

    `place`: position of its source in the config; `readers`: documents with another value are for
    other readers, and what one of them holds may not be said in the other. `doubtful`: it failed at
    a later stage the last time, nobody may rely on it.
    """

    doc_id: str
    source: str
    uri: str
    sketch: bytes
    place: int = 0
    readers: bytes = b""
    doubtful: bool = False


@dataclass(frozen=True)
class CorpusVerdict:
    """What follows for one document: `note` is for `settle`; with `instead`, the doc_id of another,
    it is left out for that one.
    """

    note: str = ""
    instead: str = ""
    similarity: float = 0.0

    def text(self) -> str:
        """Equal verdicts give equal text; one that says nothing gives none."""
        return json.dumps(asdict(self), sort_keys=True) if self != CorpusVerdict() else ""

    @classmethod
    def read(cls, text: str) -> "CorpusVerdict":
        return cls(**json.loads(text)) if text else cls()


class CorpusCleaner(Cleaner, ABC):
    """A cleaner with three verbs of its own. `judge` is a function of the set of documents alone:
    neither the order in which they came, nor what was judged before, makes a difference. So builds
    that bring documents in one after the other end where one build of all of them ends."""

    @abstractmethod
    def sketch(self, document: Document) -> bytes:
        """What `judge` has to know of a document, small, as it is when it reaches this cleaner."""

    @abstractmethod
    def judge(self, documents: Sequence[Sketched]) -> dict[str, CorpusVerdict]:
        """Verdicts by doc_id; a document without one stays as it is. `instead` always names one
        that itself stays.
        """

    @abstractmethod
    def settle(self, document: Document, note: str) -> Document:
        """The document as the verdict's note wants it."""

    def clean(self, text: str) -> str:
        """The text as it is: alone, a document has nothing to be compared with."""
        return text
