"""Which sentence of a passage an answer leans on."""

import pytest

from llmops.tasks.chat.highlights import claim_at, highlighted, placed

TOWER = (
    "The Eiffel Tower is a lattice tower in Paris. It was built from 1887 to 1889 by the company "
    "of Gustave Eiffel. The Eiffel Tower is 330 metres tall."
)
ZH = "埃菲尔铁塔位于巴黎。它建于1887年至1889年。铁塔高330米。"
FA = "برج ایفل در پاریس است. این برج از ۱۸۸۷ تا ۱۸۸۹ ساخته شد. بلندی برج ۳۳۰ متر است."


@pytest.mark.parametrize(
    ("claim", "passage", "wanted"),
    [
        ("It is 330 metres tall [1].", TOWER, "The Eiffel Tower is 330 metres tall."),
        ("Gustave Eiffel's company built it [1].", TOWER, "It was built from 1887"),
        ("The Eiffel Tower is a lattice tower in Paris.", TOWER, "The Eiffel Tower is a lattice"),
        ("铁塔的高度是330米[1]。", ZH, "铁塔高330米。"),
        ("这座塔在巴黎。", ZH, "埃菲尔铁塔位于巴黎。"),
        ("بلندی آن ۳۳۰ متر است", FA, "بلندی برج ۳۳۰ متر است."),
    ],
)
def test_the_sentence_that_says_it_is_found(claim: str, passage: str, wanted: str) -> None:
    (found,) = highlighted([claim], passage)
    assert passage[found.start : found.end].startswith(wanted)


def test_several_claims_are_several_sentences_each_once_and_in_order() -> None:
    found = highlighted(["It is 330 metres tall.", "In Paris.", "330 metres"], TOWER)
    assert [TOWER[place.start :][:8] for place in found] == ["The Eiff", "The Eiff"]
    assert found == sorted(found)


@pytest.mark.parametrize(("claim", "passage"), [("Nothing alike", TOWER), ("", TOWER), ("x", "")])
def test_where_no_word_is_shared_nothing_is_marked(claim: str, passage: str) -> None:
    assert highlighted([claim], passage) == []


def test_sentences_stand_where_they_are() -> None:
    text = " One here.  Two here!\n\n- Three here\n- Three here\n"
    assert [text[place.start : place.end] for place in placed(text)] == [
        "One here.",
        "Two here!",
        "- Three here",
        "- Three here",
    ]


def test_a_mark_after_the_stop_belongs_to_what_was_said_before() -> None:
    assert claim_at("One is so. [1] Two is so.", 11) == "One is so."
    assert claim_at("[1] alone", 0) == "[1] alone"
