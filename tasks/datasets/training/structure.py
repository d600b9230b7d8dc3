"""Whether a row is a conversation: who speaks when, and what calls of tools come to."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from llmops.tasks.datasets.training.contents import INSTRUCTIONS
from llmops.tasks.datasets.training.row import Message, Row, ToolCall

StructureFault = Literal["roles", "alternation", "tool_calls", "arguments", "empty"]
Found = Iterator[tuple[StructureFault, str]]


def structure(row: Row) -> list[tuple[StructureFault, str]]:
    """All that is wrong with the form of a row, as (kind, sentence)."""
    if (row.chosen is None) != (row.rejected is None):
        return [("roles", "a pair has both `chosen` and `rejected`; this row has one of them")]
    found = list(_ends(row))
    for answer in (row.chosen or (), row.rejected) if row.chosen is not None else ((),):
        if answer is not None:
            found += _conversation((*row.messages, *answer), row)
    return list(dict.fromkeys(found))


def _ends(row: Row) -> Found:
    """A conversation ends with an answer, a pair's prompt before it."""
    last = row.messages[-1].role if row.messages else None
    if last is None:
        yield "empty", "it has no messages"
    elif row.chosen is None and last != "assistant":
        yield "roles", f"it ends with a message of {last}: there is no answer to learn"
    elif row.chosen is not None and last not in ("user", "tool"):
        yield "roles", f"the prompt of a pair ends with a message of {last}, not of user or tool"
    for name, answer in (("chosen", row.chosen), ("rejected", row.rejected)):
        if answer is not None and (not answer or answer[-1].role != "assistant"):
            yield "roles", f"`{name}` does not end with a message of assistant"


def _conversation(messages: Sequence[Message], row: Row) -> Found:
    yield from _order(messages)
    yield from _calls(messages, row)
    for place, one in enumerate(messages, 1):
        empty = not (one.content or "").strip()
        if empty and not (one.role == "assistant" and one.tool_calls):
            yield "empty", f"message {place}, of {one.role}, is empty"


def _order(messages: Sequence[Message]) -> Found:
    """Instructions first, then user and assistant in turns, tools where they were called."""
    spoken = [(place, one) for place, one in enumerate(messages, 1) if one.role not in INSTRUCTIONS]
    first = spoken[0][0] if spoken else 0
    late = [n for n, one in enumerate(messages, 1) if one.role in INSTRUCTIONS and n > first > 0]
    if late:
        yield "roles", f"message {late[0]} holds instructions, which stand before all others"
    if spoken and spoken[0][1].role != "user":
        yield "roles", f"the first to speak is {spoken[0][1].role}, not user"
    for (_, before), (place, one) in pairwise(spoken):
        if one.role == "tool":
            continue  # see _calls
        if one.role == before.role or (before.role == "tool" and one.role == "user"):
            said = f"message {place} is of {one.role} after one of {before.role}"
            yield "alternation", said


def _calls(messages: Sequence[Message], row: Row) -> Found:
    """Each call is answered before anybody speaks, each answer has its call; the last message may
    call without an answer: that is what is learnt.
    """
    tools = {str(each["function"].get("name")): each["function"] for each in _functions(row)}
    open_calls: dict[str, str] = {}
    for place, one in enumerate(messages, 1):
        if one.role == "tool":
            if one.tool_call_id is None or one.tool_call_id not in open_calls:
                yield (
                    "tool_calls",
                    f"message {place} answers {one.tool_call_id!r}, not an open call",
                )
            open_calls.pop(one.tool_call_id or "", None)
            continue
        if open_calls:
            yield "tool_calls", f"nothing answers the call of {next(iter(open_calls.values()))}"
        if one.tool_calls and one.role != "assistant":
            yield "tool_calls", f"message {place}, of {one.role}, calls tools"
        open_calls = {call.id: call.function.name for call in one.tool_calls}
        if len(open_calls) < len(one.tool_calls):
            yield "tool_calls", f"two calls of message {place} have one id"
        for call in one.tool_calls:
            yield from _call(call, place, tools, bool(row.tools))
    if open_calls and messages[-1].role == "tool":
        yield "tool_calls", f"nothing answers the call of {next(iter(open_calls.values()))}"


def _functions(row: Row) -> Iterator[Mapping[str, Any]]:
    return (each for each in row.tools if isinstance(each.get("function"), dict))


def _call(call: ToolCall, place: int, tools: Mapping[str, Any], declared: bool) -> Found:
    name = call.function.name
    if declared and name not in tools:
        known = ", ".join(sorted(tools)) or "none"
        yield "tool_calls", f"message {place} calls {name!r}; the row's tools: {known}"
    try:
        arguments = json.loads(call.function.arguments)
    except (ValueError, RecursionError) as error:
        yield "arguments", f"the arguments of {name} in message {place} are not JSON: {error}"
        return
    if not isinstance(arguments, dict):
        kind = type(arguments).__name__
        yield "arguments", f"the arguments of {name} in message {place} are no object but {kind}"
        return
    schema = tools.get(name, {}).get("parameters")
    if isinstance(schema, dict):
        yield from _against(schema, arguments, f"the arguments of {name} in message {place}")


def _against(schema: Mapping[str, Any], arguments: Mapping[str, Any], what: str) -> Found:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield "arguments", f"{what} cannot be checked, their schema is wrong: {error.message}"
        return
    wrong = next(Draft202012Validator(schema).iter_errors(arguments), None)
    if wrong is not None:
        yield "arguments", f"{what} do not suit the tool: {wrong.message}"
