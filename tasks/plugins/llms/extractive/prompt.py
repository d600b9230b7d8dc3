"""What the messages of a prompt hold: a question, passages that may answer it, and instructions."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from llmops.tasks.plugins.llms import Message

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
LABEL = re.compile(r"^[\s#*]*(?:the\s+)?(?:user(?:[’']s)?\s+)?question[\s*]*:[\s*]*", re.I | re.M)
ENDING = re.compile(r"\n\s*[#*]*\s*(?:your\s+)?answer[\s*]*:[\s*]*$", re.I)
HEAD = re.compile(r"^[ \t]*\[(\d{1,3})\][ \t]*(.*)$", re.M)
TAGGED = re.compile(
    r"<(passages?|contexts?|documents?|sources?|texts?|excerpts?)\b[^>]*>(.*?)</\1>", re.I | re.S
)
MATERIAL = re.compile(
    r"^[\s#*]*(?:the\s+)?(?:passages?|contexts?|documents?|sources?|texts?|excerpts?)[\s*]*:[\s*]*$|"
    r"^[\s#*]*(?:passages?|context)[\s*]*:[\s*]*(?=\S)",
    re.I | re.M,
)
ORDERS = re.compile(
    r"[\s#*\-]*(?:please\s+)?(?:answer|use|using|cite|quote|say|reply|respond|write|return|output|give|keep|be|do|don[’']t|never|always|"
    r"only|if the|if you|if no|when the|when you|unless|you are|you will|you must|you "
    r"should|you answer|you get|base|make sure|limit|"
    r"provide|include|follow|act as|refuse|read|based on|below|here (?:is|are)|the "
    r"following|a user|users)\b",
    re.I,
)


class Rules(NamedTuple):
    """`sentences`, `words`: at most so many; None: nothing is said. `unknown`: what to say without
    a supported answer. `headings`: whether a heading may be an answer.
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
    numbers = [next(filter(None, match.groups())).lower() for match in pattern.finditer(text)]
    return max(1, NUMBERS.get(numbers[-1]) or int(numbers[-1])) if numbers else None


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


class Block(NamedTuple):
    """A passage. `number`: by which it can be cited, None where it has none."""

    title: str
    text: str
    number: int | None = None


class ReadPrompt(NamedTuple):
    """`blocks` in the order of the messages."""

    question: str
    blocks: tuple[Block, ...]
    rules: Rules


def asked(messages: Sequence[Message]) -> ReadPrompt:
    """See `extractive` for what counts as which."""
    last = max(
        (number for number, message in enumerate(messages) if message.role == "user"),
        default=len(messages) - 1,
    )
    question, rest = _question(messages[last].content)
    texts = [
        message.content
        for message in [*messages[:last], *messages[last + 1 :]]
        if message.role != "assistant"
    ]
    orders, blocks = list[str](), list[Block]()
    for text in [*texts, *rest]:
        said, given = _divided(text)
        orders += said
        blocks += given
    return ReadPrompt(
        question,
        tuple(block for block in blocks if block.text.strip()),
        read_rules("\n\n".join(orders)),
    )


def _question(text: str) -> tuple[str, list[str]]:
    """The question, and what stands before and after it."""
    text = ENDING.sub("", text.strip())
    if label := list(LABEL.finditer(text)):
        question, _, after = text[label[-1].end() :].strip().partition("\n\n")
        return question.strip(), [text[: label[-1].start()], after]
    paragraphs = _paragraphs(text)
    plain = [
        number
        for number, one in enumerate(paragraphs)
        if one.rstrip().endswith(("?", "？", "؟")) or not _is_order(one)
    ]
    place = plain[-1] if plain else len(paragraphs) - 1
    return paragraphs[place] if paragraphs else "", [
        "\n\n".join(paragraphs[:place]),
        "\n\n".join(paragraphs[place + 1 :]),
    ]


def _divided(text: str) -> tuple[list[str], list[Block]]:
    """Instructions and passages: between tags, in numbered blocks, below a heading such as
    `Context:`, else all that is no order.
    """
    tagged = [
        block
        for match in TAGGED.finditer(text)
        for block in _numbered(match[2])[1] or [Block("", match[2])]
    ]
    if tagged:
        return [TAGGED.sub("", text)], tagged
    before, blocks = _numbered(text)
    if blocks:
        rest, orders = _trailing(blocks[-1].text)
        return [before, *orders], [*blocks[:-1], blocks[-1]._replace(text=rest)]
    if heading := MATERIAL.search(text):
        rest, orders = _trailing(text[heading.end() :])
        return [text[: heading.start()], *orders], [Block("", rest)]
    paragraphs = _paragraphs(text)
    return [one for one in paragraphs if _is_order(one)], [
        Block("", one) for one in paragraphs if not _is_order(one)
    ]


def _numbered(text: str) -> tuple[str, list[Block]]:
    """The text before the blocks [1], [2], …; other numbers in brackets belong to the text of a
    block.
    """
    heads: list[re.Match[str]] = []
    for match in HEAD.finditer(text):
        if int(match[1]) == len(heads) + 1:
            heads.append(match)
    if not heads:
        return text, []
    ends = [head.start() for head in heads[1:]] + [len(text)]
    blocks = [
        Block(head[2].strip(), text[head.end() : end].strip(), int(head[1]))
        for head, end in zip(heads, ends, strict=True)
    ]
    return text[: heads[0].start()], [
        one if one.text else Block("", one.title, one.number) for one in blocks
    ]


def _trailing(text: str) -> tuple[str, list[str]]:
    """The text, and the orders in paragraphs of their own at its end."""
    paragraphs = _paragraphs(text)
    orders: list[str] = []
    while len(paragraphs) > 1 and _is_order(paragraphs[-1]):
        orders.append(paragraphs.pop())
    return "\n\n".join(paragraphs), orders[::-1]


def _paragraphs(text: str) -> list[str]:
    return [one.strip() for one in re.split(r"\n[ \t]*\n", text) if one.strip()]


def _is_order(paragraph: str) -> bool:
    return bool(ORDERS.match(paragraph)) and (
        len(paragraph) < 200
        or any(rule.search(paragraph) for rule in (SENTENCES, WORDS, CITE, QUOTE, SAY))
        or paragraph.lower().startswith("you ")
    )
