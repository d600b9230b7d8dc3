"""What several formats ask of a row: its prompt, its answer, messages as plain objects."""

import json
from collections.abc import Sequence

from llmops.tasks.plugins.exporters import Unfit
from llmops.tasks.rows import Row, RowMessage

Plain = dict[str, object]


def spoken(row: Row, least_score: float) -> tuple[RowMessage, ...]:
    """The conversation to learn from: prompt and answer, of a pair the better one. Raises Unfit."""
    if row.chosen is not None:
        return (*row.messages, *row.chosen)
    if row.score is not None and row.score < least_score:
        raise Unfit("people found the answer bad")
    if not row.messages or row.messages[-1].role != "assistant":
        raise Unfit("it does not end with an answer")
    return row.messages


def pair(row: Row) -> tuple[tuple[RowMessage, ...], tuple[RowMessage, ...], tuple[RowMessage, ...]]:
    """(prompt, better, worse). Raises Unfit for a row that is no pair."""
    if row.chosen is None or row.rejected is None:
        raise Unfit("it is no pair of a better and a worse answer")
    return row.messages, row.chosen, row.rejected


def parted(messages: Sequence[RowMessage]) -> tuple[tuple[RowMessage, ...], tuple[RowMessage, ...]]:
    """(prompt, last answer)."""
    return tuple(messages[:-1]), tuple(messages[-1:])


def plain(message: RowMessage, *, objects: bool = False) -> Plain:
    """As OpenAI's format has it; `objects`: arguments of tools as objects, as chat templates want
    them. Raises Unfit where they are none.
    """
    content: Plain = {"role": message.role}
    if message.content is not None or not message.tool_calls:
        content["content"] = message.content or ""
    if message.name is not None:
        content["name"] = message.name
    if message.tool_calls:
        content["tool_calls"] = [
            {
                "id": call.id,
                "type": call.type,
                "function": {
                    "name": call.function.name,
                    "arguments": arguments(call.function.arguments)
                    if objects
                    else call.function.arguments,
                },
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        content["tool_call_id"] = message.tool_call_id
    return content


def arguments(text: str) -> Plain:
    """The arguments of a call as an object. Raises Unfit where they are none."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Unfit("arguments of a tool call are no JSON") from error
    if not isinstance(value, dict):
        raise Unfit("arguments of a tool call are no JSON object")
    return value


def templated(messages: Sequence[RowMessage]) -> list[Plain]:
    """For a chat template: no role `developer`, arguments as objects."""
    return [
        plain(
            each.model_copy(update={"role": "system"}) if each.role == "developer" else each,
            objects=True,
        )
        for each in messages
    ]


def only_text(messages: Sequence[RowMessage]) -> None:
    """Raises Unfit where tools are called."""
    if any(each.tool_calls or each.role == "tool" for each in messages):
        raise Unfit("it calls tools, which the format cannot say")
