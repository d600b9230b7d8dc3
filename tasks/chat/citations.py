"""From the marks in an answer ([1], [2, 3]) to the passages that they stand for."""

import re
from collections.abc import Sequence

from llmops.tasks.chat.knowledge import Hit, OpenVersion
from llmops.tasks.chat.turn import Citation

MARK = re.compile(r"[\[【]\s{0,2}(\d{1,3}(?:\s{0,2}[,;–-]\s{0,2}\d{1,3}){0,20})\s{0,2}[\]】]")
RANGE = re.compile(r"(\d{1,3})\s*[–-]\s*(\d{1,3})")


def marked(text: str) -> list[int]:
    """The numbers in the marks of a text, each once, in the order in which they first stand."""
    numbers: dict[int, None] = {}
    for mark in MARK.finditer(text):
        listed = RANGE.sub(_listed, mark[1])
        numbers |= dict.fromkeys(int(number) for number in re.findall(r"\d+", listed))
    return list(numbers)


def citations(text: str, hits: Sequence[Hit], opened: OpenVersion) -> tuple[Citation, ...]:
    """The passages that the text cites, by number. Where it cites none, all that the model was
    shown, each with `cited` False: an answer is never without its sources.
    """
    numbers = [number for number in marked(text) if 1 <= number <= len(hits)]
    shown = sorted(numbers) or range(1, len(hits) + 1)
    return tuple(_citation(number, hits[number - 1], opened, bool(numbers)) for number in shown)


def _citation(number: int, hit: Hit, opened: OpenVersion, cited: bool) -> Citation:
    return Citation(
        number=number,
        cited=cited,
        knowledge_base=opened.name,
        version=opened.number,
        **hit.model_dump(exclude={"rank", "ordinal"}),
    )


def _listed(match: re.Match[str]) -> str:
    first, last = int(match[1]), int(match[2])
    return ",".join(map(str, range(first, min(last, first + 99) + 1))) or f"{first},{last}"
