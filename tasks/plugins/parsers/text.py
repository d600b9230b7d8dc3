"""Plain text, and the formats that are read as they stand."""

import json
import re
import unicodedata
from typing import ClassVar

from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.texts.calendars import is_folded, unfolded
from llmops.tasks.texts.charset import decode, unified

JSON = "application/json"
ESCAPE = re.compile(
    r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|\\u([0-9a-f]{4})|\\.", re.IGNORECASE | re.DOTALL
)
"""A backslash and what it is about, from left to right: one that is escaped itself begins none."""
JOINERS = "\u200c\u200d"
MOST_JSON = 4_000_000
"""Characters of a first JSON value that tell that a text without the name is JSON."""


class TextParser(Parser):
    """Text in any encoding. Nothing is changed but line ends, so that code and logs keep their
    shape; letters that JSON writes as numbers (`\\u00fc`), which are letters again; and folded
    lines of calendars and cards, which are whole again.
    """

    media_types: ClassVar[tuple[str, ...]] = ("text/plain", JSON, "text/*")
    isolated: ClassVar[bool] = False
    revision: ClassVar[int] = 2

    def parse(self, data: bytes, media_type: str) -> Parsed:
        decoded, encoding = decode(unfolded(data) if is_folded(data) else data)
        metadata = {} if encoding == "utf-8" else {"encoding": encoding}
        text = unified(decoded)
        if "\\u" in text and (
            media_type == JSON or (media_type == "text/plain" and _is_json(text))
        ):
            text = ESCAPE.sub(_letter, text)
        return Parsed(text=text, media_type=media_type, metadata=metadata)


def _is_json(text: str) -> bool:
    """Whether a text is JSON, or one JSON value a line."""
    head = text[:MOST_JSON].lstrip("\ufeff \t\n")
    if not head.startswith(("{", "[")):
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(head)
    except (ValueError, RecursionError):
        return False
    line, _, rest = head[end:].partition("\n")
    return not line.strip() and rest.lstrip()[:1] in ("", "{", "[")


def _letter(escape: re.Match[str]) -> str:
    """The letter that an escape stands for. What JSON must escape, and what nobody would see, stays
    as it is.
    """
    high, low, single = escape.groups()
    if single:
        letter = chr(int(single, 16))
    elif high:
        letter = chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    else:
        return escape[0]
    if letter in '"\\' or not (
        letter.isprintable() or letter in JOINERS or unicodedata.category(letter) == "Zs"
    ):
        return escape[0]
    return letter
