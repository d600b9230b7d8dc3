"""Personal data and secrets that have a form: addresses, numbers with check digits, keys."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import ClassVar, Literal

from pydantic import field_validator

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.cleaners import Cleaner, Document
from llmops.tasks.plugins.cleaners.pii.patterns import ENTITIES, EntitySpan, spans_in
from llmops.tasks.plugins.cleaners.pii.pseudonyms import Pseudonyms


class PiiCleaner(Cleaner):
    """Finds `email`, `phone`, `credit_card`, `iban`, `ip`, `ssn` (US), `passport` and `birth_date`
    (both only beside the word for them), `secret` (keys, tokens, passwords) and `url_credentials`.
    It knows no names and no postal addresses: those need a model.

    `mask` puts `<EMAIL>` and the like into text, title and the metadata named in `fields`; with
    `numbered`, equal values of a document get equal numbers (`<EMAIL_1>`). `quarantine` refuses the
    document; `flag` leaves it and adds the flags `pii` and `pii:email`. The counts stand in the
    metadata `pii`. `allow` names values that may stay (`*@example.com`).
    """

    revision: ClassVar[int] = 3
    entities: tuple[str, ...] = ENTITIES
    """What is looked for."""
    policy: Literal["mask", "quarantine", "flag"] = "mask"
    """What happens to what is found."""
    numbered: bool = False
    allow: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("hidden_text",)

    @field_validator("entities")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or (unknown := sorted(set(value) - set(ENTITIES))):
            raise ValueError(
                f"got {', '.join(unknown) if value else 'none'}; allowed: {', '.join(ENTITIES)}"
            )
        return value

    def clean(self, text: str) -> str:
        return self.apply(Document(text)).text

    def apply(self, document: Document) -> Document:
        counts = Counter(one.entity for text in self._texts(document) for one in self.places(text))
        if not counts:
            return document
        if self.policy == "quarantine":
            held = ", ".join(f"{number} × {entity}" for entity, number in sorted(counts.items()))
            raise DocumentError(
                f"the document holds personal data or secrets: {held}; remove them, or let the "
                "cleaner pii mask them (policy: mask)"
            )
        flags = ("pii", *(f"pii:{entity}" for entity in counts))
        seen = document.flagged(*flags) if self.policy == "flag" else self._masked(document)
        return replace(seen, metadata={**seen.metadata, "pii": dict(sorted(counts.items()))})

    def places(self, text: str) -> list[EntitySpan]:
        """Where the text holds what the options ask for."""
        every = spans_in(text, frozenset(self.entities))
        return [
            one
            for one in every
            if not any(fnmatchcase(text[one.start : one.end], allowed) for allowed in self.allow)
        ]

    def _texts(self, document: Document) -> Iterator[str]:
        yield document.text
        yield document.title or ""
        for name in self.fields:
            yield from _strings(document.metadata.get(name))

    def _masked(self, document: Document) -> Document:
        names = Pseudonyms(numbered=self.numbered)
        hidden = {
            name: self._value(document.metadata[name], names)
            for name in self.fields
            if name in document.metadata
        }
        title = document.title
        return replace(
            document,
            text=names.replaced(document.text, self.places),
            metadata={**document.metadata, **hidden},
            title=names.replaced(title, self.places) if title else title,
        )

    def _value(self, value: object, names: Pseudonyms) -> object:
        if isinstance(value, str):
            return names.replaced(value, self.places)
        if isinstance(value, Mapping):
            return {key: self._value(one, names) for key, one in value.items()}
        return (
            [self._value(one, names) for one in value] if isinstance(value, list | tuple) else value
        )


def _strings(value: object) -> Iterator[str]:
    """Every string within a value of the metadata."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(one)
