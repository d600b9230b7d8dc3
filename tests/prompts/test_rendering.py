"""From values to a request: everything missing, extra and mistyped at once, in a single pass."""

from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import UsageError
from llmops.tasks.prompts import Prompt
from llmops.tasks.prompts.rendering import fits


def prompt(text: str, **more: Any) -> Prompt:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return Prompt.model_validate({"name": "p", "messages": messages, **more})


def rendered(text: str, values: dict[str, Any], **more: Any) -> str:
    return prompt(text, **more).render(values).messages[-1].content


def test_braces_in_values_stay_text() -> None:
    secret = prompt("{{question}} {{secret}}").render(
        {"question": "what is {{secret}}? {{{{x}}}}", "secret": "s3"}
    )
    assert secret.messages[-1].content == "what is {{secret}}? {{{{x}}}} s3"
    assert [message.role for message in secret.messages] == ["system", "user"]


def test_values_that_are_no_texts_stand_as_json() -> None:
    assert (
        rendered("{{a}} {{b}} {{c}} {{d}}", {"a": [1, "ü"], "b": {"k": True}, "c": 0.5, "d": None})
        == '[1, "ü"] {"k": true} 0.5 null'
    )
    assert rendered("{{a}}", {"a": "5"}) == "5"


def test_all_that_does_not_fit_is_named_at_once() -> None:
    wanted = prompt(
        "{{a}} {{b}} {{n}}", variables={"a": {}, "b": {"type": "list"}, "n": {"type": "integer"}}
    )
    with pytest.raises(UsageError) as raised:
        wanted.render({"b": "x", "n": True, "z": 1, "y": 2})
    assert raised.value.message == (
        "the variables of the prompt 'p' do not fit: missing a; not used: y, z; "
        "b is a string, a list is wanted; n is a boolean, an integer is wanted"
    )
    assert raised.value.hint == "its variables: a, b, n"


def test_optional_variables_may_be_left_out() -> None:
    declared = {
        "a": {"default": "none"},
        "b": {"type": "list", "default": [1]},
        "c": {"required": False},
    }
    assert rendered("[{{a}}|{{b}}|{{c}}]", {}, variables=declared) == "[none|[1]|]"
    assert (
        rendered("[{{a}}|{{b}}|{{c}}]", {"a": "x", "b": [], "c": "y"}, variables=declared)
        == "[x|[]|y]"
    )


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), {"x": float("inf")}])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="'a' cannot be written as JSON"):
        rendered("{{a}}", {"a": value})


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("x", {"string"}),
        (1, {"number", "integer"}),
        (1.5, {"number"}),
        (2.0, {"number"}),
        (True, {"boolean"}),
        ([], {"list"}),
        ((), {"list"}),
        ({}, {"object"}),
        (None, set()),
        (float("inf"), set()),
    ],
)
def test_what_fits_a_type(value: object, kinds: set[str]) -> None:
    assert {
        kind
        for kind in ("string", "number", "integer", "boolean", "list", "object")
        if fits(value, kind)
    } == kinds


def test_the_hash_is_of_what_changes_an_answer() -> None:
    first = prompt(
        "{{a}}", variables={"a": {"description": "one"}}, model={"temperature": 0}, description="x"
    )
    same = prompt(
        "{{a}}",
        variables={"a": {"description": "two"}},
        model={"temperature": 0.0},
        description="y",
    )
    assert first.sha256 == same.model_copy(update={"name": "q"}).sha256
    others = [
        prompt("{{a}} "),
        prompt("{{a}}", variables={"a": {"type": "list"}}),
        prompt("{{a}}", model={"temperature": 1}),
        prompt("{{a}}", output={"type": "object"}),
        prompt("{{a}}", variables={"a": {"default": "x"}}),
    ]
    assert len({first.sha256, *(one.sha256 for one in others)}) == 6


def test_the_same_settings_make_the_same_request() -> None:
    """A reply is remembered by its request: a detour through the registry must not pay again."""
    pair = [
        prompt("{{a}}", model={"temperature": number}).render({"a": "x"}).model_dump_json()
        for number in (0, 0.0)
    ]
    assert pair[0] == pair[1]


def test_a_prompt_travels_as_json() -> None:
    whole = prompt(
        "{{a}}",
        variables={"a": {"type": "list", "default": [1]}},
        model={"stop": ["x"]},
        output={"type": "object"},
    )
    assert Prompt.model_validate_json(whole.model_dump_json()) == whole


def test_a_prompt_that_is_wrong_cannot_be_made() -> None:
    with pytest.raises(
        ValidationError, match=r"messages\[1\].content: '\{\{a.b\}\}' is no placeholder"
    ):
        prompt("{{a.b}}")
