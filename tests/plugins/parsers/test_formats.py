"""Office files, books, PDF and web pages: the text, its headings, pages and title."""

import pytest

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, parse
from tests.plugins.parsers import samples

PAGE = """<!DOCTYPE html><html lang="de"><head><meta charset="{charset}"><title>Die  Straße</title>
<style>p {{color: red}}</style><script>var hidden = 1;</script></head><body><nav><a href="/">Start</a> <a href="/about">Über uns</a></nav>
<main><h1>Größe</h1><p>Der erste Absatz mit <b>fettem</b> Text und einem <a href="https://example.org/x">Verweis</a>, lang
genug, um als Inhalt zu gelten, denn er sagt etwas.</p><h2>Tabelle</h2><table><tr><th>Stadt</th><th>Höhe</th></tr>
<tr><td>Köln</td><td>53</td></tr></table></main><footer>Impressum und Datenschutz</footer></body></html>"""  # noqa: E501


def blocks(parsed: Parsed) -> list[str]:
    return [block.strip() for block in parsed.text.split("\n\n") if block.strip()]


def test_word() -> None:
    parsed = parse(samples.docx(), "a.docx")
    assert blocks(parsed) == [
        "# Swimming",
        "Ducks swim in the lake.",
        "| Food | Energy |\n| --- | --- |\n| Leaves | 50 |",
    ]
    assert (parsed.title, parsed.markup) == ("The Handbook", "markdown")


@pytest.mark.parametrize(
    "default", ["", "Untitled", "Document1", "report_final.docx", "Microsoft Word - x"]
)
def test_a_title_that_a_program_made_up_is_none(default: str) -> None:
    assert parse(samples.docx(default), "a.docx").title == "Swimming"


def test_slides_are_pages_in_the_order_of_the_show() -> None:
    parsed = parse(samples.pptx(), "a.pptx")
    first, second = parsed.text.split("\f")
    assert first.strip() == "## Why ducks\n\n- Fast\n- Quiet\n\nNotes: Say it slowly."
    assert second.strip() == "## Numbers\n\n| Year | Ducks |\n| --- | --- |\n| 2026 | 120 |"
    assert parsed.title == "Why ducks"


def test_sheets_are_pages() -> None:
    first, second = parse(samples.xlsx(), "a.xlsx").text.split("\f")
    assert first.strip() == "## Prices\n\n| Item | Price |\n| --- | --- |\n| Bread | 2.50 |"
    assert second.strip() == "## Stock\n\n| Item | Left |\n| --- | --- |\n| Milk | 7 |"


def test_opendocument_text() -> None:
    body = (
        '<text:h text:outline-level="2">Lists</text:h><text:p>One<text:s '
        'text:c="3"/>two<text:note><text:note-body>'
        "<text:p>aside</text:p></text:note-body></text:note>.</text:p><text:list><text:list-item><text:p>a</text:p>"
        "<text:list><text:list-item><text:p>b</text:p></text:list-item></text:list></text:list-item></text:list><table:table>"
        "<table:table-row><table:table-cell "
        'table:number-columns-repeated="2"><text:p>x|y</text:p></table:table-cell>'
        '<table:table-cell table:number-columns-repeated="16000"/></table:table-row></table:table>'
    )
    parsed = parse(samples.opendocument("text", body), "a.odt")
    assert blocks(parsed) == [
        "## Lists",
        "One two [aside].",
        "- a\n  - b",
        "| x\\|y | x\\|y |\n| --- | --- |",
    ]


def test_opendocument_slides_and_sheets() -> None:
    slide = (
        "<draw:page><draw:frame><draw:text-box><text:p>Body</text:p></draw:text-box></draw:frame><draw:frame "  # noqa: E501
        'presentation:class="title"><draw:text-box><text:p>Head</text:p></draw:text-box></draw:frame></draw:page>'
    )
    assert parse(samples.opendocument("presentation", slide * 2), "a.odp").text == (
        "## Head\n\nBody\n\f\n## Head\n\nBody"
    )
    sheet = (
        "<table:table "
        'table:name="S1"><table:table-row><table:table-cell><text:p>1</text:p></table:table-cell>'
        '</table:table-row><table:table-row table:number-rows-repeated="1000000"/></table:table>'
    )
    assert (
        parse(samples.opendocument("spreadsheet", sheet), "a.ods").text == "## S1\n\n| 1 |\n| --- |"
    )


