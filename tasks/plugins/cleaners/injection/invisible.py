"""Characters that a person does not see and a model reads: found, decoded, removed; where a script
needs them, they stay.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

TAGS = re.compile("(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+")
"""Tag characters (Unicode 16, section 23.9) mirror ASCII; their one use is flags of regions, after
a black flag.
"""
SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
"""A character takes one variation selector (Unicode 16, section 23.4); a run of them carries
bytes.
"""
WIDTHLESS = re.compile("[\u200b-\u200d\u2060-\u2064\ufeff]{8,}")
SPLIT = re.compile("(?<![A-Za-z])[A-Za-z](?:[\u200b-\u200d\u2060-\u2064\ufeff\u00ad]+[A-Za-z]){4,}")
BETWEEN = re.compile("[\u200b-\u200d\u2060-\u2064\ufeff\u00ad]+")
OVERRIDES = re.compile("[\u202d\u202e]")
"""They show a text in another order than it is read (CVE-2021-42574); embeddings, isolates and
marks are what Hebrew and Arabic use.
"""
MOST = 200


class Invisible(NamedTuple):
    """Something unseen: where, of which kind, and what it says (at most 200 characters; "" where it
    cannot be decoded).
    """

    start: int
    end: int
    kind: str
    says: str


def unseen_characters(text: str) -> list[Invisible]:
    """Runs that no script and no emoji needs, in the order of the text."""
    return [] if text.isascii() else sorted(_all(text))


def _all(text: str) -> Iterator[Invisible]:
    for match in TAGS.finditer(text):
        yield Invisible(
            *match.span(),
            "tag characters",
            _shown("".join(chr(ord(c) - 0xE0000) for c in match[0])),
        )
    for match in SELECTORS.finditer(text):
        yield Invisible(
            *match.span(),
            "variation selectors",
            _shown(bytes(map(_byte, match[0])).decode("utf-8", "replace")),
        )
    for match in WIDTHLESS.finditer(text):
        yield Invisible(*match.span(), "zero-width characters", _bits(match[0]))
    for match in SPLIT.finditer(text):
        yield Invisible(*match.span(), "split word", BETWEEN.sub("", match[0])[:MOST])
    for match in OVERRIDES.finditer(text):
        line = text[match.end() : match.end() + MOST].split("\n", 1)[0]
        yield Invisible(*match.span(), "reversed text", _shown(line))


def visible(text: str) -> str:
    """The text without those runs; a split word is one again."""
    if text.isascii():
        return text
    for pattern in (TAGS, SELECTORS, WIDTHLESS, OVERRIDES):
        text = pattern.sub("", text)
    return SPLIT.sub(lambda match: BETWEEN.sub("", match[0]), text)


def _byte(selector: str) -> int:
    code = ord(selector)
    return code - 0xFE00 if code <= 0xFE0F else code - 0xE0100 + 16


def _bits(run: str) -> str:
    """What a run of two kinds of characters says as bits, eight to a letter, either way round; ""
    where that gives no text.
    """
    kinds = sorted(set(run))
    if len(kinds) != 2:
        return ""
    for zero in kinds:
        bits = "".join("0" if c == zero else "1" for c in run)
        said = bytes(int(bits[n : n + 8], 2) for n in range(0, len(bits) - 7, 8)).decode(
            "utf-8", "replace"
        )
        if said.isprintable() and "\ufffd" not in said:
            return said[:MOST]
    return ""


def _shown(said: str) -> str:
    return "".join(c for c in said if c.isprintable() and c != "\ufffd")[:MOST]
