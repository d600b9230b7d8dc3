"""What is done to a document after parsing and before chunking."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
