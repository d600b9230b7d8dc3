"""Markdown in answers: what it becomes, what it never becomes, and where its marks lead."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from markupsafe import Markup

from llmops.deployments.app.page.markdown import claims, render

ALLOWED = {
    *("p", "ul", "ol", "li", "strong", "em", "s", "code", "pre", "blockquote", "hr", "br", "a"),
    *("table", "thead", "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("button", "span"),
}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onclick='alert(1)'>b</b> c",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&colon;alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "<javascript:alert(1)>",
    "![x](https://evil.example.com/pixel.png)",
    "![x][1]\n\n[1]: https://evil.example.com/pixel.png",
    "[1]: javascript:alert(1)\n\n[1]",
    '[x](https://a.example "onmouseover=alert(1) x=")',
    "```<script>\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "| a | <svg/onload=alert(1)> |\n|---|---|\n| b | c |",
    '<a href="#" hx-get="/sign-out" hx-trigger="load">x</a>',
    "<div data-events='/x'></div>",
    "\0<scr\0ipt>alert(1)</scr\0ipt>",
    "<!--><script>alert(1)</script>-->",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<style>*{display:none}</style>",
    "<ms-word:ofe|u|https://evil.example.com/x.docx>",
    "[x](/sign-out) [y](//evil.example.com) [z](#a)",
]


def button(place: int, number: int) -> Markup | None:
    made = Markup('<button type="button" data-at="{}-{}">{}</button>')
    return made.format(place, number, number) if number < 10 else None


def shown(text: str) -> str:
    return "".join(render(text, button).blocks)


def harmless(markup: str) -> None:
    """No element, attribute or address but those that we write."""
    for element in html.fragment_fromstring(f"<div>{markup}</div>").iterdescendants():
        assert element.tag in ALLOWED, markup
        for name, value in element.attrib.items():
            assert name in (
                "dir",
                "href",
                "title",
                "rel",
                "target",
                "class",
                "type",
                "data-at",
            ) or (name in ("start", "style")), (name, markup)
            assert name != "href" or re.match(r"https?://|mailto:", value, re.I), markup
            assert name != "style" or re.fullmatch(r"text-align:(left|right|center)", value)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_an_answer_is_run(text: str) -> None:
    harmless(shown(text))
    harmless(shown(f"- before {text} [1] after\n\n{text}"))


@given(
    st.text(
        st.sampled_from("<>&\"'`[]()!:/\\*_|-#~ \n1jscript" + string.ascii_letters[:6]), max_size=80
    )
)
def test_nothing_that_anybody_writes_is_run(text: str) -> None:
    harmless(shown(text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("**bold** and *light*", "<strong>bold</strong> and <em>light</em>"),
        ("- one\n- two", "<li>two</li>"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "<td>2</td>"),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        (
            "[site](https://a.example/x)",
            'href="https://a.example/x" rel="noopener noreferrer nofollow"',
        ),
        ("```\nx < y\n```", "x &lt; y"),
        ("سلام", '<p dir="auto">سلام</p>'),
    ],
)
def test_markdown_is_shown_as_it_is_meant(text: str, wanted: str) -> None:
    assert wanted in shown(text)


@pytest.mark.parametrize(
    ("text", "buttons"),
    [
        ("It is so [1].", ["0-1"]),
        ("So [1], and so [2, 3].", ["0-1", "1-2", "1-3"]),
        ("So 【2】 and **so [1]**.", ["0-2", "1-1"]),
        ("- a [1]\n- b [1]", ["0-1", "1-1"]),
        ("code `x[1]` is no mark, this is [1]", ["0-1"]),
        ("    indented[1]\n\nthis [2]", ["0-2"]),
        ("of nobody [77]", []),
        ("[1](https://a.example) is a link", []),
        ("[1]: https://evil.example\n\nnot a link [1]", ["0-1", "1-1"]),
    ],
)
def test_marks_are_buttons_of_their_passages(text: str, buttons: list[str]) -> None:
    assert re.findall(r'data-at="([\d-]+)"', shown(text)) == buttons


def test_a_mark_of_a_passage_that_is_not_there_stays_text() -> None:
    assert '<span class="mark">[1, 77]</span>' in shown("so [1, 77]")


def test_a_mark_belongs_to_the_sentence_that_it_stands_in_or_behind() -> None:
    text = "The tower is 330 m tall [1]. It stands in Paris. [2] Pisa leans **a lot** [1]."
    assert claims(text, 1, 0) == ["The tower is 330 m tall ."]
    assert claims(text, 2, None) == ["It stands in Paris."]
    assert claims(text, 1, None) == ["The tower is 330 m tall .", "Pisa leans a lot ."]
    assert claims(text, 1, 1) == []


def test_while_an_answer_grows_only_its_end_changes() -> None:
    before = render("One.\n\nTwo is").blocks
    after = render("One.\n\nTwo is here.\n\n- three").blocks
    assert len(after) == 3
    assert before[0] == after[0]
