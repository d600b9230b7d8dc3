"""Instructions to a model that hide in a document: unseen characters, unseen text, phrases that no
reader is meant to follow.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar, Final, Literal, NamedTuple

from pydantic import Field

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.cleaners import Cleaner, Document
from llmops.tasks.plugins.cleaners.injection.classifier import InjectionClassifier
from llmops.tasks.plugins.cleaners.injection.disguises import disguises_in, folded
from llmops.tasks.plugins.cleaners.injection.signs import (
    attempts,
    learned_score,
    unseen_characters,
    visible,
    windows,
)

MOST_REASONS, LONGEST = 10, 200
HIDDEN_BONUS: Final = 0.3
"""How much of its doubt an instruction loses because it was hidden: 1 - (1 - score) · (1 -
bonus).
"""
LEAST: Final = 0.3
ROUNDS = 32
SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\s*\n\s*|(?<=[。！？])")


class Reason(NamedTuple):
    """Why a document is suspected, from 0 to 1; `start` and `end` lie in the visible text, or are
    -1 for what is not there.
    """

    score: float
    said: str
    start: int = -1
    end: int = -1


class InjectionCleaner(Cleaner):
    """Place it before `unicode`, which removes unseen characters without a word.

    The score of a document is that of its most suspicious spot: 1 for smuggled characters, else the
    probability of the phrases that stand near each other, or what a small model of word sequences
    says of some sentences, raised where the parser found them hidden (`hidden_text` in the
    metadata). From `threshold` on, `flag` adds the flag `injection`, `quarantine` refuses the
    document, `strip` takes the unseen characters and the sentences out (flag `injection:stripped`).
    Score and reasons stand in the metadata `injection`. Any hidden text gives the flag
    `hidden_text`.
    """

    revision: ClassVar[int] = 2
    policy: Literal["flag", "quarantine", "strip"] = "flag"
    """What happens to a document with such a text."""
    threshold: float = Field(default=0.6, gt=0, le=1)
    classifier: InjectionClassifier | None = None
    """A model of yours that is asked too: a function, or a service of text classification."""

    def fingerprint(self) -> str:
        """Without what changes no score: a key, and how a service is asked."""
        asking = {"api_key", "batch", "requests_per_minute", "timeout", "retries", "patience"}
        options = self.model_dump_json(exclude={"classifier": asking})
        return digest(f"{self.spelling()}/{self.revision}", options)

    def clean(self, text: str) -> str:
        return self.apply(Document(text)).text

    def apply(self, document: Document) -> Document:
        if document.metadata.get("hidden_text"):
            document = document.flagged("hidden_text")
        reasons = self.reasons(document)
        if not reasons:
            return document
        if self.policy == "quarantine":
            raise DocumentError(
                f"the document seems to give instructions to a model ({reasons[0].said}); "
                f"if it is genuine, exclude "
                "it at its source, or let the cleaner injection only flag it (policy: flag)"
            )
        said: dict[str, Any] = {
            "score": round(reasons[0].score, 2),
            "reasons": [reason.said for reason in reasons[:MOST_REASONS]],
        }
        document = replace(document, metadata={**document.metadata, "injection": said})
        return self._stripped(document) if self.policy == "strip" else document.flagged("injection")

    def reasons(self, document: Document) -> list[Reason]:
        """What reaches the threshold, worst first; the classifier has one of its own."""
        hidden = document.metadata.get("hidden_text")
        reasons = [
            *in_text(document.text),
            *in_text(document.title or ""),
            *in_hidden(hidden),
        ]
        reasons = [reason for reason in reasons if reason.score >= self.threshold]
        texts = (document.text, document.title or "", "\n\n".join(texts_of(hidden)))
        reasons += (reason for text in texts for reason in self._classified(visible(text)))
        return sorted(reasons, key=lambda reason: (-reason.score, reason.start))

    def _classified(self, text: str) -> Iterator[Reason]:
        for start, end, score in self.classifier.suspected(text) if self.classifier else ():
            yield Reason(score, _said(f"classifier: {text[start:end]}"), start, end)

    def _stripped(self, document: Document) -> Document:
        metadata = {
            name: value for name, value in document.metadata.items() if name != "hidden_text"
        }
        stripped = replace(
            document,
            text=self.without(document.text),
            metadata=metadata,
            title=self.without(document.title or "") or None,
        )
        return stripped.flagged("injection:stripped")

    def without(self, text: str) -> str:
        """The text without the sentences that reach the threshold: those with phrases first, then
        what only sounds like an order, if it still does."""
        text = visible(text)
        for _ in range(ROUNDS):
            plain = folded(text)
            spans: list[tuple[int, int]] = [
                phrase[:2]
                for score, group in attempts(plain)
                if score >= self.threshold
                for phrase in group
            ] or [
                (one.start, one.end)
                for one in (*disguised(plain), *sounding(plain))
                if one.score >= self.threshold
            ]
            if not spans and self.classifier:
                spans = [(one.start, one.end) for one in self.classifier.culprits(text)]
            if not spans:
                break
            text = visible(_cut(text, spans))
        return text


def in_text(text: str) -> Iterator[Reason]:
    """Unseen characters and suspicious spots of a text; spans hold for `visible(text)`."""
    for one in unseen_characters(text):
        yield Reason(
            1.0 if one.kind != "reversed text" else 0.6,
            _said(f"{one.kind}: {one.says}" if one.says else one.kind),
        )
    plain = folded(visible(text))
    yield from phrased(plain)
    yield from disguised(plain)
    yield from sounding(plain)


def phrased(text: str) -> Iterator[Reason]:
    """The spots with phrases for a model."""
    for score, group in attempts(text):
        start, end = group[0].start, max(phrase.end for phrase in group)
        yield Reason(
            score,
            _said(f"{', '.join(sorted({phrase.kind for phrase in group}))}: {text[start:end]}"),
            start,
            end,
        )


def disguised(text: str) -> Iterator[Reason]:
    """The spots that say such things in other letters."""
    for one in disguises_in(text):
        scores = [score for score, _ in attempts(one.says)]
        if one.encoded:
            scores += (learned_score(one.says[start:end]) for start, end in windows(one.says))
        if (score := max(scores, default=0.0)) >= LEAST:
            yield Reason(score, _said(f"{one.kind}: {one.says}"), one.start, one.end)


def sounding(text: str) -> Iterator[Reason]:
    """The windows that sound like an order to a model."""
    for start, end in windows(text):
        if (score := learned_score(text[start:end])) >= LEAST:
            yield Reason(score, _said(f"sounds like one: {text[start:end]}"), start, end)


def in_hidden(texts: object) -> Iterator[Reason]:
    """Suspicious spots of what the parser found hidden."""
    for text in texts_of(texts):
        for reason in in_text(text):
            yield Reason(
                1 - (1 - reason.score) * (1 - HIDDEN_BONUS), _said(f"hidden text, {reason.said}")
            )


def texts_of(hidden: object) -> list[str]:
    """The texts of the metadata `hidden_text`."""
    if isinstance(hidden, str) or not isinstance(hidden, Sequence):
        return []
    return [str(text) for text in hidden]


def _said(reason: str) -> str:
    return " ".join(reason.split())[:LONGEST]


def _cut(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text without the sentences, or lines, that the spans touch; ends of pages and paragraphs
    stay.
    """
    borders = [0, *(match.end() for match in SENTENCE.finditer(text)), len(text)]
    kept = list[str]()
    for start, end in pairwise(borders):
        piece = text[start:end]
        if any(start < last and first < end for first, last in spans):
            keeps = "\f" in piece or ("\n" in piece and kept and not kept[-1].endswith("\n"))
            piece = "".join(c for c in piece if c in "\f\n") if keeps else ""
        kept += [piece] if piece else []
    return "".join(kept)
