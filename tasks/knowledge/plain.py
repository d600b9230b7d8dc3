"""Plain files of this machine, read and parsed ahead, many at a time, in processes beside this one.

What this module imports is imported by each of those processes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from llmops.tasks import processes
from llmops.tasks.plugins import parsers
from llmops.tasks.plugins.parsers import Parsed
from llmops.tasks.plugins.sources import Item, Source, content_hash_of
from llmops.tasks.texts.language import detect

LANGUAGE_SAMPLE = 4000
LARGE_BYTES = 1 << 20
"""Such files are as well read where they are parsed."""


class Plain(NamedTuple):
    """A document as it was read. `title` and `metadata`: those that the source gave; `language`:
    ISO 639-1, where known.
    """

    content_hash: str
    title: str | None
    metadata: Mapping[str, Any]
    parsed: Parsed
    language: str | None


def read_ahead(source: Source, items: Sequence[Item], max_chars: int) -> list[Plain | None]:
    """Each document, or None: what is large, not plain, or gives any trouble is read again, alone,
    where its trouble is told. All None where no process is there to do it.
    """
    if not source.local:
        return [None] * len(items)
    read = processes.beside(_read, source, items, max_chars)
    return [None] * len(items) if read is None else read


def _read(source: Source, items: Sequence[Item], max_chars: int) -> list[Plain | None]:
    return [_one(source, item, max_chars) for item in items]


def _one(source: Source, item: Item, max_chars: int) -> Plain | None:
    if item.size > LARGE_BYTES:
        return None
    try:
        raw = source.read(item)
        kind = parsers.plain_type(raw.data, item.uri, raw.media_type)
        parsed = parsers.parse(raw.data, item.uri, kind) if kind else None
    except Exception:  # noqa: BLE001 - it is raised again, and told, by the caller's own attempt
        return None
    if parsed is None or len(parsed.text) > max_chars:
        return None
    language = detect(parsed.text[:LANGUAGE_SAMPLE])
    return Plain(content_hash_of(raw), raw.title, raw.metadata, parsed, language)
