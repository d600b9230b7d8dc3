"""A file that the service would refuse is refused before it is sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins.trainers.openai.rules import check_file, mistakes

USER = {"role": "user", "content": "Where?"}
ANSWER = {"role": "assistant", "content": "There."}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "It is there."}
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


def chat(*messages: Any, **more: Any) -> list[str]:
    record = {"messages": list(messages), **more}
    return list(mistakes(json.dumps(record).encode(), "openai_chat"))


def dpo(**changes: Any) -> list[str]:
    record = {
        "input": {"messages": [USER]},
        "preferred_output": [ANSWER],
        "non_preferred_output": [{"role": "assistant", "content": "No."}],
        **changes,
    }
    return list(mistakes(json.dumps(record).encode(), "openai_dpo"))


def test_what_is_right_passes() -> None:
    assert chat(USER, ANSWER) == []
    assert chat({"role": "system", "content": "Be brief."}, USER, ANSWER) == []
    assert chat(USER, {**ANSWER, "weight": 0}, USER, ANSWER) == []
    assert chat(USER, CALLING, RESULT, ANSWER, tools=[TOOL], parallel_tool_calls=True) == []
    assert dpo() == []


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([USER], "the last message is not the assistant's"),
        ([USER, ANSWER, USER], "the last message is not the assistant's"),
        ([USER, {**ANSWER, "weight": 0}], "no message of the assistant is trained on"),
        ([USER, {**ANSWER, "weight": 2}], "message 2: weight is 0 or 1"),
        ([{**USER, "weight": 1}, ANSWER], "message 1: weight is 0 or 1"),
        ([{**USER, "role": "human"}, ANSWER], "message 1: unknown role 'human'"),
        ([{**USER, "id": 3}, ANSWER], "message 1: unknown keys id"),
        ([{**USER, "content": 3}, ANSWER], "message 1: content is no text"),
        ([{**USER, "name": "a b"}, ANSWER], "message 1: name is not of"),
        ([USER, {"role": "assistant", "content": None}], "message 2: content is no text"),
        ([USER, CALLING, ANSWER], "message 3: the calls c1 have no answer"),
        ([USER, RESULT, ANSWER], "message 2: it answers 'c1', which nobody called"),
        ([USER, {**CALLING, "tool_calls": []}, ANSWER], "message 2: content is no text"),
        (
            [
                USER,
                {**CALLING, "tool_calls": [{**CALL, "function": {"name": "f", "arguments": 3}}]},
            ],
            "message 2: arguments of a call are no JSON object",
        ),
        ([], "messages is no list of messages"),
    ],
)
def test_what_is_wrong_in_a_conversation_is_told(messages: list[Any], why: str) -> None:
    assert any(each.startswith(why) for each in chat(*messages)), chat(*messages)


def test_what_is_wrong_beside_messages_is_told() -> None:
    assert chat(USER, ANSWER, id=3)[0].startswith("unknown keys id")
    assert chat(USER, ANSWER, parallel_tool_calls=True) == [
        "parallel_tool_calls stands without tools"
    ]
    assert chat(USER, ANSWER, tools=[{"name": "f"}]) == ["a tool has type: function, and function"]
    for line in (b"{", b"\xff"):
        (why,) = mistakes(line, "openai_chat")
        assert why.startswith("it is no JSON in UTF-8")
    assert list(mistakes(b"[]", "openai_chat")) == ["an object is wanted, got list"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"preferred_output": [ANSWER, ANSWER]}, "preferred_output is not one message"),
        ({"preferred_output": [USER]}, "preferred_output is not one message"),
        ({"non_preferred_output": [CALLING]}, "non_preferred_output is not an answer in words"),
        ({"non_preferred_output": [ANSWER]}, "both outputs are the same"),
        ({"input": {"messages": [USER, ANSWER]}}, "input ends with an answer"),
        ({"input": [USER]}, "input.messages is no list"),
        ({"score": 1}, "unknown keys score"),
    ],
)
def test_what_is_wrong_in_a_pair_is_told(changes: dict[str, Any], why: str) -> None:
    assert any(each.startswith(why) for each in dpo(**changes)), dpo(**changes)


def test_a_file_is_refused_with_line_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    good = json.dumps({"messages": [USER, ANSWER]})
    path.write_text("\n".join([good] * 9) + "\n")
    with pytest.raises(ConfigError, match="it has 9 examples"):
        check_file(path, "openai_chat")
    path.write_text("\n".join([good] * 10) + "\n")
    assert check_file(path, "openai_chat") == 10
    path.write_text("\n".join([good] * 11 + ["{}"]) + "\n")
    with pytest.raises(ConfigError) as caught:
        check_file(path, "openai_chat")
    assert [each.where for each in caught.value.found] == [f"{path}:12"]
