"""Which rows say what others say."""

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.datasets.training.contents import parts
from llmops.tasks.datasets.training.duplicates import duplicates
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.sketches import Sketches
from llmops.tasks.plugins.cleaners.near_duplicates import shingle_hashes, similarity
from tests.datasets.training.rows import chat, many, message

CHINESE = "退款通常在三到五个工作日内退回到原来的付款方式如果超过七天没有收到请联系客服并提供订单号"
THAI = "การคืนเงินมักจะใช้เวลาสามถึงห้าวันทำการหากเกินเจ็ดวันโปรดติดต่อฝ่ายบริการลูกค้าพร้อมหมายเลขคำสั่งซื้อ"
GERMAN = (
    "Die Erstattung dauert in der Regel drei bis fünf Werktage, danach melden Sie sich bitte mit "
    "der Nummer Ihrer Bestellung beim Kundendienst."
)


def told(rows: list[Row], near: float | None = 0.85) -> list[tuple[str, str, str]]:
    return [(each.id, each.of, each.kind) for each in duplicates(rows, near)]


def test_rows_with_nothing_in_common_stay() -> None:
    assert duplicates(many(2000)) == []


def test_lineage_id_group_and_score_make_no_row_another() -> None:
    rows = many(3)
    again = rows[1].model_copy(
        update={"id": "x", "group": "h", "score": 0.1, "lineage": {"trace_id": "t"}}
    )
    (one,) = duplicates([*rows, again])
    assert (one.number, one.id, one.of, one.kind, one.similarity) == (3, "x", "row-1", "exact", 1)


def test_another_spelling_is_told_apart_from_an_equal_text() -> None:
    rows = [
        chat("What is  it?", "A fine day", id="a"),
        chat("what is it?", "Ａ fine\u200b DAY", id="b"),
        chat("what is it?", "Ａ fine\u200b DAY", id="c"),
    ]
    assert told(rows) == [("b", "a", "normalised"), ("c", "a", "exact")]


@pytest.mark.parametrize("text", [CHINESE, THAI, GERMAN])
def test_a_changed_word_or_character_makes_a_near_duplicate_in_every_language(text: str) -> None:
    middle = len(text) // 2
    changed = text[:middle] + ("X" if text.isascii() else text[3]) + text[middle + 1 :]
    rows = [*many(20), chat("?", text, id="a"), chat("?", changed, id="b")]
    assert told(rows, 0.7) == [("b", "a", "near")]
    assert told(rows, None) == []


def test_instructions_make_no_two_rows_alike() -> None:
    system = message("system", "Answer from the passages alone, and say where it stands. " * 30)
    rows = [each.model_copy(update={"messages": (system, *each.messages)}) for each in many(30)]
    assert duplicates(rows, 0.3) == []


def test_two_questions_on_one_passage_are_two_rows() -> None:
    passage = " ".join(each.messages[1].content or "" for each in many(5))
    asked = ["How long may I wait for it?", "Who pays the postage of a parcel that comes back?"]
    answered = [chat(each, passage, id=each) for each in asked]
    told_first = [chat(f"{passage} {each}", f"It is {each[:9]}", id=each) for each in asked]
    assert duplicates(answered) == []
    assert duplicates(told_first) == []
    again = chat("How long may I wait for this?", passage, id="again")
    assert told([*answered, again]) == [("again", asked[0], "near")]


def test_no_row_is_left_out_for_one_that_is_left_out_itself() -> None:
    """A chain: each is like its neighbours, and unlike those further away."""
    words = [f"word{n}" for n in range(160)]
    rows = [chat("?", " ".join(words[n * 4 : n * 4 + 100]), id=f"{n}") for n in range(12)]
    found = duplicates(rows, 0.85)
    gone = {each.id for each in found}
    assert found
    assert gone.isdisjoint(each.of for each in found)


def test_what_is_left_out_is_as_similar_as_it_is_said_to_be() -> None:
    chance = random.Random(3)
    rows = many(400)
    planted = [_changed(row, share, chance) for row, share in zip(rows, SHARES * 100, strict=False)]
    every = [*rows, *planted]
    texts = {row.id: shingle_hashes("\n".join(parts(row)), 3) for row in every}
    found = duplicates(every, 0.85)
    for each in found:
        assert each.similarity == pytest.approx(similarity(texts[each.id], texts[each.of]))
        assert each.similarity >= 0.85
    kept = {row.id for row in every} - {each.id for each in found}
    alike = [(f"row-{n}", f"copy-row-{n}") for n in range(400)]
    missed = [
        both
        for both in alike
        if kept.issuperset(both) and similarity(texts[both[0]], texts[both[1]]) >= 0.85
    ]
    there = sum(similarity(texts[one], texts[other]) >= 0.85 for one, other in alike)
    assert there > 150
    assert len(missed) <= 0.005 * there


SHARES = [0.01, 0.02, 0.05, 0.2]


def _changed(row: Row, share: float, chance: random.Random) -> Row:
    asked, answer = (one.content or "" for one in row.messages)
    words = answer.split()
    words = [f"new{n}" if chance.random() < share else one for n, one in enumerate(words)]
    return chat(asked, " ".join(words), id=f"copy-{row.id}", group=row.group)


TEXTS = st.lists(
    st.lists(st.sampled_from(["one", "two", "three", "four", "五", "六"]), max_size=9).map(
        " ".join
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from([0.5, 0.7, 1.0]))
def test_links_join_what_all_pairs_would_join(texts: list[str], near: float) -> None:
    """Against every pair compared exactly; small texts agree in whole bands or are far apart."""
    shingles = [shingle_hashes(text, 3) for text in texts]
    with Sketches(near, wanted=1 - 1e-9) as sketches:
        sketches.add((text,) for text in texts)
        links = list(sketches.links())
    for link in links:
        assert link.similarity == similarity(shingles[link.one], shingles[link.other]) >= near
    wanted = [
        (one, other)
        for one, other in combinations(range(len(texts)), 2)
        if similarity(shingles[one], shingles[other]) >= near
    ]
    assert _parts(len(texts), [(link.one, link.other) for link in links]) == _parts(
        len(texts), wanted
    )


def _parts(size: int, pairs: list[tuple[int, int]]) -> list[int]:
    """The least member of each one's part."""
    least = list(range(size))
    for _ in range(size):
        for one, other in pairs:
            least[one] = least[other] = min(least[one], least[other])
    return least


def test_near_is_a_similarity() -> None:
    with pytest.raises(ValueError, match=r"above 0 and at most 1, got 85"):
        duplicates(many(1), 85)
