"""Which of the titles that programs write into files are titles."""

import re

NAMELIKE = re.compile(
    r"\.(?:docx?|pptx?|xlsx?|odt|odp|ods|indd|tex|dvi|pdf|rtf|html?|txt|qxd|fm|ai|png|jpe?g)\b",
    re.IGNORECASE,
)
GENERIC = re.compile(
    r"(?:microsoft (?:word|powerpoint|excel)\b.*|powerpoint[- ]pr\w*|untitled\W*\d*|document\s*\d*|"
    r"slide\s*\d*|presentation\s*\d*|title|no(?: |-)?title|unknown|\W*|[\d\W]+)\Z",
    re.IGNORECASE,
)
LONGEST = 300


def sensible(title: object) -> str | None:
    """A title from a file's properties, None where it is a program's default or a file name."""
    if not isinstance(title, str):
        return None
    found = " ".join(title.replace("\x00", "").split())
    named = NAMELIKE.search(found) or GENERIC.match(found) or ("_" in found and " " not in found)
    return None if not found or len(found) > LONGEST or named else found


def stands_in(title: str, text: str, within: int = 5000) -> bool:
    """Whether a title occurs near the start of a text, whatever the case and the white space."""
    return _letters(title) in _letters(text[:within])


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
