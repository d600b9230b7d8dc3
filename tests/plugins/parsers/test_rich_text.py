"""Rich text read as its programs show it."""

import pytest

from llmops.tasks.plugins.parsers import parse

FONTS = rb"{\fonttbl{\f0 Arial;}{\f1\fcharset2 Wingdings;}{\f2\fcharset2 Symbol;}}"
COCOA = (
    rb"{\fonttbl\f0\fswiss\fcharset0 Helvetica;\f1\fnil\fcharset128 Hiragino;"
    rb"\f2\fnil\fcharset204 HelveticaCY;}"
)


@pytest.mark.parametrize(
    ("rich", "text"),
    [
        (COCOA + rb"\f0 Rice \f1 \'93\'fa\'96\'7b\f0  in \f2 \'cc\'ee", "Rice 日本 in Мо"),
        (rb"a \u-10179?\u-8704? b \uc0\u55357 \u56832 c", "a 😀 b 😀c"),
        (rb"no\~break and no\_break", "no\u00a0break and no\u2011break"),
        (rb"{\deleted OLD }kept\deleted  OLD \u960?\deleted0", "kept"),
        (rb"10{\super 6} kg of H{\sub 2}O, 1{\super st}", "10^6^ kg of H2O, 1st"),
        (FONTS + rb"\f0 Done {\f1 \'fc}, angle {\f2 a}{\f1\u-3844?}", "Done ✔, angle α✔"),
        (rb"before{\pict\pngblip 8950}{\pict\bin4 }}{{}\u233? after}", "beforeé after"),
    ],
)
def test_rich_text_reads_as_it_is_shown(rich: bytes, text: str) -> None:
    assert parse(rb"{\rtf1\ansi\ansicpg1252 " + rich + b"}", "a.rtf").text == text


def test_labels_of_lists_are_text_but_hidden_ones_and_bullets() -> None:
    rich = (
        rb"{\listtext\pard\plain 2.1\tab}Fees\par \pard{\listtext\pard\plain (a)\tab}Tax\par "
        rb"\pard{\listtext\f0\'b7\tab}Point\par \pard{\listtext\v 9\tab}Secret label\par "
        rb"\pard\ls1\ilvl0{\listtext 3.\tab}Last\par"
    )
    lines = parse(rb"{\rtf1\ansi " + rich + b"}", "a.rtf").text.split("\n\n")
    assert lines == ["2.1 Fees", "(a) Tax", "Point", "Secret label", "3. Last"]
