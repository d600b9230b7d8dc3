"""What a row says, without where it comes from: its texts, its question, its answer."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from llmops.tasks.datasets.training.row import Message, Row
from llmops.tasks.plugins import canonical
from llmops.tasks.texts.comparable import folded

INSTRUCTIONS = ("system", "developer")
"""Roles whose texts are the same in every row of an application: they make no two rows alike."""


def prompt(row: Row) -> tuple[Message, ...]:
    """The messages before the answer: all of a pair's `messages`, else what ends with the last
    message that is not the assistant's; instructions are in it.
    """
    return row.messages if row.chosen is not None else row.messages[: _end(row)]


def answers(row: Row) -> tuple[tuple[Message, ...], ...]:
    """What is learnt from: (chosen, rejected) of a pair, else the messages after the prompt."""
    if row.chosen is not None:
        return (row.chosen, row.rejected) if row.rejected is not None else (row.chosen,)
    return (row.messages[_end(row) :],)


def _end(row: Row) -> int:
    others = [place for place, one in enumerate(row.messages, 1) if one.role != "assistant"]
    return others[-1] if others else 0


def messages(row: Row) -> Iterator[Message]:
    """Every message: of the prompt, then of the better and the worse answer."""
    yield from row.messages
    yield from row.chosen or ()
    yield from row.rejected or ()


def text(message: Message) -> str:
    """The content and the calls of tools, without ids."""
    calls = (f"{call.function.name} {call.function.arguments}" for call in message.tool_calls)
    return "\n".join([message.content or "", *calls]).strip()


def said(parts: tuple[Message, ...]) -> str:
    """The texts of messages but of instructions, one after the other."""
    return "\n".join(text(one) for one in parts if one.role not in INSTRUCTIONS)


def parts(row: Row) -> tuple[str, str]:
    """What is asked and what is answered (of a pair, both answers), without instructions: what
    near-duplicates are told by.
    """
    return said(prompt(row)), "\n".join(map(said, answers(row)))


class ContentHashes(NamedTuple):
    """SHA-256 of what a row says: `exact` of its very characters, `normalised` of its words without
    case, width, invisible characters and kinds of white space.
    """

    exact: bytes
    normalised: bytes


def content_hashes(row: Row) -> ContentHashes:
    """The hashes of messages, answers and tools: id, group, score and lineage are not in them."""
    exact = [canonical(list(row.tools)) if row.tools else ""]
    plain = list(exact)
    for part in (row.messages, row.chosen, row.rejected):
        exact.append("-" if part is None else str(len(part)))
        plain.append(exact[-1])
        for one in part or ():
            said = text(one)
            exact += (one.role, one.name or "", said)
            plain += (one.role, one.name or "", folded(said))
    return ContentHashes(_hash(exact), _hash(plain))


def prompt_hash(row: Row) -> bytes:
    """The normalised hash of the prompt without instructions."""
    kept = [one for one in prompt(row) if one.role not in INSTRUCTIONS]
    return _hash([part for one in kept for part in (one.role, folded(text(one)))])


def _hash(parts: Sequence[str]) -> bytes:
    """Lengths keep ("ab", "c") and ("a", "bc") apart."""
    said = "\x1f".join([",".join([str(len(part)) for part in parts]), *parts])
    return sha256(said.encode("utf-8", "surrogatepass")).digest()
