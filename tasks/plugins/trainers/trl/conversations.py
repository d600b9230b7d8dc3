"""Rows as the model sees them: in its tokens, under its chat template, with what is learnt."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from llmops.tasks.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Said = Sequence[Mapping[str, object]]
"""Messages, as chat templates take them."""
Record = Mapping[str, object]
MASKED = -100
MARKER = re.compile(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})")


class Learnt(NamedTuple):
    """A row in tokens. `columns`: as TRL's trainer takes them; `length`: of the longest sequence;
    `spans`: what is learnt of it, each an answer with its end.
    """

    columns: dict[str, list[int] | bool]
    length: int
    spans: tuple[tuple[int, ...], ...]
    prompt_differs: bool = False

    @property
    def trained(self) -> int:
        return sum(map(len, self.spans))


@dataclass(frozen=True)
class ChatTokens:
    """A tokenizer with its chat template. `marked`: the same template with marks around what the
    assistant says, where there is one; `ends`: the tokens at which the model stops.
    """

    tokenizer: "PreTrainedTokenizerBase"
    template: str
    marked: str | None
    ends: frozenset[int]

    def ids(self, said: Said, tools: object, *, asks: bool = False) -> list[int]:
        """`asks`: it is the assistant's turn."""
        found = self.tokenizer.apply_chat_template(
            list(said),
            tools=tools or None,
            chat_template=self.template,
            add_generation_prompt=asks,
            tokenize=True,
            return_dict=True,
        )
        return list(found["input_ids"])

    def marked_ids(self, said: Said, tools: object) -> tuple[list[int], list[int]]:
        """(tokens, 1 where the assistant speaks). Raises UsageError without marks."""
        if self.marked is None:
            raise UsageError(
                "the chat template of the model does not mark what the assistant says, so the "
                "answers of a whole conversation cannot be told from its questions",
                hint="export trl_sft with train_on: last, or give chat_template: a file with "
                "{% generation %} and {% endgeneration %} around it",
            )
        found = self.tokenizer.apply_chat_template(
            list(said),
            tools=tools or None,
            chat_template=self.marked,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        return list(found["input_ids"]), list(found["assistant_masks"])

    def ended(self, span: Sequence[int]) -> bool:
        """Whether the last token that is no white space is one at which the model stops."""
        for token in reversed(span):
            if token in self.ends:
                return True
            if self.tokenizer.decode([token]).strip():
                return False
        return False

    def speaks(self, span: Sequence[int]) -> bool:
        """Whether there is more in it than ends and white space."""
        words = [token for token in span if token not in self.ends]
        return bool(words) and bool(self.tokenizer.decode(words).strip())

    def fault(self, row: Learnt, most: int) -> str:
        """Why a row is left out: over_long, no_answer, no_end; empty where it is learnt."""
        if row.length > most:
            return "over_long"
        if not row.spans or not all(map(self.speaks, row.spans)):
            return "no_answer"
        return "" if all(map(self.ended, row.spans)) else "no_end"


def unmarked(template: str) -> str:
    """The same template without marks, as other runtimes read it: they do not know them."""
    return MARKER.sub(lambda m: f"{m[1]}{'endif' if m[2] else 'if true'}{m[3]}", template)


def learnt(record: Record, chat: ChatTokens) -> Learnt:
    """A record of trl_sft, trl_dpo or trl_kto in tokens."""
    tools = record.get("tools")
    if "messages" in record:
        tokens, mask = chat.marked_ids(messages(record, "messages"), tools)
        labels = [token if said else MASKED for token, said in zip(tokens, mask, strict=True)]
        return Learnt({"input_ids": tokens, "labels": labels}, len(tokens), _runs(labels))
    prompt = messages(record, "prompt")
    names = [each for each in ("completion", "chosen", "rejected") if each in record]
    asked = chat.ids(prompt, tools, asks=True)
    whole = [chat.ids([*prompt, *messages(record, name)], tools) for name in names]
    start = min(_common(asked, each) for each in whole)
    answers = [each[start:] for each in whole]
    columns: dict[str, list[int] | bool]
    if "chosen" in record:
        columns = {"prompt_ids": asked[:start]}
        columns |= {"chosen_ids": answers[0], "rejected_ids": answers[1]}
    elif "label" in record:
        columns = {"prompt_ids": asked[:start], "completion_ids": answers[0]}
        columns["label"] = bool(record["label"])
    else:
        columns = {"input_ids": whole[0], "labels": [MASKED] * start + answers[0]}
    spans = tuple(tuple(each) for each in answers)
    return Learnt(columns, max(map(len, whole)), spans, start < len(asked))


def parts(record: Record, chat: ChatTokens, most: int) -> Iterator[Record]:
    """A conversation that is too long, in parts that are not, parted between turns. Of one with a
    prompt the part that is left holds its answer; none where a single turn is too long.
    """
    key = "messages" if "messages" in record else "prompt"
    head, turns = _turns(messages(record, key))
    if key == "prompt":
        for start in range(1, len(turns)):
            shorter = {**record, key: [*head, *_flat(turns[start:])]}
            if learnt(shorter, chat).length <= most:
                yield shorter
                return
        return
    part: list[list[Mapping[str, object]]] = []
    for turn in turns:
        longer = {**record, key: [*head, *_flat([*part, turn])]}
        if part and learnt(longer, chat).length > most:
            yield {**record, key: [*head, *_flat(part)]}
            part = []
        part.append(turn)
    if part:
        yield {**record, key: [*head, *_flat(part)]}


def messages(record: Record, name: str) -> list[Mapping[str, object]]:
    value = record[name]
    assert isinstance(value, list)
    return value


def _turns(
    said: Said,
) -> tuple[list[Mapping[str, object]], list[list[Mapping[str, object]]]]:
    """(what the system says before, what follows each time a user speaks)."""
    head: list[Mapping[str, object]] = []
    turns: list[list[Mapping[str, object]]] = []
    for message in said:
        if message["role"] == "system" and not turns:
            head.append(message)
        elif message["role"] == "user" or not turns:
            turns.append([message])
        else:
            turns[-1].append(message)
    return head, turns


def _flat(turns: Iterable[Said]) -> list[Mapping[str, object]]:
    return [message for turn in turns for message in turn]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with: a template may end a prompt in another way alone."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _runs(labels: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """What stands between masked tokens."""
    grouped = groupby(labels, lambda label: label != MASKED)
    return tuple(tuple(run) for trained, run in grouped if trained)
