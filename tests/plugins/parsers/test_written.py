"""Formats that people write by hand or programs write as text: Markdown, tables, mail, notebooks,
captions, LaTeX, XML.
"""

import json

import pytest

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, parse
from llmops.tasks.plugins.parsers.markdown import markdown_table


def blocks(parsed: Parsed) -> list[str]:
    return [block.strip() for block in parsed.text.split("\n\n") if block.strip()]


def test_markdown_title_and_front_matter() -> None:
    front = "---\ntitle: Der Titel\ndate: 2026-01-02\ndescription: Worum es geht.\n---\n"
    parsed = parse(f"{front}\n# Kopf\n\nText\r\n".encode(), "a.md")
    assert (parsed.title, parsed.text) == ("Der Titel", "Worum es geht.\n\n# Kopf\n\nText\n")
    assert parsed.metadata["date"] == "2026-01-02"
    assert parse(b"```\n# no\n```\n# [Yes](x) **it** is #\n", "a.md").title == "Yes it is"
    assert parse(b"## Second level only", "a.md").title is None


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("[no, de]", ["no", "de"]),
        ("yes", "yes"),
        ("true", True),
        ("12:30", "12:30"),
        ("010", 10),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02T10:00:00Z", "2026-01-02 10:00:00+00:00"),
        ("1.10.0", "1.10.0"),
        (".inf", "Infinity"),
        ("1\nkey: 2", 2),
    ],
)
def test_front_matter_is_yaml_1_2(said: str, value: object) -> None:
    parsed = parse(f"---\nkey: {said}\n---\n# Kopf\n".encode(), "a.md")
    assert (parsed.metadata["key"], parsed.text) == (value, "# Kopf\n")


@pytest.mark.parametrize(
    "front",
    [
        "a: &x [1]\nb: *x",
        "a: [",
        "- list",
        "x: " + "y" * 30_000,
        "? {1: 2}\n: 3",
        "d: 2026-13-45",
        "a: !x b",
    ],
)
def test_front_matter_that_is_odd_stays_text(front: str) -> None:
    text = f"---\n{front}\n---\nbody"
    assert parse(text.encode(), "a.md").text == text


def test_tables_name_their_values() -> None:
    parsed = parse(b'Name;Born;Note\nAda;1815;"first; of\nall"\nAlan;1912;\n', "a.csv")
    assert parsed.text == "Name: Ada; Born: 1815; Note: first; of all\nName: Alan; Born: 1912"
    assert parse(b"1,2\n3,4\n", "a.csv").text == "1 | 2\n3 | 4"
    assert parse(b"a\tb\n1\t2,5\n", "a.tsv").text == "a: 1; b: 2,5"
    assert parse(b"a,b\n1,2,extra\n3\n", "a.csv").text == "a: 1; b: 2; extra\na: 3"


def test_mail_with_attachments() -> None:
    data = (
        b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nTo: b@example.org\r\n"
        b"Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\nMIME-Version: 1.0\r\nContent-Type: "
        b"multipart/mixed; boundary=B\r\n\r\n--B\r\n"
        b"Content-Type: text/plain; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=F6ne Gr=FC=DFe!\r\n--B\r\n"
        b"Content-Type: application/octet-stream; name=notes.md\r\nContent-Disposition: "
        b"attachment; filename=notes.md\r\n"
        b"\r\n# Notes\r\nA note.\r\n--B\r\nContent-Type: image/png\r\nContent-Disposition: "
        b"attachment; filename=p.png\r\n\r\n"
        b"\x89PNG\r\n\x1a\n\x00\r\n--B\r\nContent-Type: message/rfc822\r\n\r\n"
        b"From: inner@example.org\r\nSubject: Inner\r\nDate: Mon, 1 Jan 2026 00:00:00 "
        b"+0000\r\n\r\nInner text\r\n--B--\r\n"
    )
    parsed = parse(data, "a")
    assert parsed.title == "Grüße"
    for part in (
        "From: Jürgen <j@example.org>",
        "Schöne Grüße!",
        "## notes.md",
        "A note.",
        "Inner text",
    ):
        assert part in parsed.text
    assert "files of their own" in parsed.metadata["unread_attachments"]["p.png"]


