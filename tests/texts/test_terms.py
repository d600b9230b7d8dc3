"""One analysis for documents and questions, in every language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.tasks.texts.terms import ASCII_TOKEN, TOKEN, analyse, indexed


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        (" \n—…!? ", []),
        ("Running runs RAN", ["run", "run", "ran"]),
        ("Crohn's disease", ["crohn", "diseas"]),
        ("ＣＯＶＩＤ ﬁne Straße", ["covid", "fine", "strass"]),
        ("The Who", ["the", "who"]),
        ("S", ["s"]),
        ("don't", ["don't", "don", "t"]),
        ("黑豹队", ["黑", "豹", "队", "黑豹", "豹队"]),
        ("NFL在", ["nfl", "在"]),
        ("梅雨は", ["梅", "雨", "は", "梅雨", "雨は"]),
        ("비번", ["비", "번", "비번"]),
        ("пароль Пароль", ["пароль", "пароль"]),
        ("ΕΛΛΑΣ Ελλάς", ["ελλασ", "ελλάσ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("İstanbul", ["istanbul"]),
        ("études", ["études"]),
    ],
)
def test_words(text: str, terms: list[str]) -> None:
    assert analyse(text) == terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("كتاب", "کتاب"),
        ("علي", "علی"),
        ("مُحَمَّد", "محمد"),
        ("كتـــاب", "کتاب"),
        ("أحمد", "احمد"),
        ("۲۰۱۶", "2016"),
        ("٢٠١٦", "2016"),
        ("بازی‌های", "بازی های"),
        ("e\u0301tude", "étude"),
        ("don’t", "don't"),
    ],
)
def test_different_ways_to_write_the_same(one: str, other: str) -> None:
    assert analyse(one) == analyse(other)


@pytest.mark.parametrize(
    ("identifier", "whole", "parts"),
    [
        ("os.path.join", "os.path.join", {"path", "join"}),
        ("foo_bar", "foo_bar", {"foo", "bar"}),
        ("C++", "c++", {"c"}),
        ("C#", "c#", {"c"}),
        ("getUserName", "getusername", {"get", "user", "name"}),
        ("HTTPServer", "httpserver", {"http", "server"}),
        ("v1.2.3", "v1.2.3", {"v1", "2", "3"}),
        ("3.14", "3.14", {"3", "14"}),
    ],
)
def test_identifiers_are_found_whole_and_in_parts(
    identifier: str, whole: str, parts: set[str]
) -> None:
    terms = analyse(f"call {identifier}, please")
    assert whole in terms
    assert parts <= set(terms)


def test_a_full_stop_does_not_glue_sentences_together() -> None:
    assert analyse("the end. next one") == ["the", "end", "next", "on"]


def test_thai_words_are_found_inside_a_sentence() -> None:
    assert set(analyse("ภาษา")) <= set(analyse("ฉันเรียนภาษาไทย"))


@given(st.text())
def test_terms_never_hold_white_space_and_survive_the_column(text: str) -> None:
    terms = analyse(text)
    assert all(term and not any(letter.isspace() for letter in term) for term in terms)
    assert indexed("", text).split() == terms
    assert indexed(text, "more words") == " ".join([*terms, "more", "word"])


def test_ascii_has_the_tokens_of_all_texts() -> None:
    text = "".join(map(chr, range(128))) + " C++ c# o'neil's a.b_c..d 3.14 'x' R2D2 f(x)++"
    assert ASCII_TOKEN.findall(text) == TOKEN.findall(text)
