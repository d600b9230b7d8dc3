"""Passages as a case gives them, and as a prompt shows them."""

from collections.abc import Sequence
from typing import Any

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.texts.charset import mended

FIELDS = ("text", "uri", "title", "doc_id", "chunk_id")


def given_passages(value: Any) -> tuple[Passage, ...]:
    """The passages of `inputs.passages`: a text, or a list of texts or of {text, title, uri}. Empty
    texts are none.

    Raises UsageError for anything else.
    """
    items = value if isinstance(value, list | tuple) else [value]
    found = tuple(_passage(item) for item in items if item is not None)
    return tuple(one for one in found if one.text.strip())


def _passage(item: Any) -> Passage:
    if isinstance(item, str):
        return Passage(text=mended(item))
    if isinstance(item, dict) and isinstance(item.get("text"), str):
        return Passage(
            **{name: mended(str(item[name])) for name in FIELDS if item.get(name) is not None}
        )
    raise UsageError(
        f"a passage is a text or an object with a `text`, got {repr(item)[:80]}",
        where="inputs.passages",
        hint='such as {"text": "…", "title": "…", "uri": "…"}',
    )


def shown_passages(passages: Sequence[Passage]) -> str:
    """Numbered blocks with an empty line between them: `[1] title`, and the text in the lines
    below.
    """
    return "\n\n".join(
        f"[{number}] {_name(one)}".rstrip() + f"\n{one.text.strip()}"
        for number, one in enumerate(passages, 1)
    )


def _name(passage: Passage) -> str:
    """The title in one line, else the last part of the uri."""
    return " ".join(passage.title.split()) or passage.uri.rstrip("/").rpartition("/")[2]
