"""The answer of `extractive`: which sentences support it, and in which form they are said, also
as a value of a JSON schema.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import log
from typing import Any, NamedTuple

from llmops.tasks.plugins.llms import Message
from llmops.tasks.plugins.llms.extractive.prompt import UNKNOWN, Block, ReadPrompt, asked
from llmops.tasks.plugins.llms.extractive.running_text import TextPiece, pieces
from llmops.tasks.texts.scripts import HANGUL, UNSPACED
from llmops.tasks.texts.terms import stemmer

CLOSE = 0.5
"""Of the best sentence's support, what another one must have to be worth saying."""
STOPS = ".!?。！？…"
DENSE = UNSPACED + HANGUL
TOKEN = re.compile(rf"[{DENSE}]+|(?:(?![{DENSE}])[^\W_])+")
PIECE = re.compile(rf"[{DENSE}]|(?:(?![{DENSE}])\w)+")
"""What counts as a token where lengths are limited."""
STOP_WORDS = """
a about all also am an and any are as at be been but by can could did do does doing for
from get give had has have having he her his how i if in into is it its just know like
many may me might mean much must my no not of on one or our out own please should so
some such tell than that the their them then there these they this those to too up us
use very was we were what when where whether which while who whom whose why will with
would you your
"""
STOP = frozenset(STOP_WORDS.split())
"""English words that say nothing of what is asked for."""
NEIGHBOUR = 0.5
"""A word of the question that stands in the sentence before, or in the passage's title, counts
half; so does one in the heading above.
"""


class Said(NamedTuple):
    """`cited`: the numbers of the passages that the text comes from."""

    text: str
    cited: tuple[int, ...] = ()


def answered(messages: Sequence[Message], most: int, threshold: float) -> Said:
    """What `extractive` says to these messages."""
    prompt = asked(messages)
    sentences = ranked(prompt.question, prompt.blocks)
    unknown = prompt.rules.unknown
    if not sentences:
        return Said(unknown or UNKNOWN)
    if unknown is not None and sentences[0].support < threshold:
        return Said(unknown)
    limit = prompt.rules.sentences or most
    close = [one for one in sentences[:limit] if one.support >= CLOSE * sentences[0].support]
    chosen = _fitting(close[:1] if not sentences[0].support else close, prompt.rules.words)
    chosen.sort(key=lambda one: (one.block, one.place))
    numbers = dict.fromkeys(
        number for one in chosen if (number := prompt.blocks[one.block].number) is not None
    )
    return Said(" ".join(_formed(one, prompt) for one in chosen), tuple(numbers))


def _fitting(sentences: list["SupportedSentence"], words: int | None) -> list["SupportedSentence"]:
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


def _formed(sentence: "SupportedSentence", prompt: ReadPrompt) -> str:
    """In quotation marks and with its source, where that is wanted; the source stands before the
    stop.
    """
    text, number = " ".join(sentence.text.split()), prompt.blocks[sentence.block].number
    if prompt.rules.quote:
        text = f'"{text}"'
    if not prompt.rules.cite or number is None:
        return text
    stop = text[len(text.rstrip(STOPS)) :]
    return f"{text.rstrip(STOPS)} [{number}]{stop}"


class SupportedSentence(NamedTuple):
    """`support`: the share of the question's words that it holds, by weight, from 0 to 1."""

    text: str
    block: int
    place: int
    support: float


@lru_cache(maxsize=20_000)
def terms(text: str) -> tuple[str, ...]:
    """English stems, words of other languages as they are, pairs of characters where no spaces
    stand between words.
    """
    stems: list[str] = []
    for token in TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if re.match(rf"[{DENSE}]", token):
            stems += [token[i : i + 2] for i in range(max(1, len(token) - 1))]
        else:
            stems.append(str(stemmer().stemWord(token)) if token.isascii() else token)
    return tuple(stems)


def ranked(question: str, blocks: Sequence[Block]) -> list[SupportedSentence]:
    """All sentences of the blocks, the best supported first; of equals the earlier one."""
    cut = [pieces(block.text) for block in blocks]
    bags = [[frozenset(terms(one.text)) for one in part] for part in cut]
    weights = _weights(question, [bag for part in bags for bag in part])
    supported = [
        SupportedSentence(part[place].text, number, place, _support(weights, *words))
        for number, part in enumerate(cut)
        for place, *words in _placed(part, bags[number], frozenset(terms(blocks[number].title)))
    ]
    return sorted(supported, key=lambda one: (-round(one.support, 9), one.block, one.place))


