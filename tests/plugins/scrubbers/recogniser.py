"""A recogniser as users write one."""

import re
from collections.abc import Iterator


def capitals(text: str) -> Iterator[tuple[int, int, str]]:
    """Two words with a capital each are a name."""
    for match in re.finditer(r"(?<![\w<])[A-Z][a-z]+ [A-Z][a-z]+(?!\w)", text):
        yield match.start(), match.end(), "PERSON"


def beyond(text: str) -> list[tuple[int, int, str]]:
    return [(0, len(text) + 1, "PERSON")]
