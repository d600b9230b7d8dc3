"""What a web page looks like as Markdown: its lists, notes, code and tables, and what of it is the
main text.
"""

import pytest

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import parse, sniff
from llmops.tasks.plugins.parsers.html import document
from llmops.tasks.plugins.parsers.html.page_blocks import blocks, markdown
from tests.plugins.parsers import samples

SENTENCE = "Ducks swim in the lake all day long, eat leaves and seeds, and sleep among the reeds. "


def written(body: str) -> str:
    return markdown(list(blocks(document(f"<body>{body}</body>".encode()))))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<h2>A <b>bold</b> name <a href='#x'>¶</a></h2>", "## A bold name"),
        ("<p>one<b> two </b>three<br>four</p>", "one **two** three\nfour"),
        ("<p>a note<sup><a href='#1'>1</a></sup> and<sup>[2]</sup></p>", "a note[1] and[2]"),
        ("<p>x<sup>2</sup>, H<sub>2</sub>O, the 1<sup>st</sup></p>", "x^2, H2O, the 1st"),
        ("<p>of 2019<a href='#1'><sup>1</sup></a>.</p>", "of 2019[1]."),
        ("<p>un<em>believ</em>able, <b>H</b>ello, <b>x</b></p>", "unbelievable, Hello, **x**"),
        ("<p><del>40 €</del> 30 €, <s>Monday</s></p>", "~~40 €~~ 30 €, ~~Monday~~"),
        ("<p><math><mfrac><mn>1</mn><mn>12</mn></mfrac></math> l</p>", "1/12 l"),
        ("<p><span style='display: block'>Name</span><span>Role</span></p>", "Name\nRole"),
        ("<ol type=a><li>x<li>y</ol>", "a. x\nb. y"),
        ("<ol type=I start=4><li>x<li>y</ol>", "IV. x\nV. y"),
        ("<ol><li>x<li value=9>y<li>z</ol>", "1. x\n9. y\n10. z"),
        ("<ol reversed><li>x<li>y<li>z</ol>", "3. x\n2. y\n1. z"),
        (
            "<pre><div class=line><div>cd /tmp</div></div><div class=line>ls</div></pre>",
            "```\ncd /tmp\nls\n```",
        ),
        ("<ul><li>one<ul><li>in</ul><li><p>two</p></ul>", "- one\n  - in\n- two"),
        ("<ol start=3><li>three<li>four</ol>", "3. three\n4. four"),
        ("<dl><dt>Term<dd>Meaning</dl>", "**Term**: Meaning"),
        ("<blockquote><p>said</p></blockquote>", "> said"),
        ("<p>use <code>a`b</code></p>", "use ``a`b``"),
        (
            '<pre class="language-python"><code>if x:\n    y</code></pre>',
            "```python\nif x:\n    y\n```",
        ),
        ("<pre>```\nx</pre>", "````\n```\nx\n````"),
        ("<p># no heading</p>", "\\# no heading"),
        ("<a href=/x><div><h3>Card</h3><p>text</p></div></a>", "### Card\n\ntext"),
        ("<details><summary>Why?</summary><p>So.</p></details>", "Why?\n\nSo."),
        ("<p>a <img src=x alt='A lake'> b</p>", "a A lake b"),
        ("<p>漢<ruby>字<rp>(</rp><rt>じ</rt><rp>)</rp></ruby></p>", "漢字(じ)"),
    ],
)
def test_blocks(page: str, expected: str) -> None:
    assert written(page) == expected


def test_cells_over_several_rows_and_columns_stand_in_each_of_them() -> None:
    table = (
        "<table><caption>Weather</caption><thead><tr><th rowspan=2>City<th colspan=2>2026"
        "<tr><th>May<th>June</thead><tr><td rowspan=2>Rome<td>19<td>23<tr><td>20<td>24"
        "<tr><td colspan=3>Of all</table>"
    )
    assert written(table) == (
        "Weather\n\n| City | 2026 / May | 2026 / June |\n| --- | --- | --- |\n"
        "| Rome | 19 | 23 |\n| Rome | 20 | 24 |\n| Of all |  |  |"
    )


def test_each_row_of_a_long_table_names_its_columns() -> None:
    rows = "".join(f"<tr><td>Town {n}<td>{n} °C" for n in range(60))
    lines = written(f"<table><tr><th>City<th>May</tr>{rows}</table>").splitlines()
    assert len(lines) == 60
    assert lines[41] == "- City: Town 41; May: 41 °C"


