"""What is done to a text after parsing and before chunking."""

from abc import ABC, abstractmethod

from tasks.plugins import Plugin


class Cleaner(Plugin, ABC):
    """Cleaners keep form feeds (page ends) and the line starts of Markdown headings: pages and headings are read later."""

    @abstractmethod
    def clean(self, text: str) -> str:
        """The cleaned text. Idempotent: cleaning twice gives the same. Raises DocumentError to quarantine the document."""
