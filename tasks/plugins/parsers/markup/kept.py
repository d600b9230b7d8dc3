"""Parts of a source that a reader must not touch: code and formulas."""

import re
from typing import Final

STEM: Final = "zqkept"


class KeptParts:
    """Parts that are taken out of a source, as words that no reader changes."""

    def __init__(self, source: str) -> None:
        self._parts: list[str] = []
        self._blocks = set[int]()
        self._mark = STEM
        while self._mark in source:
            self._mark += "k"
        self._word = re.compile(rf"{self._mark}(\d+)z")

    def word(self, part: str) -> str:
        self._parts.append(part)
        return f"{self._mark}{len(self._parts) - 1}z"

    def block(self, part: str) -> str:
        """The word of a part that will stand on lines of its own."""
        self._blocks.add(len(self._parts))
        return self.word(part)

    def back(self, text: str) -> str:
        """The parts where their words are; those that hold others of them, too."""
        around = re.compile(rf"\s*{self._word.pattern}\s*")
        lines = [
            line if line[:1] == "|" else around.sub(self._alone, line) for line in _lines(text)
        ]
        text = re.sub(r"\n{3,}", "\n\n", "".join(lines)).strip("\n")
        for _ in range(3):
            if self._mark not in text:
                break
            text = self._word.sub(self._part, text)
        return text

    def _alone(self, match: re.Match[str]) -> str:
        is_block = len(match[1]) < 10 and int(match[1]) in self._blocks
        return f"\n\n{match[0].strip()}\n\n" if is_block else match[0]

    def _part(self, match: re.Match[str]) -> str:
        place = int(match[1]) if len(match[1]) < 10 else len(self._parts)
        return self._parts[place] if place < len(self._parts) else match[0]


def _lines(text: str) -> list[str]:
    """The text in pieces: rows of tables, and what stands between them."""
    return re.split(r"(?m)(^\|.*\n?)", text)


def fenced(code: str, language: str = "") -> str:
    """Code as it stands, between fences that are longer than any within."""
    longest = max((len(each) for each in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    lines = "\n".join(line.rstrip() for line in code.split("\n")).strip("\n")
    return f"{fence}{language}\n{lines}\n{fence}"
