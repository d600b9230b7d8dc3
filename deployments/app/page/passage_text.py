"""The text of a passage as HTML: what is marked in it, and its Markdown headings as headings.
Everything else stays as it stands in the document, markup too.
"""

import re
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from llmops.tasks.texts.highlights import MarkedPart

HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+(\S.*?)[ \t#]*$", re.M)


def shown_passage(text: str, marks: Sequence[tuple[int, int]] = ()) -> Markup:
    """`marks`: the characters that are highlighted, as ascending places that do not overlap."""
    return Markup("").join(_parts(text, marks))


def shown_parts(parts: Sequence[MarkedPart]) -> Markup:
    """Of a text that is told in parts, marked and not."""
    marks, end = [], 0
    for part in parts:
        if part.hit:
            marks.append((end, end + len(part.text)))
        end += len(part.text)
    return shown_passage("".join(part.text for part in parts), marks)


def _parts(text: str, marks: Sequence[tuple[int, int]]) -> Iterator[Markup]:
    after = 0
    for heading in HEADING.finditer(text):
        yield from _marked(text, after, heading.start(), marks)
        words = Markup("").join(_marked(text, *heading.span(1), marks))
        yield Markup('<strong class="headline">{}</strong>').format(words)
        after = heading.end()
    yield from _marked(text, after, len(text), marks)


def _marked(text: str, start: int, end: int, marks: Sequence[tuple[int, int]]) -> Iterator[Markup]:
    """A stretch of the text; a mark that goes beyond it ends with it."""
    for mark in marks:
        first, last = max(mark[0], start), min(mark[1], end)
        if first < last:
            yield escape(text[start:first])
            yield Markup("<mark>{}</mark>").format(text[first:last])
            start = last
    yield escape(text[start:end])
