"""The instructions that `extractive` follows, read from the text of a prompt. In English."""

import re
from typing import NamedTuple

WORDS_FOR = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
NUMBERS = {word: number for number, word in enumerate(WORDS_FOR, 1)} | {"a": 1, "single": 1}
NUMBER = rf"(?:\d{{1,3}}|{'|'.join(NUMBERS)})"
KIND = r"(?:(?:short|brief|concise|complete|full|single|clear)\s+)*"
SENTENCES = re.compile(rf"\b(?:{NUMBER}\s*(?:-|–|to|or)\s*)?({NUMBER})\s+{KIND}sentences?\b", re.I)
MOST = (
    r"(?:at most|no more than|not more than|up to|under|below|fewer than|less than|(?:a "
    r")?max(?:imum)?\.?(?: of)?|within|in|using|with|"
    r"about|around)"
)
WORDS = re.compile(
    rf"\b{MOST}\s+({NUMBER})\s+words\b|\b({NUMBER})\s+words\s+(?:or (?:less|fewer)|at "
    rf"most|maximum|max)\b",
    re.I,
)
NOT = r"(?:do not|don[’']t|never|without|avoid|no need to)\s+(?:\w+\s+){0,2}"
NAMING = r"(?:give|name|mention|include|add|reference)\s+(?:\w+\s+){0,3}(?:sources?|references?)"
CITE = re.compile(rf"({NOT})?\b(?:cit(?:e|es|ing|ations?)|{NAMING})\b", re.I)
QUOTE = re.compile(rf"({NOT})?\b(?:quot(?:e|es|ing)\b(?! marks)|verbatim\b|word for word\b)", re.I)
QUOTED = r"(?:\"([^\"\n]{1,200})\"|“([^”\n]{1,200})”|«([^»\n]{1,200})»|`([^`\n]{1,200})`|'([^\n]{1,200}?)'(?!\w))"  # noqa: E501
BARELY = r"(?:\s+(?:exactly|only|just|simply|with|the words?|the phrase|this))*"
SAY = re.compile(
    rf"\b(?:say|answer|reply|respond|write|return|output|state)\b{BARELY}:?\s*{QUOTED}", re.I
)
SAY_PLAINLY = re.compile(
    r"\b(?:say|answer|reply|respond|state|admit)\s+(?:that\s+)?(?:you|I)\s+(?:do "
    r"not|don[’']t)\s+know\b",
    re.I,
)
CONDITION = re.compile(
    r"\b(?:if|when|where|unless|otherwise|in case|whenever|else|without)\b", re.I
)
UNKNOWN = "I don't know."


class Rules(NamedTuple):
    """`sentences`, `words`: at most so many; None: nothing is said. `unknown`: what to say without
    a supported answer.
    """

    sentences: int | None = None
    words: int | None = None
    cite: bool = False
    quote: bool = False
    unknown: str | None = None


def read_rules(text: str) -> Rules:
    """What is asked for last counts, where it is asked for twice."""
    return Rules(
        _last(SENTENCES, text),
        _last(WORDS, text),
        _wanted(CITE, text),
        _wanted(QUOTE, text),
        _unknown(text),
    )


def _last(pattern: re.Pattern[str], text: str) -> int | None:
    found = [next(filter(None, match.groups())).lower() for match in pattern.finditer(text)]
    return max(1, NUMBERS.get(found[-1]) or int(found[-1])) if found else None


def _wanted(pattern: re.Pattern[str], text: str) -> bool:
    return any([not match[1] for match in pattern.finditer(text)][-1:])


def _unknown(text: str) -> str | None:
    """The words of: If the passages do not answer the question, say "…"."""
    for sentence in reversed(re.split(r"(?<=[.!?])[\"'”’]?\s+(?=[A-Z\-*])|\n\s*\n", text)):
        if CONDITION.search(sentence) and (said := list(SAY.finditer(sentence))):
            return str(next(filter(None, said[-1].groups())))
        if SAY_PLAINLY.search(sentence):
            return UNKNOWN
    return None