def test_a_mail_of_html() -> None:
    data = (
        b"From: a@b.c\nTo: d@e.f\nSubject: Hi\nContent-Type: text/html; charset=utf-8\n\n"
        b"<html><body><p>Hello <b>you</b></p></body></html>"
    )
    assert parse(data, "a.eml").text.endswith("Hello **you**")


def test_a_mail_with_nothing_but_a_subject_is_kept() -> None:
    parsed = parse(b"From: a@b.c\nTo: d@e.f\nSubject: Lunch?\nContent-Type: text/html\n\n", "a.eml")
    assert (parsed.title, parsed.text) == ("Lunch?", "From: a@b.c\nTo: d@e.f")


def test_notebooks() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "words"]},
        {
            "cell_type": "code",
            "source": "x = 1\nx",
            "outputs": [{"data": {"text/plain": ["1"], "image/png": "AAAA"}}],
        },
    ]
    data = json.dumps(
        {"nbformat": 4, "metadata": {"language_info": {"name": "python"}}, "cells": cells}
    ).encode()
    parsed = parse(data, "a.ipynb")
    assert parsed.text == "# Title\nwords\n\n```python\nx = 1\nx\n```\n\n```\n1\n```"
    assert parsed.title == "Title"
    with pytest.raises(DocumentError, match="notebook is damaged"):
        parse(data[:-9], "a.ipynb")


def test_captions() -> None:
    data = (
        "WEBVTT\nKind: captions\n\nNOTE by me\n\nSTYLE\n::cue {}\n\n1\n00:00:01.000 --> "
        "00:00:02.000 align:left\n"
        "<v Ada>Hello <i>there</i>\nyou &amp; me\n\n00:02.000 --> 00:03.000\n<v Ada>Hello "
        "there you &amp; me\n\n"
        "00:03.000 --> 00:04.000\nBye\n"
    )
    assert parse(data.encode(), "a.vtt").text == "Ada: Hello there you & me\nBye"


def test_blank_lines_within_a_cue_lose_nothing() -> None:
    data = (
        "1\n00:00:01,000 --> 00:00:02,000\n\nHello\n \nthere\n\n"
        "2\n\n00:00:03,000 --> 00:00:04,000\nIt is 1984\n1985\n\n"
        "3\n0:00:05,00-->0:00:06,00\nBye\n\n00:00:07,000 --> 00:00:08,000\nnow\n"
    )
    assert parse(data.encode(), "a.srt").text == "Hello there\nIt is 1984 1985\nBye\nnow"


def test_latex_keeps_its_text_also_in_fragments() -> None:
    whole = parse(
        rb"""\documentclass{article}\title{On Ducks}\begin{document}\maketitle\section{Lakes}
Ducks \emph{swim}~\cite{x} 100\% of the day. % not this
\end{document}""",
        "a.tex",
    )
    assert whole.title == "On Ducks"
    assert "# Lakes" in whole.text
    assert "not this" not in whole.text
    fragment = parse(b"Ducks \\textbf{swim} well, and so does this fragment.\n", "part.tex")
    assert "so does this fragment" in fragment.text


def test_asciidoc_and_restructured_text() -> None:
    adoc = parse(b"= Guide\n:toc:\n\n[id=x]\n== First\n\n. Click btn:[OK].\n", "a.adoc")
    assert adoc.text.splitlines()[0] == "# Guide"
    assert "## First" in adoc.text
    assert "1. Click OK." in adoc.text
    rst = parse(
        b"Guide\n=====\n\nSee :ref:`the lake <lake>` now.\n\nMore\n----\n\nWords.\n", "a.rst"
    )
    assert (rst.title, "## More" in rst.text, "See the lake now." in rst.text) == (
        "Guide",
        True,
        True,
    )


