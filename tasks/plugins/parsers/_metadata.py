"""What parsers tell of a document beside its text: a title that is one, and what no reader sees."""

import re
from collections.abc import Iterable
from typing import Any, Final

NAMELIKE = re.compile(
    r"\.(?:docx?|pptx?|xlsx?|odt|odp|ods|indd|tex|dvi|pdf|rtf|html?|txt|qxd|fm|ai|png|jpe?g)\b",
    re.IGNORECASE,
)
GENERIC = re.compile(
    r"(?:microsoft (?:word|powerpoint|excel)\b.*|powerpoint[- ]pr\w*|untitled\W*\d*|document\s*\d*|"
    r"slide\s*\d*|presentation\s*\d*|title|no(?: |-)?title|unknown|\W*|[\d\W]+)\Z",
    re.IGNORECASE,
)
LONGEST_TITLE = 300
MOST_TEXTS, LONGEST_TEXT, SHORTEST_TEXT = 20, 500, 3
WHITE: Final = 250
"""From this value on, each of red, green and blue looks like white (0 to 255)."""


def sensible(title: object) -> str | None:
    """A title from a file's properties, None where it is a program's default or a file name."""
    if not isinstance(title, str):
        return None
    line = " ".join(title.replace("\x00", "").split())
    is_name = NAMELIKE.search(line) or GENERIC.match(line) or ("_" in line and " " not in line)
    return None if not line or len(line) > LONGEST_TITLE or is_name else line


def hidden_texts(texts: Iterable[str]) -> dict[str, Any]:
    """`hidden_text` for a document's metadata: up to 20 different texts of up to 500 characters; {}
    where there is none.
    """
    kept: dict[str, None] = {}
    for text in texts:
        line = " ".join(text.split())[:LONGEST_TEXT]
        if len(line) >= SHORTEST_TEXT and any(c.isalpha() for c in line):
            kept[line] = None
        if len(kept) == MOST_TEXTS:
            break
    return {"hidden_text": list(kept)} if kept else {}


def white(colour: tuple[int, int, int]) -> bool:
    return min(colour) >= WHITE
