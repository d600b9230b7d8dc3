"""The cleaner `whitespace`: prose gets tidy, structure stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.plugins.cleaners.whitespace import WhitespaceCleaner

PIECES = st.sampled_from(
    [
        "\n",
        " ",
        "  ",
        "\t",
        "a",
        "word",
        "```",
        "~~~",
        "`",
        "|",
        "\f",
        "\r\n",
        "\r",
        "- ",
        "# ",
        "    ",
        "\u3000",
    ]
)


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("one  two\tthree   four", "one two three four"),
        ("line   \r\nnext\rlast", "line\nnext\nlast"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("a\n  \n\t\n \nb", "a\n\nb"),
        ("\n\n  text\n\n", "  text"),
        ("page  one  \n\f\npage two", "page one\n\f\npage two"),
        ("- item  one\n  - nested  two", "- item one\n  - nested two"),
        ("# Title   here  ", "# Title here"),
        ("```a``` code  in  line", "```a``` code in line"),
    ],
)
def test_prose_gets_tidy(dirty: str, clean: str) -> None:
    assert WhitespaceCleaner().clean(dirty) == clean


@pytest.mark.parametrize(
    "text",
    [
        "```python\ndef f(a,  b):\n\n\n    return a  +  b\n```",
        "~~~\nx    y\n\n\nz\n~~~",
        "Before\n\n    indented  code\n\nAfter",
        "| a   | b    |\n| --- | ---- |\n| 1   | 2    |",
        "````\n```\nstill  code\n```\n````",
        "text\n\n```\nunclosed   fence\n\n\n  to the end",
        "全角　スペース　です",
    ],
)
def test_structure_stays(text: str) -> None:
    assert WhitespaceCleaner().clean(text) == text


def test_prose_after_a_fence_is_tidied_again() -> None:
    assert WhitespaceCleaner().clean("```\na  b\n```\n\n\n\nc  d") == "```\na  b\n```\n\nc d"


@settings(max_examples=600, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = WhitespaceCleaner().clean(text)
    assert WhitespaceCleaner().clean(once) == once
    assert once.split() == text.split()
    assert once.count("\f") == text.count("\f")