def test_names_and_values_layouts_and_absurd_spans() -> None:
    assert written("<table><tr><th>Born<td>1912<tr><th>Died<td>1954</table>") == (
        "- Born: 1912\n- Died: 1954"
    )
    layout = "<table><tr><td><table><tr><td>in</table><td><h1>side</h1></table>"
    assert written(layout) == "in\n\n# side"
    huge = "<table><tr><th>A<th>B" + "<tr><td rowspan=99999 colspan=99999>x<td>y" * 500 + "</table>"
    assert len(written(huge)) < 20_000


@pytest.mark.parametrize("element", ["div", "b", "span", "ul><li", "table><tr><td", "blockquote"])
def test_elements_within_each_other_without_end_are_read(element: str) -> None:
    assert "deep" in written(f"<{element}>" * 400 + "deep")


FRAME = "<nav><a href=/a>Home</a> <a href=/b>News of the day</a></nav>{}<footer>Imprint</footer>"


def test_the_head_of_a_page_is_no_text() -> None:
    head = '<head><title>T</title><meta name="description" content="About ducks"></head>'
    parsed = parse(f"<html>{head}<body><p>{SENTENCE}</p></body></html>".encode(), "a.html")
    assert (parsed.text, parsed.title) == (SENTENCE.strip(), "T")


def test_the_main_text_keeps_its_tables_code_and_lists_and_loses_the_frame() -> None:
    inner = (
        "<main><h1>Ducks</h1>"
        + "".join(f"<p>{n}. {SENTENCE * 3}</p>" for n in range(4))
        + "<pre>quack --loud</pre>"
        "<table><tr><th>Bird<th>Legs<tr><td>Duck<td>2</table><ul><li>a seed</ul>"
        "<p>In the evening they fly to the other shore, and that is the end of it.</p></main>"
    )
    text = parse(f"<html><body>{FRAME.format(inner)}</body></html>".encode(), "a.html").text
    for part in ("# Ducks", "```\nquack --loud\n```", "| Duck | 2 |", "- a seed", "the end of it."):
        assert part in text
    assert "News of the day" not in text
    assert "Imprint" not in text


ARTICLE = "".join(f"<p>{SENTENCE}Of the ducks this is part {n} of the story.</p>" for n in range(6))


def test_a_caption_that_shares_words_with_a_paragraph_does_not_stand_for_it() -> None:
    shared = "Roughly thirteen thousand ducks remain in the valley of the river, as the rangers say"
    page = (
        f"<nav><a href=/>Home</a></nav><main><figure><figcaption>{shared} [Picture: A. B.]"
        f"</figcaption></figure>{ARTICLE}<p>{shared}, eighteen years after they came there in the "
        "wake of a storm, and nobody has counted them since.</p></main><footer>Imprint</footer>"
    )
    assert f"{shared}, eighteen years after" in parse(page.encode(), "a.html").text


def test_buttons_and_what_else_there_is_to_read_are_no_part_of_an_article() -> None:
    buttons = "<ul class=share-buttons><li>Order reprints<li>Print article</ul>"
    points = f"<ul><li>{SENTENCE}<li>The reeds are cut in March, before the ducks come back.</ul>"
    more = "".join(f"<h4><a href=/{n}>Geese {n} fly south again</a></h4>" for n in range(3))
    page = (
        f"<nav><a href=/>Home</a></nav><article><h1>Ducks</h1>{ARTICLE}{buttons}{points}{ARTICLE}"
        f"<h3>You may also like</h3>{more}</article><footer>Imprint</footer>"
    )
    text = parse(page.encode(), "a.html").text
    assert "before the ducks come back" in text
    assert not [said for said in ("reprints", "You may also like", "Geese") if said in text]


def test_a_page_that_is_a_list_is_kept_whole_and_one_in_a_form_too() -> None:
    items = "".join(f"<div><h3>Thing {n}</h3><p>{n} euros</p></div>" for n in range(30))
    for page in (f"<main>{items}</main>", f"<form><input>{items}<p>The end</form>"):
        text = parse(f"<html><body>{FRAME.format(page)}</body></html>".encode(), "a.html").text
        assert all(f"### Thing {n}" in text for n in range(1, 30))


def test_what_stands_for_readers_without_scripts_is_read_where_there_is_nothing_else() -> None:
    page = (
        b"<html><body><div id=app></div><noscript><p>All about ducks</p></noscript></body></html>"
    )
    assert parse(page, "a.html").text == "All about ducks"