def _weights(question: str, bags: Sequence[frozenset[str]]) -> dict[str, float]:
    """The inverse document frequency of each word of the question over the given sentences
    (Robertson and Zaragoza 2009, as in BM25).
    """
    wanted = {
        term
        for word in TOKEN.findall(question)
        if word.casefold() not in STOP
        for term in terms(word)
    } or set(terms(question))
    counts = Counter(term for bag in bags for term in bag & wanted)
    return {
        term: log(1 + (len(bags) - counts[term] + 0.5) / (counts[term] + 0.5))
        for term in sorted(wanted)
    }


def _placed(
    part: Sequence[TextPiece], bags: Sequence[frozenset[str]], title: frozenset[str]
) -> Iterator[tuple[int, frozenset[str], frozenset[str], frozenset[str]]]:
    """Of each sentence that may be said: its place, its words, those near it, and those of which
    the question must have one: right below a heading, the heading's too.
    """
    above = frozenset[str]()
    for place, bag in enumerate(bags):
        if part[place].heading:
            above = bag
        elif part[place].said:
            before = bags[place - 1] if place else frozenset[str]()
            first = place > 0 and part[place - 1].heading
            yield place, bag, title | above | before, bag | above if first else bag


def _support(
    weights: dict[str, float], bag: frozenset[str], near: frozenset[str], own: frozenset[str]
) -> float:
    held = sum(
        weight if term in bag else NEIGHBOUR * weight if term in near else 0.0
        for term, weight in weights.items()
    )
    return held / sum(weights.values()) if weights and not own.isdisjoint(weights) else 0.0


def filled(schema: Mapping[str, Any], text: str, numbers: Sequence[int]) -> object:
    """`text` in the first property that takes any text, `numbers` in lists of whole numbers; the
    rest as small as the schema allows.
    """
    return _Filling(schema, text, numbers).value(schema)


class _Filling:
    def __init__(self, root: Mapping[str, Any], text: str, numbers: Sequence[int]) -> None:
        self.root, self.text, self.numbers = root, text, list(numbers)
        self.used = False

    def value(self, schema: Mapping[str, Any], depth: int = 0) -> object:
        schema = self._resolved(schema)
        if "const" in schema or "enum" in schema:
            return schema.get("const", next(iter(schema.get("enum", [])), None))
        if depth > 20:
            return None  # a schema that holds itself
        kind = self._kind(schema)
        if kind == "string":
            return self._text()
        if kind == "object":
            return {
                name: self.value(part, depth + 1)
                for name, part in schema.get("properties", {}).items()
            }
        return self._list(schema, depth) if kind == "array" else self._scalar(schema, kind)

    def _text(self) -> str:
        self.used, first = True, not self.used
        return self.text if first else ""

    def _list(self, schema: Mapping[str, Any], depth: int) -> Sequence[object]:
        items = self._resolved(schema.get("items") or {})
        if self._kind(items) == "integer":
            return self.numbers
        least = schema.get("minItems", 0) or int(self._kind(items) == "string" and not self.used)
        return [self.value(items, depth + 1) for _ in range(least)]

    @staticmethod
    def _scalar(schema: Mapping[str, Any], kind: str) -> object:
        least = schema.get("minimum", min(0, schema.get("maximum", 0)))
        return {"boolean": True, "null": None, "integer": int(least), "number": float(least)}.get(
            kind
        )

    @staticmethod
    def _kind(schema: Mapping[str, Any]) -> str:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        return (
            next((one for one in kind if one != "null"), "null")
            if isinstance(kind, list)
            else str(kind)
        )

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follows `#/$defs/Name`, and takes the first of several choices."""
        for _ in range(20):
            choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
            if isinstance(schema.get("$ref"), str):
                target: Any = self.root
                for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
                    target = target.get(part, {}) if part else target
                schema = target
            elif choices:
                schema = choices[0]
            else:
                break
        return schema
