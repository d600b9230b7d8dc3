"""The cleaner `links`: texts stay, addresses go, code is left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner, Document
from llmops.tasks.plugins.cleaners.links import LinksCleaner

PIECES = st.sampled_from(
    [
        "[",
        "]",
        "(",
        ")",
        "!",
        "[a]",
        "(u)",
        "a",
        "http://a.de/?utm_source=1&x=2",
        "\n",
        "\n\n",
        "    ",
        "`",
        "```",
        "~~~",
        "[a]: b.c",
        "[a]:",
        " ",
        "<",
        ">",
        "<a>",
        "\\",
        "\f",
        "\t",
        "- ",
        '"',
        "é",
    ]
)
OPTIONS = [
    LinksCleaner(),
    LinksCleaner(policy="domain", bare="domain"),
    LinksCleaner(policy="drop", images="drop", bare="drop"),
    LinksCleaner(policy="keep", images="keep"),
]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('See [the *docs*](./a.md "Title").', "See the *docs*."),
        ("[![badge](https://i.png)](https://b.de) and ![a duck](duck.png)", "badge and a duck"),
        ("[see [1] here](https://x.de/a_(b)) [x](<a b.md>)", "see [1] here x"),
        (
            '[Ref][r], [R], [r][] and [no][x] [y]\n\n[r]: https://r.de "T"\n',
            "Ref, R, r and [no][x] [y]\n\n",
        ),
        ('<a href="https://x.de">text</a>', "text"),
        ("# Title [x](u)\n- [ ] task", "# Title x\n- [ ] task"),
        (
            "https://x.de/a?utm_source=q&b=1&amp;gclid=2#f, https://y.de/?fbclid=1.",
            "https://x.de/a?b=1#f, https://y.de/.",
        ),
        ("[^1]: a note\n[Note]: important", "[^1]: a note\n[Note]: important"),
        ("`x` [a]: http://b.de stays", "`x` [a]: http://b.de stays"),
        ("page\n\f\n[x](u)", "page\n\f\nx"),
    ],
)
def test_texts_stay_and_addresses_go(text: str, cleaned: str) -> None:
    assert LinksCleaner().clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "`[code](x)` and ``a ` [b](c)``",
        "```python\nf[a](b)  # https://x.de/?utm_source=1\n```",
        "~~~\n[a]: https://b.de\n~~~",
        "Before\n\n    [indented](code)\n\nAfter",
        r"\[no](link)",
    ],
)
def test_code_is_left_alone(text: str) -> None:
    assert LinksCleaner().clean(text) == text


@pytest.mark.parametrize(
    ("options", "cleaned"),
    [
        ({"policy": "domain"}, "docs (x.de), up, pic, https://www.y.de/z"),
        ({"policy": "drop"}, ", , pic, https://www.y.de/z"),
        ({"policy": "keep"}, "[docs](https://www.x.de/a), [up](../b.md), pic, https://www.y.de/z"),
        ({"images": "drop", "bare": "domain"}, "docs, up, , y.de"),
        ({"images": "keep", "bare": "drop"}, "docs, up, ![pic](p.png), "),
    ],
)
def test_policies(options: dict[str, str], cleaned: str) -> None:
    text = "[docs](https://www.x.de/a?utm_id=1), [up](../b.md), ![pic](p.png), https://www.y.de/z"
    assert Spec(name="links", options=options).build(Cleaner).clean(text) == cleaned


def test_plain_text_keeps_what_only_looks_like_a_link() -> None:
    text = "handlers[name](event); see [docs](https://x.de) and [page](a/b.html)"
    assert LinksCleaner().apply(Document(text)).text == "handlers[name](event); see docs and page"
    assert (
        LinksCleaner().apply(Document(text, markup="markdown")).text
        == "handlersname; see docs and page"
    )


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join), st.sampled_from(OPTIONS))
def test_cleaning_twice_is_cleaning_once(text: str, links: LinksCleaner) -> None:
    once = links.clean(text)
    assert links.clean(once) == once
    assert once.count("\f") == text.count("\f")


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "[a",
        "[a](",
        "[a](b",
        "![",
        "[[a]",
        "`",
        "``a ",
        "<a ",
        "http://a",
        "[a]: ",
        "[a]: b.c\n",
        "```\n",
        "[a][b]",
        "\\[",
    ],
)
def test_a_long_line_of_halves_comes_to_an_end(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert len(LinksCleaner().clean(text)) <= len(text)


def test_an_unknown_policy_is_named() -> None:
    with pytest.raises(ValidationError, match="keep_text"):
        Spec(name="links", options={"policy": "remove"}).build(Cleaner)


def test_a_label_may_hold_code() -> None:
    text = "see [`a.b`](http://x.org/a) and [the `c`](u/c.md), `[d](http://x.org)` is code"
    cleaned = LinksCleaner().clean(text)
    assert cleaned == "see `a.b` and the `c`, `[d](http://x.org)` is code"