def test_chapters_of_books_are_read_as_pages_are() -> None:
    parsed = parse(samples.epub(), "a.epub")
    assert (parsed.text, parsed.title) == ("# Chapter One\n\nIt was a dark night.", "The Night")


@pytest.mark.parametrize(
    ("uri", "data", "expected"),
    [
        ("a.xml", b"<article><p>x</p></article>", "application/xml"),
        ("feed", b'<feed xmlns="http://w3.org/Atom"><title>x</title></feed>', "application/xml"),
        ("a.txt", b"<b>bold</b> words that end otherwise", "text/plain"),
        ("a.md", b"<article><p>x</p></article>", "text/markdown"),
        ("a.xml", b"no element", "text/plain"),
    ],
)  # fmt: skip
def test_xml_without_a_prolog_is_xml(uri: str, data: bytes, expected: str) -> None:
    assert sniff(data, uri) == expected


def nested(count: int) -> bytes:
    inner = f"{'<div>' * count}<p>deep</p>{'</div>' * count}"
    return f"<p>before</p>{inner}<p>after</p>".encode()


def test_a_page_that_is_nested_too_deeply_to_be_read_whole_is_refused() -> None:
    whole = parse(nested(2_000), "a.html").text
    assert [word in whole for word in ("before", "deep", "after")] == [True] * 3
    with pytest.raises(DocumentError, match="2,048 elements of the page lie in each other"):
        parse(nested(2_100), "a.html")


BEFORE = (
    "The kettle is filled with cold water up to the mark, then it is put on its base and switched "
    "on by the red lever. People with hard water clean the plate once a week with vinegar. "
)
AFTER = (
    "When the water boils, a bimetal strip bends in the steam, and so the contact opens and the "
    "plate gets no more current."
)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("<p>The area burned was 10<sup>6</sup> ha.</p>", "The area burned was 10^6 ha."),
        (
            "<p>Applications close on <time datetime=2026-03-12>12 March 2026</time>.</p>",
            "Applications close on 12 March 2026.",
        ),
        (
            "<p>私は<ruby>東京<rt>とうきょう</rt></ruby>に住んでいます。</p>",
            "私は東京(とうきょう)に住んでいます。",
        ),
        ("<p>The un<em>believ</em>able story of a kettle.</p>", "The unbelievable story"),
        ("<p>Press <img src=x alt='the red button'> to start it now.</p>", "Press the red button"),
        ("<p>It costs <output>42 euros</output> in all shops today.</p>", "It costs 42 euros"),
        ("<center>All offices are closed until 2 January.</center>", "All offices are closed"),
        ("<label>Which kettles does the recall of 2025 affect?</label>", "Which kettles"),
        ("<fieldset><p>The lever must be red on top.</p></fieldset>", "The lever must be red"),
        (
            "<aside class='starlight-aside starlight-aside--caution'><p>Unplug the kettle before "
            "you clean it.</p></aside>",
            "Unplug the kettle",
        ),
        (
            "<figure><img src=w.png><figcaption>Figure 1: The parts of the kettle</figcaption>"
            "</figure>",
            "Figure 1: The parts",
        ),
    ],
)
@pytest.mark.parametrize("frame", ["", "<nav><a href=/>Home</a></nav>"])
def test_a_short_paragraph_of_the_main_text_is_kept_whatever_stands_in_it(
    frame: str, part: str, expected: str
) -> None:
    body = f"<main><h1>K</h1><p>{BEFORE * 2}</p>{part}<p>{AFTER}</p></main>"
    page = f"<html><body>{frame}{body}</body></html>"
    text = parse(page.encode(), "kettle.html").text
    assert expected in text
    assert text.index("vinegar") < text.index(expected) < text.index("When the water")


def test_what_stands_beside_the_main_text_without_a_sentence_is_left_out() -> None:
    beside = (
        "<center>Share on all channels you know</center>"
        "<p><a href=/b>Read the next story here.</a></p>"
        "<aside><p>Buy our new kettle in red today.</p></aside>"
    )
    page = f"<nav>Home</nav><main><p>{BEFORE * 2}</p>{beside}<p>{AFTER}</p></main>"
    text = parse(f"<html><body>{page}</body></html>".encode(), "kettle.html").text
    assert all(each not in text for each in ("Share", "next story", "new kettle"))
