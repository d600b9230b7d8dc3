"""Finding and blacking out what quotes a document, wherever it was written down: logs, artifacts,
pages, tables.

Letters and digits are compared and nothing else, so that white space, markup, HTML entities and the
escapes of JSON or Markdown do not hide a quotation. What is blacked out may begin a few letters
late: short words prove nothing.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

ERASED = "[erased]"
SIGNS = re.compile(r"&#?\w{1,8};|\\[nrtbf]|[\W_]+")
LONG, SHORT = (
    24,
    12,
)  # letters and digits in a row that make a quotation; the short one where a sign is about a word
LEAST = 8  # a document of fewer is nothing that could be recognised
IDEOGRAPHS, SAMPLE = "\u2e80", 2_000
STEP = 8
MOST_WINDOWS = 300_000
GLUE = (
    "\u2060?"  # what the writer of artifacts puts behind signs, so that nobody reads them as markup
)
BRIDGE = 40  # characters between two quoted places that go with them


class Quotes:
    """The document's own words: its texts, in all their versions, and its uris where they stand as
    words of their own.
    """

    def __init__(self, texts: Iterable[str], *uris: str) -> None:
        given = list(texts)
        plain = {SIGNS.sub("", text) for text in _spellings(given)} - {""}
        dense = 2 * sum(sign > IDEOGRAPHS for text in given for sign in text[:SAMPLE]) > sum(
            len(text[:SAMPLE]) for text in given
        )
        self._size = max(LEAST, min(SHORT if dense else LONG, max(map(len, plain), default=LONG)))
        self._step = 1 + sum(map(len, plain)) // MOST_WINDOWS
        self._windows = {
            text[n : n + self._size]
            for text in plain
            for n in range(0, len(text) - self._size + 1, self._step)
        }
        spelt = "|".join(
            GLUE.join(map(re.escape, uri)) for uri in sorted(uris, key=len, reverse=True) if uri
        )
        self._uri = re.compile(rf"(?<![\w./-])(?:{spelt})(?![\w/-])") if spelt else None

    def found(self, text: str) -> bool:
        """Whether a text quotes the document or names it."""
        return self._quotes(text) or bool(self._uri and self._uri.search(text))

    def _quotes(self, text: str) -> bool:
        plain = SIGNS.sub("", text)
        step = STEP if self._step == 1 and self._size == LONG else 1
        last = len(plain) - self._size
        places = (*range(0, last + 1, step), last) if last >= 0 else ()
        return any(plain[n : n + self._size] in self._windows for n in places)

    def black_out(self, text: str, *, keep_length: bool = False) -> str:
        """The text with every quotation replaced by `[erased]`; `keep_length`: by as many bytes of
        `x`.
        """
        spans = [*self._spans(text)] if self._quotes(text) else []
        for start, end in reversed(spans):
            text = (
                text[:start]
                + ("x" * len(text[start:end].encode()) if keep_length else ERASED)
                + text[end:]
            )
        if self._uri is None:
            return text
        return self._uri.sub(
            lambda match: "x" * len(match[0].encode()) if keep_length else ERASED, text
        )

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Quoted places, in order and apart."""
        places, plain = _places(text), SIGNS.sub("", text)
        span: tuple[int, int] | None = None
        for n in range(len(plain) - self._size + 1):
            if plain[n : n + self._size] not in self._windows:
                continue
            start, end = places[n], places[n + self._size - 1] + 1
            if span and start - span[1] <= BRIDGE and "<" not in text[span[1] : start]:
                span = (span[0], end)
                continue
            if span:
                yield span
            span = (max(start, span[1]) if span else start, end)
        if span:
            yield span

    def cleaned(self, value: Any) -> Any:
        """Plain data with its texts blacked out; a text that is JSON stays JSON. The keys of
        objects stay.
        """
        if isinstance(value, str):
            return self._text(value) if self.found(value) else value
        if isinstance(value, dict):
            return {key: self.cleaned(item) for key, item in value.items()}
        return [self.cleaned(item) for item in value] if isinstance(value, list) else value

    def _text(self, value: str) -> str:
        if value.lstrip()[:1] in ("{", "[", '"'):
            try:
                return json.dumps(self.cleaned(json.loads(value)), ensure_ascii=False)
            except ValueError:
                return self.black_out(value)
        return self.black_out(value)


def _places(text: str) -> list[int]:
    """Where in the text each of its letters and digits stands."""
    places, last = list[int](), 0
    for match in SIGNS.finditer(text):
        places += range(last, match.start())
        last = match.end()
    return [*places, *range(last, len(text))]


def _spellings(texts: Iterable[str]) -> Iterator[str]:
    """Each text as it is, and as JSON in ASCII spells it."""
    for text in texts:
        yield text
        if not text.isascii():
            yield json.dumps(text)
