"""Braces: which ones are placeholders, which ones are text, which ones are mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.tasks.prompts import template


@pytest.mark.parametrize(
    ("text", "names", "filled"),
    [
        ("no braces at all", [], "no braces at all"),
        ("{{a}} and {{ a }} and {{_b2}}", ["a", "a", "_b2"], "A and A and B"),
        ('{"a": {"b": 1}}', [], '{"a": {"b": 1}}'),
        ('{"q": {{{a}}}}', ["a"], '{"q": {A}}'),
        ("{{{{", [], "{{"),
        ("{{{{a}}}}", [], "{{a}}"),
        ("{{{{ a }}}} is {{a}}", ["a"], "{{ a }} is A"),
        ("{{{{a.b}} stays", [], "{{a.b}} stays"),
        ("{{% if x %} is Jinja", [], "{% if x %} is Jinja"),
        ("100 %} {% of it", [], "100 %} {% of it"),
        ("{{a}}{{_b2}}", ["a", "_b2"], "AB"),
        ("}}}} {{a}} }}", ["a"], "}}}} A }}"),
    ],
)
def test_what_is_a_placeholder(text: str, names: list[str], filled: str) -> None:
    assert template.names(text) == names
    assert template.filled(text, {"a": "A", "_b2": "B"}) == filled
    assert list(template.problems(text)) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ name }", "{{ name }"),
        ("{{a.b}}", "{{a.b}}"),
        ("{{}}", "{{}}"),
        ("{{ }}", "{{ }}"),
        ("{{1a}}", "{{1a}}"),
        ("{{a b}}", "{{a b}}"),
        ("{{a", "{{a"),
        ("x {{", "{{"),
        ("{{ä}}", "{{ä}}"),
        ("{{a|upper}}", "{{a|upper}}"),
        ("{% if a %}x{% endif %}", "{% if a %}"),
        ("{%- for x in y -%}", "{%- for x in y -%}"),
        ('{{"a": 1}}', '{{"a": 1}}'),
        ("nul\0", "NUL"),
    ],
)
def test_what_is_neither_placeholder_nor_text(text: str, says: str) -> None:
    found = list(template.problems(text))
    assert any(says in message for message, _ in found), found
    assert all(hint for _, hint in found)


@given(
    st.dictionaries(st.sampled_from("abc"), st.text(alphabet="{}%ab c", max_size=12), min_size=3)
)
def test_values_are_never_looked_at_again(values: dict[str, str]) -> None:
    assert (
        template.filled("{{a}}|{{b}}|{{c}}|{{a}}", values)
        == f"{values['a']}|{values['b']}|{values['c']}|{values['a']}"
    )


@given(
    st.text(alphabet="{}%a ", max_size=30).filter(
        lambda text: "{{" not in text and "{%" not in text
    )
)
def test_other_braces_are_text(text: str) -> None:
    assert (template.filled(text, {}), template.names(text), list(template.problems(text))) == (
        text,
        [],
        [],
    )
