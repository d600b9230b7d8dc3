"""Drafts of a prompt: its texts changed by a person who tries them, before there is a version."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from llmops.tasks.chat.prompt import KNOWN, QUESTION, check
from llmops.tasks.errors import UsageError
from llmops.tasks.prompts import MessageTemplate, Prompt, Resolved, Variable, template
from llmops.tasks.prompts.template import Fault

LONGEST = 32_000
"""Characters of all messages of a draft."""
SHOWN = 80
SCHEME = "draft:"
Kind = Literal["empty", "long", "unknown", "no_question", "sign"] | Fault


class DraftMistake(NamedTuple):
    """`message`: which of the texts, from 1 on, 0 for all of them; `found`: what stands there, for
    `long` the number of characters.
    """

    kind: Kind
    message: int = 0
    found: str = ""


class DraftMistakes(UsageError):
    """All that is wrong with a draft at once."""

    def __init__(self, found: Sequence[DraftMistake]) -> None:
        told = "; ".join(" ".join(map(str, mistake)).strip() for mistake in found)
        super().__init__(f"the draft cannot be used: {told}")
        self.found = tuple(found)


def draft_of(base: Resolved, texts: Sequence[str]) -> Resolved:
    """The prompt with other texts in its messages, the rest as it is. Raises DraftMistakes."""
    prompt = base.prompt
    if len(texts) != len(prompt.messages):
        raise UsageError(
            f"got {len(texts)} texts for a prompt of {len(prompt.messages)} messages",
            hint="open the prompt once more: it has changed",
        )
    declared = prompt.variables
    optional = [name for name, variable in declared.items() if variable.optional]
    if mistakes := list(_mistakes(texts, {*KNOWN, *optional})):
        raise DraftMistakes(mistakes)
    used = dict.fromkeys(name for text in texts for name in template.names(text))
    changed = Prompt(
        name=prompt.name,
        messages=tuple(
            MessageTemplate(role=message.role, content=text)
            for message, text in zip(prompt.messages, texts, strict=True)
        ),
        variables={name: declared.get(name, Variable()) for name in used} if declared else {},
        model=prompt.model,
        output=prompt.output,
        description=prompt.description,
    )
    uri = f"{SCHEME}{changed.name}@{changed.sha256[:12]}"
    check(changed, uri, KNOWN)
    return Resolved(prompt=changed, uri=uri)


def _mistakes(texts: Sequence[str], known: set[str]) -> Iterator[DraftMistake]:
    if (size := sum(map(len, texts))) > LONGEST:
        yield DraftMistake("long", found=str(size))
        return  # it is not looked through
    for number, text in enumerate(texts, 1):
        if not text.strip():
            yield DraftMistake("empty", number)
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            yield DraftMistake("sign", number)
        for fault, found in dict.fromkeys(template.faults(text)):
            yield DraftMistake(fault, number, found[:SHOWN])
        for name in dict.fromkeys(template.names(text)):
            if name not in known:
                yield DraftMistake("unknown", number, name[:SHOWN])
    if not any(QUESTION in template.names(text) for text in texts):
        yield DraftMistake("no_question")
