"""Excerpts of passages: they begin at a sentence or at a word, and end at a word."""

import pytest

from llmops.tasks.texts.excerpts import excerpt


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Press reset.\n  Wait a\tminute.", "Press reset. Wait a minute."),
        ("the end of it. Press reset.", "… the end of it. Press reset."),
        (", and so on. Press reset.", "… and so on. Press reset."),
        ("", ""),
        (" \n", ""),
    ],
)
def test_what_has_room_is_shown_whole_with_an_ellipsis_where_a_sentence_goes_on(
    text: str, shown: str
) -> None:
    assert excerpt(text) == shown


def test_what_has_no_room_begins_with_its_next_sentence_and_ends_at_a_word() -> None:
    text = "the end of a long one. " + "Press reset and wait for a minute. " * 20
    assert excerpt(text, 60) == "Press reset and wait for a minute. Press reset and wait …"
    assert excerpt("the end of it. Press reset.", inside=False) == "the end of it. Press reset."
    alone = "word " * 100
    assert excerpt(alone, 20) == "… word word word …"


def test_a_text_without_blanks_is_cut_after_any_of_its_letters() -> None:
    shown = excerpt("重置密码需要一分钟" * 50, 40)
    assert shown == ("重置密码需要一分钟" * 50)[:38] + " …"
    assert len(excerpt("x" * 1000, 40)) == 40
