"""What OpenAI's fine-tuning takes, as its documentation says it: a file is refused here, before it
is sent, with the line and the reason.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from typing_extensions import TypeIs

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins.exporters.openai_chat import LEAST

LARGEST = 512 * 1024**2
"""Bytes of a file."""
SHOWN = 10
"""Mistakes that are told of a file."""
ROLES = ("system", "developer", "user", "assistant", "tool")
MESSAGE = {"role", "content", "name", "weight", "tool_calls", "tool_call_id", "refusal"}
CHAT = {"messages", "tools", "parallel_tool_calls"}
SIDES = ("preferred_output", "non_preferred_output")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
JsonRecord = Mapping[str, object]


def check_file(path: Path, format_name: str, least: int = LEAST) -> int:
    """The records of a file that the service takes. Raises ConfigError with the first mistakes."""
    found: list[Mistake] = []
    size, count = path.stat().st_size, 0
    if size > LARGEST:
        said = f"the file has {size:,} bytes, and the service takes {LARGEST:,} at most"
        found.append(Mistake(said, str(path), "train on fewer rows: collect or split less"))
    with path.open("rb") as file:
        for count, line in enumerate(file, 1):
            if len(found) < SHOWN:
                found += [Mistake(why, f"{path}:{count}") for why in mistakes(line, format_name)]
    if count < least:
        said = f"it has {count} examples, and the service takes no file of fewer than {least}"
        found.append(Mistake(said, str(path), "collect more rows, or train on another data set"))
    if found:
        raise ConfigError(found[:SHOWN])
    return count


def mistakes(line: bytes, format_name: str) -> Iterator[str]:
    """Why the service would refuse a line."""
    try:
        record = json.loads(line.decode("utf-8"))
    except ValueError as error:
        yield f"it is no JSON in UTF-8: {error}"
        return
    if not isinstance(record, dict):
        yield f"an object is wanted, got {type(record).__name__}"
        return
    yield from FORMATS[format_name](record)


def _chat(record: JsonRecord) -> Iterator[str]:
    yield from _unknown(record, CHAT)
    messages = record.get("messages")
    if not _objects(messages):
        yield "messages is no list of messages"
        return
    yield from _conversation(messages)
    yield from _tools(record)
    last = messages[-1]
    if last.get("role") != "assistant":
        yield "the last message is not the assistant's"
    learnt = [
        each for each in messages if each.get("role") == "assistant" and each.get("weight") != 0
    ]
    if not learnt:
        yield "no message of the assistant is trained on"


def _dpo(record: JsonRecord) -> Iterator[str]:
    yield from _unknown(record, {"input", *SIDES})
    asked = record.get("input")
    if not isinstance(asked, dict) or not _objects(asked.get("messages")):
        yield "input.messages is no list of messages"
    else:
        yield from _unknown(asked, CHAT)
        yield from _conversation(asked["messages"])
        yield from _tools(asked)
        if asked["messages"][-1].get("role") == "assistant":
            yield "input ends with an answer"
    for side in SIDES:
        answers = record.get(side)
        if not _objects(answers):
            yield f"{side} is no list of messages"
        elif len(answers) != 1 or answers[0].get("role") != "assistant":
            yield f"{side} is not one message of the assistant"
        elif answers[0].get("tool_calls") or not answers[0].get("content"):
            yield f"{side} is not an answer in words"
    if record.get(SIDES[0]) == record.get(SIDES[1]):
        yield "both outputs are the same"


FORMATS: Mapping[str, Callable[[JsonRecord], Iterator[str]]] = {
    "openai_chat": _chat,
    "openai_dpo": _dpo,
}


def _conversation(messages: list[dict[str, object]]) -> Iterator[str]:
    """Of messages, and of calls of tools, which have to be answered at once."""
    open_calls: list[str] = []
    for number, message in enumerate(messages, 1):
        place = f"message {number}"
        yield from (f"{place}: {why}" for why in _message(message))
        if message.get("role") == "tool":
            called = str(message.get("tool_call_id"))
            if called not in open_calls:
                yield f"{place}: it answers {called!r}, which nobody called"
            else:
                open_calls.remove(called)
            continue
        if open_calls:
            yield f"{place}: the calls {', '.join(open_calls)} have no answer"
        calls = message.get("tool_calls")
        open_calls = [str(each.get("id")) for each in calls] if _objects(calls) else []


def _message(message: JsonRecord) -> Iterator[str]:
    yield from _unknown(message, MESSAGE)
    role, content, calls = (message.get(key) for key in ("role", "content", "tool_calls"))
    if role not in ROLES:
        yield f"unknown role {role!r}; allowed: {', '.join(ROLES)}"
    if not isinstance(content, str) and not (content is None and calls):
        yield "content is no text"
    if "weight" in message and (role != "assistant" or message["weight"] not in (0, 1)):
        yield "weight is 0 or 1, and the assistant's alone"
    if role == "tool" and not message.get("tool_call_id"):
        yield "an answer of a tool has no tool_call_id"
    name = message.get("name")
    if name is not None and not (isinstance(name, str) and NAME.fullmatch(name)):
        yield "name is not of at most 64 letters, digits, - and _"
    if "tool_calls" not in message:
        return
    if role != "assistant" or not _objects(calls):
        yield "tool_calls is no list of calls of the assistant"
        return
    for call in calls:
        yield from _call(call)


def _call(call: JsonRecord) -> Iterator[str]:
    function = call.get("function")
    if not call.get("id") or call.get("type") != "function" or not isinstance(function, dict):
        yield "a call of a tool has id, type: function, and function"
        return
    if not NAME.fullmatch(str(function.get("name", ""))):
        yield "the name of a function is not of at most 64 letters, digits, - and _"
    try:
        given = json.loads(function.get("arguments", ""))
    except (TypeError, ValueError):
        given = None
    if not isinstance(given, dict):
        yield "arguments of a call are no JSON object as a text"


def _tools(record: JsonRecord) -> Iterator[str]:
    tools = record.get("tools", [])
    if not isinstance(tools, list):
        yield "tools is no list"
        return
    for each in tools:
        function = each.get("function") if isinstance(each, dict) else None
        if not isinstance(function, dict) or each.get("type") != "function":
            yield "a tool has type: function, and function"
        elif not NAME.fullmatch(str(function.get("name", ""))):
            yield "the name of a tool is not of at most 64 letters, digits, - and _"
    if "parallel_tool_calls" in record and not tools:
        yield "parallel_tool_calls stands without tools"


def _unknown(record: JsonRecord, known: set[str]) -> Iterator[str]:
    if more := sorted(set(record) - known):
        yield f"unknown keys {', '.join(more)}; allowed: {', '.join(sorted(known))}"


def _objects(value: object) -> TypeIs[list[dict[str, object]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(e, dict) for e in value)