def test_xml_sections_are_headings() -> None:
    data = b"""<?xml version="1.0"?><!DOCTYPE article [<!ENTITY e SYSTEM "file:///etc/passwd">]><article><front>
<article-title>On <i>Ducks</i></article-title><contrib><surname>Doe</surname><given>J</given></contrib></front>
<body><sec><title>Lakes</title><p>Water &e; and <b>reed</b>.</p><sec><title>Deep</title><p>Dark.</p></sec></sec></body>
</article>"""  # noqa: E501
    parsed = parse(data, "a.xml")
    assert parsed.title == "On Ducks"
    assert blocks(parsed) == [
        "## On Ducks",
        "Doe J",
        "### Lakes",
        "Water and reed.",
        "#### Deep",
        "Dark.",
    ]


def test_sloppy_xml_is_read_and_cut_off_xml_is_not() -> None:
    assert (
        parse(b"<?xml version='1.0'?><a><p>fish &nbsp; chips</p></a>", "a.xml").text == "fish chips"
    )
    entity = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "inner words">]><a><p>some &b;</p></a>'
    assert parse(entity, "a.xml").text == "some inner words"
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><a><p>&l9;</p></a>'
    for data in (b"<?xml version='1.0'?><a><p>first</p><p>sec", bomb.encode()):
        with pytest.raises(DocumentError):
            parse(data, "a.xml")


def test_each_line_of_a_long_table_of_values_names_its_columns() -> None:
    rows = [[str(n), f"{n} ducks on the lake"] for n in range(2000, 2060)]
    lines = markdown_table([["Year", "Ducks"], *rows]).splitlines()
    assert lines == [f"- Year: {year}; Ducks: {text}" for year, text in rows]


def test_two_rows_of_headings_name_the_columns_together() -> None:
    rows = [[f"City {n}", str(n), str(n + 1), "", str(n + 3)] for n in range(60)]
    head = [["City", "2025", "2025", "2026", "2026"], ["City", "May", "June", "May", "June"]]
    names, _, first, *_, last = markdown_table([*head, *rows]).splitlines()
    assert names == "Columns: City; 2025 / May; 2025 / June; 2026 / May; 2026 / June"
    assert first == "- City: City 0; 2025 / May: 0; 2025 / June: 1; 2026 / June: 3"
    assert last.startswith("- City: City 59; 2025 / May: 59")


def test_the_row_that_names_most_columns_is_their_header() -> None:
    rows = [["Berlin", "May 2026", ""], ["Kind", "**Name**", "Sold"]]
    text = markdown_table([*rows, *([f"k{n}", f"n{n}", str(n)] for n in range(60))])
    assert text.splitlines()[:3] == ["Berlin May 2026", "", "- Kind: k0; Name: n0; Sold: 0"]


def test_years_may_name_columns_but_not_above_years() -> None:
    rows = [[f"City {n}", f"{n}.5", f"{n}.7"] for n in range(60)]
    assert markdown_table([["City", "2025", "2026"], *rows]).startswith("- City: City 0; 2025: 0.5")
    years = [[f"City {n}", str(1900 + n), str(1950 + n)] for n in range(60)]
    assert markdown_table(years).startswith("| City 0 | 1900 | 1950 |")


def test_a_long_table_of_words_repeats_its_first_row() -> None:
    """Whether that row names the columns nobody knows."""
    rows = [[f"word{n:02}", "much said about it " * 3] for n in range(60)]
    parts = markdown_table([["Term", "Meaning"], *rows]).split("\n\n")
    assert len(parts) > 1
    assert all(part.startswith("| Term | Meaning |\n| --- | --- |\n| word") for part in parts)
    assert max(map(len, parts)) < 800
    lines = [line for part in parts for line in part.splitlines()[2:]]
    assert lines == [f"| {term} | {text.strip()} |" for term, text in rows]


def test_a_title_over_a_table_is_not_its_header() -> None:
    rows = [["Ducks per year", ""], ["Year", "Ducks"], *([str(n), "x" * 40] for n in range(60))]
    title, blank, first, *_ = markdown_table(rows).splitlines()
    assert (title, blank) == ("Ducks per year", "")
    assert first == f"- Year: 0; Ducks: {'x' * 40}"


def test_a_table_without_names_of_columns_stays_whole() -> None:
    numbers = [[str(n), str(n * n)] for n in range(200)]
    assert markdown_table(numbers).count("---") == 2
