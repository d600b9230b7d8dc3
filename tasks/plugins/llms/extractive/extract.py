"""The answer of `extractive`: which sentences, in which form."""

from collections.abc import Sequence
from typing import NamedTuple

from llmops.tasks.plugins.llms import Message
from llmops.tasks.plugins.llms.extractive.asked import ReadPrompt, asked
from llmops.tasks.plugins.llms.extractive.rules import UNKNOWN
from llmops.tasks.plugins.llms.extractive.support import SupportedSentence, ranked

CLOSE = 0.5
"""Of the best sentence's support, what another one must have to be worth saying."""
STOPS = ".!?。！？…"


class Said(NamedTuple):
    """`cited`: the numbers of the passages that the text comes from."""

    text: str
    cited: tuple[int, ...] = ()


def answered(messages: Sequence[Message], most: int, threshold: float) -> Said:
    """What `extractive` says to these messages."""
    found = asked(messages)
    sentences = ranked(found.question, found.blocks)
    unknown = found.rules.unknown
    if not sentences:
        return Said(unknown or UNKNOWN)
    if unknown is not None and sentences[0].support < threshold:
        return Said(unknown)
    limit = found.rules.sentences or most
    close = [one for one in sentences[:limit] if one.support >= CLOSE * sentences[0].support]
    chosen = _fitting(close[:1] if not sentences[0].support else close, found.rules.words)
    chosen.sort(key=lambda one: (one.block, one.place))
    numbers = dict.fromkeys(
        number for one in chosen if (number := found.blocks[one.block].number) is not None
    )
    return Said(" ".join(_formed(one, found) for one in chosen), tuple(numbers))


def _fitting(sentences: list[SupportedSentence], words: int | None) -> list[SupportedSentence]:
    """As many of the best as have together at most so many words; the best one is cut where it is
    too long itself.
    """
    if words is None:
        return sentences
    chosen: list[SupportedSentence] = []
    left = words
    for one in sentences:
        size = len(one.text.split())
        if size <= left:
            chosen.append(one)
            left -= size
    return chosen or [sentences[0]._replace(text=" ".join(sentences[0].text.split()[:words]))]


def _formed(sentence: SupportedSentence, found: ReadPrompt) -> str:
    """In quotation marks and with its source, where that is wanted; the source stands before the
    stop.
    """
    text, number = " ".join(sentence.text.split()), found.blocks[sentence.block].number
    if found.rules.quote:
        text = f'"{text}"'
    if not found.rules.cite or number is None:
        return text
    stop = text[len(text.rstrip(STOPS)) :]
    return f"{text.rstrip(STOPS)} [{number}]{stop}"
