"""What is done to a document after parsing and before chunking."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from llmops.tasks.plugins import Plugin


@dataclass(frozen=True)
class Document:
    """One document on its way through the cleaners. `language`: ISO 639-1 where known; `metadata`:
    of source and parser.

    The metadata `flags`, a list of texts, is what cleaners have to say of a document: searches can
    filter by it.
    """

    text: str
    title: str | None = None
    language: str | None = None
    markup: str = "plain"
    media_type: str = "text/plain"
    uri: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def flagged(self, *flags: str) -> "Document":
        """The same document with further flags, each once."""
        return replace(
            self,
            metadata={**self.metadata, "flags": sorted({*self.metadata.get("flags", ()), *flags})},
        )


class Cleaner(Plugin, ABC):
    """Cleaners keep form feeds (page ends) and the line starts of Markdown headings: pages and
    headings are read later.
    """

    family: ClassVar[str] = "cleaners"

    @abstractmethod
    def clean(self, text: str) -> str:
        """The cleaned text. Idempotent: cleaning twice gives the same. Raises DocumentError to
        quarantine the document.
        """

    def apply(self, document: Document) -> Document:
        """The cleaned document; for cleaners that look at more than the text, or say something of
        it.
        """
        return replace(document, text=self.clean(document.text))


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