def test_rich_text_and_books() -> None:
    assert (
        parse(rb"{\rtf1\ansi\ansicpg1252 Hello w\'f6rld.\par Second.\par}", "a.txt").text
        == "Hello wörld.\n\nSecond."
    )
    book = parse(samples.epub(), "a.epub")
    assert "# Chapter One" in book.text
    assert "It was a dark night." in book.text
    assert book.title == "The Night"


def test_pdf_pages_paragraphs_and_title() -> None:
    first = (
        "A Guide to Ducks",
        "",
        "Ducks live on lakes and rivers in all parts of the world, where",
        "they eat leaves, seeds and small animals. They are birds.",
        "- first item of a list in the page",
        "- second item",
    )
    parsed = parse(samples.pdf(first, (), ("Last page.",), title="A guide to ducks"), "a.pdf")
    pages = parsed.text.split("\f")
    assert len(pages) == 3
    assert blocks(Parsed(text=pages[0], media_type="x")) == [
        "A Guide to Ducks",
        "Ducks live on lakes and rivers in all parts of the world, where they eat leaves, "
        "seeds and small animals. They are "
        "birds.",
        "- first item of a list in the page",
        "- second item",
    ]
    assert pages[2].strip() == "Last page."
    assert (parsed.title, parsed.markup) == ("A guide to ducks", "plain")
    assert dict(parsed.metadata) == {"pages": 3, "pages_without_text": 1}


def test_pdf_bookmarks_become_headings() -> None:
    data = samples.pdf(
        ("1. Scope", "", "# not a heading"),
        ("2. Terms",),
        title="other.indd",
        bookmarks=(("1.  Scope", 0), ("2. Terms", 1), ("Not there", 1)),
    )
    parsed = parse(data, "a.pdf")
    assert [line for line in parsed.text.splitlines() if line.startswith("#")] == [
        "# 1. Scope",
        "# 2. Terms",
    ]
    assert "\\# not a heading" in parsed.text
    assert (parsed.title, parsed.markup) == (None, "markdown")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (samples.pdf((), ()), "2 pages, and nothing is on it"),
        (samples.locked_pdf(), "password"),
        (samples.pdf(("text",))[:120], "damaged or was cut off"),
    ],
)
def test_pdf_refusals(data: bytes, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        parse(data, "a.pdf")


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252"])
def test_pages_lose_menus_but_no_text(charset: str) -> None:
    parsed = parse(PAGE.format(charset=charset).encode(charset), "a.html")
    assert parsed.title == "Die Straße"
    assert parsed.metadata["language"] == "de"
    for kept in ("# Größe", "Der erste Absatz mit", "Verweis", "## Tabelle", "Köln", "53"):
        assert kept in parsed.text
    for dropped in ("Impressum", "Über uns", "hidden", "color", "example.org"):
        assert dropped not in parsed.text


@pytest.mark.parametrize(
    ("page", "kept"),
    [
        (
            "<html><body><nav><p>All the text stands in the menu.</p></nav></body></html>",
            "All the text stands in the menu.",
        ),
        (
            "<html><body><nav>x</nav>"
            + "".join(f"<div>Item {n}</div>" for n in range(40))
            + "</body></html>",
            "Item 39",
        ),
        ("<html><body>bare words, <a href='x'>linked words</a></body></html>", "linked words"),
        (
            "<html><body><img alt='a described picture' src='x.png'></body></html>",
            "a described picture",
        ),
    ],
)
def test_odd_pages_keep_their_text(page: str, kept: str) -> None:
    assert kept in parse(page.encode(), "a.html").text


def test_a_page_without_text_is_refused() -> None:
    with pytest.raises(DocumentError, match="no text"):
        parse(b"<html><head><script>x()</script></head><body></body></html>", "a.html")
