"""Personal data and secrets out of a row: one pseudonym for one value, wherever the row says it."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from llmops.tasks.datasets.training.row import Message, Row
from llmops.tasks.plugins.cleaners.pii.patterns import EntitySpan, apart
from llmops.tasks.plugins.cleaners.pii.pseudonyms import Pseudonyms
from llmops.tasks.plugins.scrubbers import Scrubber

SHORT = 4
"""Characters of a value that is looked for where the scrubber did not see it."""


class Scrubbed(NamedTuple):
    """`row`: with pseudonyms, the given one itself where there was nothing to do. `replaced`: how
    many places by entity. `left`: entities that a second scan still finds; a row with any is not to
    be used.
    """

    row: Row
    replaced: Mapping[str, int]
    left: tuple[str, ...]


def scrub(row: Row, scrubber: Scrubber) -> Scrubbed:
    """The row without what the scrubber finds: in the contents, names and tool calls of all
    messages, of the better and the worse answer, and in the tools. Equal values have one pseudonym
    (`<EMAIL_1>`) throughout; a value that is found in one place is replaced in all. Arguments of
    tool calls stay JSON. Id, group and lineage stay: by them rows are erased.
    """
    texts = [each for each in _texts(row) if each]
    values = {
        text[one.start : one.end]: one.entity for text in texts for one in scrubber.places(text)
    }
    if not values:
        return Scrubbed(row, {}, ())
    work = _RowPseudonyms(scrubber, values)
    clean = row.model_copy(
        update={
            "messages": work.messages(row.messages),
            "tools": tuple(map(work.value, row.tools)),
            "chosen": work.messages(row.chosen),
            "rejected": work.messages(row.rejected),
        }
    )
    left = {one.entity for text in _texts(clean) for one in work.places(text)}
    return Scrubbed(clean, dict(sorted(work.replaced.items())), tuple(sorted(left)))


def _texts(row: Row) -> Iterator[str]:
    for one in (*row.messages, *(row.chosen or ()), *(row.rejected or ())):
        yield one.content or ""
        yield one.name or ""
        for call in one.tool_calls:
            yield call.function.arguments
            yield from _strings(_parsed(call.function.arguments))
    yield from _strings(list(row.tools))


def _parsed(arguments: str) -> object:
    """The arguments as a value; None for what is no JSON."""
    try:
        value: object = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    return value


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)


class _RowPseudonyms:
    """One row's pseudonyms, and the values that were found anywhere in it."""

    def __init__(self, scrubber: Scrubber, values: Mapping[str, str]) -> None:
        self._scrubber, self._values = scrubber, values
        self._names = Pseudonyms(numbered=True)
        known = sorted((one for one in values if len(one) >= SHORT), key=len, reverse=True)
        either = "|".join(map(re.escape, known))
        self._known = re.compile(rf"(?<!\w)(?:{either})(?!\w)") if known else None
        self.replaced = Counter[str]()

    def places(self, text: str) -> list[EntitySpan]:
        found = self._scrubber.places(text)
        if self._known is not None:
            found += [
                EntitySpan(*match.span(), self._values[match[0]])
                for match in self._known.finditer(text)
            ]
        return apart(found)

    def _counted(self, text: str) -> list[EntitySpan]:
        found = self.places(text)
        self.replaced.update(one.entity for one in found)
        return found

    def text(self, text: str) -> str:
        return self._names.replaced(text, self._counted)

    def messages(self, messages: tuple[Message, ...] | None) -> tuple[Message, ...] | None:
        return None if messages is None else tuple(map(self._message, messages))

    def _message(self, one: Message) -> Message:
        calls = tuple(
            call.model_copy(
                update={
                    "function": call.function.model_copy(
                        update={"arguments": self.arguments(call.function.arguments)}
                    )
                }
            )
            for call in one.tool_calls
        )
        name = re.sub(r"[<>]", "", self.text(one.name)) if one.name else one.name
        content = self.text(one.content) if one.content else one.content
        return one.model_copy(update={"content": content, "name": name, "tool_calls": calls})

    def arguments(self, arguments: str) -> str:
        """The text as it stands where nothing is found; written anew where a number or an escape
        hides something."""
        value = _parsed(arguments)
        if value is None:
            return self.text(arguments)
        if not self.places(arguments) and not any(map(self.places, _strings(value))):
            return arguments
        return json.dumps(self.value(value), ensure_ascii=False)

    def value(self, value: object) -> object:
        """The same value with pseudonyms in its strings; numbers that are personal become such."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self.text(str(value)) if self.places(str(value)) else value
        if isinstance(value, Mapping):
            return {key: self.value(one) for key, one in value.items()}
        return [self.value(one) for one in value] if isinstance(value, list | tuple) else value
