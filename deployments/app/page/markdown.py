"""Markdown in answers, as HTML that nothing can be hidden in: no HTML of its own, no pictures, no
addresses that run something. Marks such as [1] become buttons that open their passage.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from llmops.tasks.chat.citations import MARK, marked
from llmops.tasks.chat.highlights import claim_at

LONGEST = 200_000
ALLOWED = re.compile(r"https?://|mailto:", re.IGNORECASE)
LINK = {"rel": "noopener noreferrer nofollow", "target": "_blank"}


class AnswerMark(NamedTuple):
    """A mark in an answer: the passages that it names, and the sentence that it stands in,
    without marks.
    """

    numbers: tuple[int, ...]
    claim: str


class RenderedAnswer(NamedTuple):
    """`blocks`: paragraphs, lists, tables, … one by one."""

    blocks: tuple[Markup, ...]
    marks: tuple[AnswerMark, ...]


Button = Callable[[int, int], Markup | None]
"""What stands for a passage's number in a mark, which has a place; None: the number as it is."""


def no_button(place: int, number: int) -> None:
    """While the answer is being written nobody knows its passages yet."""


def render(text: str, button: Button = no_button) -> RenderedAnswer:
    tokens = parser().parse(text[:LONGEST])
    marks: list[AnswerMark] = []
    for token in tokens:
        if token.level == 0 and token.nesting >= 0:
            token.attrSet("dir", "auto")
        for child in token.children or ():
            if child.type == "link_open":
                child.attrs.update(LINK)
        if token.type == "inline":
            token.children = list(_marked(token, marks, button))
    return RenderedAnswer(tuple(_blocks(tokens)), tuple(marks))


def claims(text: str, number: int, place: int | None) -> list[str]:
    """The sentences of an answer that name a passage: at one mark, or at all of them."""
    marks = render(text).marks
    return [
        mark.claim for n, mark in enumerate(marks) if number in mark.numbers and place in (None, n)
    ]


class SafeMarkdown(MarkdownIt):
    """Links lead to web pages and mail alone: never to a program, or to a page of ours."""

    def validateLink(self, url: str) -> bool:
        return super().validateLink(url) and ALLOWED.match(url) is not None


@cache
def parser() -> MarkdownIt:
    """References would make links of our marks; pictures would be asked of other hosts."""
    made = SafeMarkdown("commonmark", {"html": False, "linkify": False})
    return made.enable(["table", "strikethrough"]).disable(["image", "reference", "html_inline"])


def _marked(inline: Token, marks: list[AnswerMark], button: Button) -> Iterator[Token]:
    """The parts of a line, their marks as buttons."""
    said = "".join(map(_text, inline.children or ()))
    before = 0
    for child in inline.children or ():
        if child.type != "text" or not MARK.search(child.content):
            yield child
            before += len(_text(child))
            continue
        after = 0
        for match in MARK.finditer(child.content):
            yield Token("text", "", 0, content=child.content[after : match.start()])
            numbers = tuple(marked(match[0]))
            html = _buttons(match[0], numbers, len(marks), button)
            yield Token("html_inline", "", 0, content=str(html))
            claim = MARK.sub(" ", claim_at(said, before + match.start()))
            marks.append(AnswerMark(numbers, " ".join(claim.split())))
            after = match.end()
        yield Token("text", "", 0, content=child.content[after:])
        before += len(child.content)


def _text(part: Token) -> str:
    return "\n" if part.type in ("softbreak", "hardbreak") else part.content


def _buttons(mark: str, numbers: Sequence[int], place: int, button: Button) -> Markup:
    made = [button(place, number) for number in numbers]
    if None in made or not made:
        return Markup('<span class="mark">{}</span>').format(escape(mark))
    return Markup('<span class="cites">{}</span>').format(Markup("").join(filter(None, made)))


def _blocks(tokens: Sequence[Token]) -> Iterator[Markup]:
    """What stands at the top, each with all that it holds."""
    start = 0
    for n, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            part = tokens[start : n + 1]
            yield Markup(parser().renderer.render(part, parser().options, {}))
            start = n + 1
