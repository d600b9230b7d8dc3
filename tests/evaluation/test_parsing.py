"""JSON in answers."""

from typing import Any

import pytest

from llmops.tasks.evaluation.answering import DEEPEST, parsed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": [1, 2.5, null, "né"]}', {"a": [1, 2.5, None, "né"]}),
        (' "x" ', "x"),
        ("0", 0),
        ("false", False),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("\n```JSON \r\n[1]\r\n```\n", [1]),
        ("```\n[]\n```", []),
        ('```json\n{"a": "```"}\n```', {"a": "```"}),
        ('["\\ud83d\\ude00 \\ud800"]', ["😀 \ufffd"]),
        ("", None),
        ("Yes.", None),
        ('Here: {"a": 1}', None),
        ('{"a": 1', None),
        ("NaN", None),
        ('{"a": -Infinity}', None),
        ("[" * 100_000, None),
        ("1" * 5_000, None),
        ("```json\nno\n```", None),
    ],
)
def test_json_is_read_and_everything_else_is_none(text: str, found: Any) -> None:
    assert parsed(text) == found


def test_what_is_nested_too_deep_is_none() -> None:
    assert parsed("[" * DEEPEST + "]" * DEEPEST) is not None
    assert parsed("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)) is None
    assert parsed('{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1)) is None
