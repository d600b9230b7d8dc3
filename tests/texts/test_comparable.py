"""Words and sentences in every script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.tasks.texts.comparable import folded, pieces, shown, squad, words
from llmops.tasks.texts.sentences import bare, sentences

ANY = st.text(st.characters(codec=None), max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop_it — 3.14", ["don", "t", "stop", "it", "3", "14"]),
        ("ＡＢＣ １２", ["abc", "12"]),
        ("naïve ﬁle", ["naïve", "file"]),
        ("東京tower", ["東", "京", "tower"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("می‌خواهم ۱۲", ["می", "خواهم", "12"]),
        ("ที่", ["ที่"]),
        ("كتاب", ["کتاب"]),
        ("Straße", ["strasse"]),
        ("!? 🎉", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  cat's, a dog–and “an” apple!", "cats dogand apple"),
        ("a.b.c. $5", "abc 5"),
        ("A", ""),
        ("An answer: the", "answer"),
        ("「東京」、です。", "東京です"),
        ("theatre", "theatre"),
    ],
)
def test_the_normal_form_of_squad(text: str, expected: str) -> None:
    assert squad(text) == expected


def test_articles_of_other_languages() -> None:
    assert squad("Der Hund und die Katze", ("der", "die", "das")) == "hund und katze"
    assert squad("The cat", (), case=True) == "The cat"


def test_pieces_are_words_and_single_characters() -> None:
    assert pieces(squad("新しいiPhone 15 Pro、安い")) == [
        "新",
        "し",
        "い",
        "iphone",
        "15",
        "pro",
        "安",
        "い",
    ]


@given(ANY)
def test_forms_are_stable(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert squad(squad(text, ())) == squad(squad(squad(text, ())))
    assert words(" ".join(words(text))) == words(text)
    shown(text).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Dr. Smith came. He left at 5 p.m. on Monday.",
            ["Dr. Smith came.", "He left at 5 p.m. on Monday."],
        ),
        ("Pi is 3.14. Really? Yes!", ["Pi is 3.14.", "Really?", "Yes!"]),
        ("你好。世界！好", ["你好。", "世界！", "好"]),
        ("- one\n- two\n\nThree", ["- one", "- two", "Three"]),
        ("a line that is wrapped\nin its middle.", ["a line that is wrapped\nin its middle."]),
        ("سلام. خوبی؟ بله.", ["سلام.", "خوبی؟", "بله."]),
        ("1. First\n2. Second", ["1. First", "2. Second"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(ANY)
def test_sentences_lose_nothing(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_a_bare_sentence_has_no_markdown() -> None:
    assert [bare(one) for one in ("- **Bold** text", "2) `code`", "## Title")] == [
        "Bold text",
        "code",
        "Title",
    ]
