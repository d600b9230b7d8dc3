"""What gives an attempt away: its phrases, characters that nobody sees, a small model's score."""

import base64
import json
import math
import re
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

NEAR: Final = 400  # characters; phrases within this distance of the one before are one attempt
NAME: Final = re.compile(r"<([A-Z_]+)>")
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
FILE: Final = Path(__file__).with_name("injection.json")
SIZE: Final = 2**14
LONGEST_RUN: Final = 3
WINDOW, LONGEST_SENTENCE = 300, 600  # characters
AT_CUT: Final = math.log(0.6 / 0.4)
"""The score is 0.6, the default threshold, where one in a thousand ordinary documents lies
above.
"""
WORD: Final = re.compile(r"\w{1,40}+")
BORDER: Final = re.compile(r"(?<=[.!?。！？])\s+|\s*\n\s*|(?<=[。！？])")


class Phrase(NamedTuple):
    """A phrase in a text. `weight` from 0 to 1."""

    start: int
    end: int
    kind: str
    weight: float


class _Part(NamedTuple):
    """Expressions with kind and weight, and words of which a text with one of them holds one."""

    words: tuple[str, ...]
    expressions: list[tuple[str, float, re.Pattern[str]]]


@cache
def _compiled() -> tuple[_Part, ...]:
    """All phrases. The file is read once."""
    parts, named = [_Part((), [])], dict[str, str]()
    for line in Path(__file__).with_name("phrases.txt").read_text("utf-8").splitlines():
        if line.startswith("@"):
            parts.append(_Part(tuple(line[1:].split()), []))
        elif "\t" in line:
            kind, weight, pattern = line.split("\t")
            pattern = NAME.sub(lambda m: named.get(m[1], m[0]), pattern)
            compiled = re.compile(pattern, re.IGNORECASE)
            parts[-1].expressions.append((kind, float(weight), compiled))
        elif line and line[0] != "#":
            name, _, named_pattern = line.partition(" = ")
            named[name] = named_pattern
    return tuple(parts)


def phrases(text: str) -> list[Phrase]:
    """All phrases of the text, in its order."""
    small = text.lower()
    return sorted(
        Phrase(*match.span(), kind, weight)
        for words, expressions in _compiled()
        if not words or any(word in small for word in words)
        for kind, weight, pattern in expressions
        for match in pattern.finditer(text)
    )


def attempts(text: str) -> list[tuple[float, list[Phrase]]]:
    """Phrases that stand near each other, with the probability that not all of them are harmless: 1
    - Π(1 - weight), where each kind counts once, with its largest weight."""
    groups: list[list[Phrase]] = []
    for one in phrases(text):
        if groups and one.start - groups[-1][-1].end <= NEAR:
            groups[-1].append(one)
        else:
            groups.append([one])
    return [(score(group), group) for group in groups]


def score(group: Sequence[Phrase]) -> float:
    harmless = 1.0
    for kind in {one.kind for one in group}:
        harmless *= 1 - max(one.weight for one in group if one.kind == kind)
    return 1 - harmless


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


class Classifier(NamedTuple):
    """`weights` are whole numbers, to be multiplied by `scale`."""

    weights: "array[int]"
    scale: float
    bias: float
    cut: float


@cache
def model() -> Classifier:
    model = json.loads(FILE.read_text())
    return Classifier(
        array("b", base64.b64decode(model["weights"])), model["scale"], model["bias"], model["cut"]
    )


def windows(text: str) -> list[tuple[int, int]]:
    """Neighbouring sentences or lines of a paragraph, up to about 300 characters."""
    borders = [0, *(match.end() for match in BORDER.finditer(text)), len(text)]
    spans: list[tuple[int, int]] = []
    start = end = 0
    for last, place in pairwise(borders):
        paragraph = text.count("\n", max(0, last - 8), last) > 1
        for stop in [*range(last + LONGEST_SENTENCE, place, LONGEST_SENTENCE), place]:
            if end > start and (paragraph or stop - start > WINDOW):
                spans.append((start, end))
                start = end
            end, paragraph = stop, False
    return [*spans, (start, end)] if end > start else spans


def features(text: str) -> Counter[int]:
    """How often each word and each run of two or three words occurs, by hash."""
    words = WORD.findall(text.lower())
    runs = (
        " ".join(words[n : n + length])
        for length in range(1, LONGEST_RUN + 1)
        for n in range(len(words) - length + 1)
    )
    return Counter(zlib.crc32(run.encode("utf-8", "surrogatepass")) % SIZE for run in runs)


def learned_score(text: str) -> float:
    """From 0 to 1, how much a window sounds like an instruction to a model."""
    counts, known = features(text), model()
    length = math.sqrt(sum(count * count for count in counts.values())) or 1.0
    total = sum(known.weights[place] * count for place, count in counts.items())
    return 1 / (
        1 + math.exp(min(50.0, -(known.bias + known.scale * total / length - known.cut + AT_CUT)))
    )
