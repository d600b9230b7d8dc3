"""The headings of Markdown: where they are and which ones stand above an offset."""

import re
from bisect import bisect_right
from dataclasses import dataclass

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?[ \t]*#*[ \t]*$")
SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
NOT_SETEXT = re.compile(r"[ \t]*(?:$|[-*+>|#]|\d+[.)]|\s{4})")
ANCHOR = re.compile(r"[ \t]*\{[ \t]*#[^}]*\}$")


@dataclass(frozen=True)
class Heading:
    """A heading: offsets of its first character and after its last line, level from 1, and its text
    without markup.
    """

    start: int
    end: int
    level: int
    text: str


@dataclass(frozen=True)
class Outline:
    """The headings of a document in order, and the code blocks (offsets) between them."""

    headings: tuple[Heading, ...] = ()
    fences: tuple[tuple[int, int], ...] = ()

    def paths(self) -> "Paths":
        return Paths([heading.start for heading in self.headings], _paths(self.headings))


@dataclass(frozen=True)
class Paths:
    starts: list[int]
    values: list[tuple[str, ...]]

    def at(self, offset: int) -> tuple[str, ...]:
        """The texts of the headings above an offset, outermost first; a heading that begins there
        is among them.
        """
        number = bisect_right(self.starts, offset)
        return self.values[number - 1] if number else ()


def outline(text: str) -> Outline:
    """ATX (`# x`) and setext (underlined) headings outside of fenced code, and the fenced code."""
    headings: list[Heading] = []
    fences: list[tuple[int, int]] = []
    opened, begin, offset, previous = "", 0, 0, ""
    for line in text.splitlines(keepends=True):
        fence = FENCE.match(line)
        if fence and not opened:
            opened, begin = fence[1], offset
        elif fence and fence[1].startswith(opened) and not line.strip(" \t\r\n`~"):
            opened = ""
            fences.append((begin, offset + len(line)))
        elif not opened and (heading := _heading(line, previous, offset)):
            headings.append(heading)
        previous = "" if opened or fence else line
        offset += len(line)
    return Outline(tuple(headings), (*fences, (begin, offset)) if opened else tuple(fences))


def _heading(line: str, previous: str, offset: int) -> Heading | None:
    end = offset + len(line)
    if match := ATX.match(line.rstrip("\r\n")):
        return Heading(offset, end, len(match[1]), _plain(match[2] or ""))
    under = SETEXT.match(line.rstrip("\r\n"))
    if under and not NOT_SETEXT.match(previous) and not previous.lstrip().startswith("#"):
        return Heading(
            offset - len(previous), end, 1 if under[1][0] == "=" else 2, _plain(previous)
        )
    return None


def _plain(text: str) -> str:
    return ANCHOR.sub("", text.strip()).strip("*_ \t")


def _paths(headings: tuple[Heading, ...]) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    above: list[Heading] = []
    for heading in headings:
        above = [*(other for other in above if other.level < heading.level), heading]
        paths.append(tuple(other.text for other in above if other.text))
    return paths
