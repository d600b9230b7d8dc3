"""What each target refuses or drops, from its documentation, as strictly as it says it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]
MESSAGE_KEYS = {"role", "content", "name", "tool_calls", "tool_call_id", "weight"}


def openai_message(message: Record, *, last: bool) -> Iterator[str]:
    """OpenAI's checks of a line of a fine-tuning file."""
    if unknown := set(message) - MESSAGE_KEYS:
        yield f"unrecognised keys {unknown}"
    if message["role"] not in ("system", "developer", "user", "assistant", "tool"):
        yield f"unrecognised role {message['role']}"
    calls = message.get("tool_calls", [])
    if not isinstance(message.get("content", ""), str) or not (calls or "content" in message):
        yield "content is no text"
    if "weight" in message and (message["role"] != "assistant" or message["weight"] not in (0, 1)):
        yield "weight is 0 or 1, of the assistant"
    for call in calls:
        if not isinstance(call["function"]["arguments"], str):
            yield "arguments are a JSON text"
        json.loads(call["function"]["arguments"])
    if message["role"] == "tool" and not message.get("tool_call_id"):
        yield "a tool's answer names its call"
    if last and message["role"] != "assistant":
        yield "the last message is the assistant's"


def openai_chat(record: Record) -> list[str]:
    messages = record["messages"]
    wrong = [f"unrecognised keys {each}" for each in set(record) - {"messages", *TOOLS}]
    if not any(each["role"] == "assistant" for each in messages):
        wrong.append("no assistant message")
    for number, each in enumerate(messages, 1):
        wrong += openai_message(each, last=number == len(messages))
    if messages[-1].get("weight", 1) == 0:
        wrong.append("nothing is trained on")
    return wrong


TOOLS = ("tools", "parallel_tool_calls")


def openai_dpo(record: Record) -> list[str]:
    wrong = []
    if set(record) != {"input", "preferred_output", "non_preferred_output"}:
        wrong.append(f"keys are {set(record)}")
    for side in ("preferred_output", "non_preferred_output"):
        answers = record[side]
        if [each["role"] for each in answers] != ["assistant"] or "tool_calls" in answers[0]:
            wrong.append(f"{side} is one answer in words")
    if record["input"]["messages"][-1]["role"] == "assistant":
        wrong.append("the prompt ends with an answer")
    return wrong


def trl(record: Record) -> list[str]:
    """TRL's conversational formats: which columns make which, and what chat templates want."""
    known: Sequence[set[str]] = (
        {"messages"},
        {"prompt", "completion"},
        {"prompt", "chosen", "rejected"},
        {"prompt", "completion", "label"},
    )
    wrong = [] if set(record) - {"tools"} in known else [f"columns are {set(record)}"]
    for name, part in record.items():
        if name in ("label", "tools"):
            continue
        if not isinstance(part, list) or not {"role", "content"} <= {*part[0], "content"}:
            wrong.append(f"{name} is not conversational")
        for message in part:
            if message["role"] not in ("system", "user", "assistant", "tool"):
                wrong.append(f"a template knows no role {message['role']}")
            wrong += [
                "arguments are objects"
                for call in message.get("tool_calls", [])
                if not isinstance(call["function"]["arguments"], dict)
            ]
    if "label" in record and not isinstance(record["label"], bool):
        wrong.append("label is true or false")
    ends = record.get("completion") or record.get("chosen") or record["messages"]
    if ends[-1]["role"] != "assistant":
        wrong.append("it does not end with an answer")
    return wrong


def llamafactory(record: Record, *, ranking: bool = False) -> list[str]:
    """LLaMA-Factory's converter of ShareGPT: what it drops with a warning."""
    turns, wrong = record["conversations"], list[str]()
    sides = (("human", "observation"), ("gpt", "function_call"))
    for number, turn in enumerate(turns):
        if set(turn) != {"from", "value"} or turn["from"] not in sides[number % 2]:
            wrong.append(f"turn {number} is of {turn['from']}")
        if turn["from"] == "function_call":
            called = json.loads(turn["value"])
            calls = called if isinstance(called, list) else [called]
            if any(set(each) != {"name", "arguments"} for each in calls):
                wrong.append("a call has a name and arguments")
    if len(turns) % 2 != (1 if ranking else 0):
        wrong.append(f"{len(turns)} turns")
    if ranking:
        wrong += [f"{e} is no turn" for e in ("chosen", "rejected") if record[e]["from"] != "gpt"]
    if not isinstance(record.get("system", ""), str) or not isinstance(
        record.get("tools", ""), str
    ):
        wrong.append("system and tools are texts")
    return wrong


def alpaca(record: Record) -> list[str]:
    wrong = []
    if list(record) != ["instruction", "input", "output", "system", "history"]:
        wrong.append(f"columns are {list(record)}")
    if not all(isinstance(record[name], str) for name in list(record)[:4]):
        wrong.append("columns are texts")
    if not all(
        len(pair) == 2 and all(isinstance(e, str) for e in pair) for pair in record["history"]
    ):
        wrong.append("history is pairs of texts")
    return wrong


def sentence_transformers(record: Record) -> list[str]:
    """Columns count by their order, and every one is an input."""
    known = (["anchor", "positive", "negative"], ["anchor", "positive"])
    wrong = [] if list(record) in known else [f"columns are {list(record)}"]
    return wrong + [f"{name} is empty" for name, text in record.items() if not text.strip()]
