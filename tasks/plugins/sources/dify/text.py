"""A document as Dify keeps it, in pieces, put together again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

LEAST_OVERLAP, MOST_OVERLAP = 12, 4000
MARKDOWN = (".md", ".markdown", ".mdx")


def text_of(segments: Iterable[Mapping[str, Any]], *, disabled: bool) -> str:
    """The text of a document: its segments by position, questions with their answers; what two
    neighbours share stands once.
    """
    text = ""
    for segment in segments:
        if not disabled and segment.get("enabled") is False:
            continue
        piece = "\n".join(
            part.strip()
            for part in (segment.get("content"), segment.get("answer"))
            if part and part.strip()
        )
        shared = overlap(text, piece)
        text += piece[shared:] if shared else ("\n\n" if text and piece else "") + piece
    return text


def overlap(before: str, after: str) -> int:
    """How many characters at the end of one piece are repeated at the start of the next: Dify's
    splitters do that on purpose.
    """
    longest = min(len(before), len(after), MOST_OVERLAP)
    return next(
        (size for size in range(longest, LEAST_OVERLAP - 1, -1) if before.endswith(after[:size])), 0
    )


def metadata_of(document: Mapping[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    """A document's own metadata by name: times as ISO 8601, numbers as numbers; and the knowledge
    base's tags.
    """
    own = {
        str(one["name"]): _value(one.get("type"), one.get("value"))
        for one in document.get("doc_metadata") or []
        if one.get("name")
    }
    return ({"tags": list(tags)} if tags else {}) | {
        name: value for name, value in own.items() if value not in (None, "")
    }


def _value(kind: object, value: object) -> object:
    if kind == "time" and isinstance(value, int | float | str):
        return _moment(value)
    if kind == "number" and isinstance(value, str):
        return next((number for number in _numbers(value)), value)
    return value


def _moment(value: float | str) -> float | str:
    seconds = next(iter(_numbers(str(value))), None)
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds is not None else value
    except (OverflowError, OSError, ValueError):
        return value


def _numbers(text: str) -> Iterable[float]:
    for kind in (int, float):
        try:
            yield kind(text)
        except ValueError:
            continue


def media_type_of(name: str) -> str:
    """What the text of a document is: its headings are marked as in the original, where that was
    Markdown.
    """
    return "text/markdown" if PurePosixPath(name.lower()).suffix in MARKDOWN else "text/plain"
