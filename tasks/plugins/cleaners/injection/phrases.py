"""Phrases that speak to a model instead of a reader, with a weight each (`phrases.txt`), and how
they add up.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

NEAR: Final = 400  # characters; phrases within this distance of the one before are one attempt
NAME: Final = re.compile(r"<([A-Z_]+)>")


class Phrase(NamedTuple):
    """A phrase in a text. `weight` from 0 to 1."""

    start: int
    end: int
    kind: str
    weight: float


@cache
def _compiled() -> tuple[tuple[str, float, re.Pattern[str]], ...]:
    """Kind, weight and pattern of every phrase. The file is read once."""
    lines = [
        line
        for line in Path(__file__).with_name("phrases.txt").read_text("utf-8").splitlines()
        if line and line[0] != "#"
    ]
    named = dict(line.split(" = ", 1) for line in lines if "\t" not in line)
    rows = (line.split("\t") for line in lines if "\t" in line)
    return tuple(
        (kind, float(weight), re.compile(_filled(pattern, named), re.IGNORECASE))
        for kind, weight, pattern in rows
    )


def _filled(pattern: str, named: Mapping[str, str]) -> str:
    return NAME.sub(lambda match: named.get(match[1], match[0]), pattern)


def phrases(text: str) -> list[Phrase]:
    """All phrases of the text, in its order."""
    return sorted(
        Phrase(*match.span(), kind, weight)
        for kind, weight, pattern in _compiled()
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
