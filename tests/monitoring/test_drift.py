"""Drift of what people ask and are answered, and topics that are new, on exchanges."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from llmops.tasks.monitoring.drift import covered, drifts
from llmops.tasks.monitoring.figures import Drift, NewTopic
from llmops.tasks.monitoring.sampling import CURRENT_UNITS, REFERENCE_UNITS, ROWS, sampled
from llmops.tasks.monitoring.topic_words import topic_words
from llmops.tasks.monitoring.traffic import Exchange, FoundPassage
from llmops.tasks.plugins.embedders.hash import HashEmbedder

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SUBJECTS = (
    *("refund", "invoice", "password", "delivery", "warranty", "account", "parcel", "address"),
    *("discount", "newsletter", "voucher", "return", "exchange", "payment", "card", "order"),
)
MANNERS = ("how do i change my", "where is the", "can you cancel my", "who pays for the")
PASSAGE = FoundPassage(chunk_id="c", doc_id="d")
Window = list[Exchange]


def asked(question: str, week: int, key: str, **given: object) -> Exchange:
    fields = {"answer": f"Here is what we know: {question}", "passages": (PASSAGE,), **given}
    return Exchange.model_validate(
        {"id": key, "at": START + timedelta(weeks=week), "question": question, **fields}
    )


def ordinary(week: int, count: int = 60) -> Window:
    random = Random(week)
    questions = [
        f"{random.choice(MANNERS)} {random.choice(SUBJECTS)} {random.choice(SUBJECTS)}"
        for _ in range(count)
    ]
    return [asked(each, week, f"w{week}-{row}") for row, each in enumerate(questions)]


def about_tents(week: int, count: int = 20, **given: object) -> Window:
    ends = ("rain", "snow", "storm", "summer", "dogs")
    return [
        asked(f"waterproof tent fabric against {ends[row % 5]}", week, f"t{week}-{row}", **given)
        for row in range(count)
    ]


def looked(
    current: Sequence[Exchange], windows: Sequence[Sequence[Exchange]], rate: float = 1.0
) -> tuple[Drift, Drift, tuple[NewTopic, ...]]:
    (questions, answers), fresh = drifts(
        current, windows, HashEmbedder(), false_alarms_per_year=rate, looks_per_year=52
    )
    assert (questions.what, answers.what) == ("questions", "answers")
    return questions, answers, fresh


WEEKS = [ordinary(week) for week in range(6)]


def test_a_week_like_those_before_is_the_same() -> None:
    questions, answers, fresh = looked(ordinary(6), WEEKS)
    assert (questions.status, answers.status, fresh) == ("same", "same", ())
    assert questions.level == pytest.approx(1 / 3 / 52)
    assert questions.false_alarms_per_year == pytest.approx(1 / 3)
    assert (questions.n, questions.n_before) == (60, 360)
    days = [(START + timedelta(weeks=week)).date().isoformat() for week in range(7)]
    assert [day for day, _ in questions.weeks] == days
    assert questions.weeks[0][1] is None
    assert questions.weeks[-1][1] == questions.distance


def test_a_new_topic_is_told_with_what_it_is_about_and_whether_it_is_covered() -> None:
    tents = [
        *about_tents(6, 15, status="refused", answer="I do not know."),
        *about_tents(7, 5),
    ]
    questions, _, (topic,) = looked([*ordinary(6), *tents], WEEKS)
    assert questions.status == "drifted"
    assert questions.reason == "this window is unlike those before it"
    assert questions.p is not None
    assert questions.level is not None
    assert questions.p <= questions.level
    assert (topic.questions, topic.conversations) == (20, 20)
    assert {"tent", "waterproof", "fabric"} <= set(topic.words)
    assert topic.covered == pytest.approx(0.25)
    assert all("tent" in each for each in topic.examples)
    assert set(topic.trace_ids) == {each.id for each in tents}


def test_windows_come_in_any_order_and_empty_ones_do_not_count() -> None:
    current = [*ordinary(6), *about_tents(6)]
    assert looked(current, WEEKS) == looked(current, [*WEEKS[::-1], []])


def test_the_flood_of_one_person_is_neither_drift_nor_topic() -> None:
    flood = [asked("waterproof tent fabric", 6, f"f{row}", person="bot") for row in range(300)]
    many = [
        asked(f"waterproof tent {row}", 6, f"c{row}", conversation=f"c{row}", person="bot")
        for row in range(300)
    ]
    for current in ([*ordinary(6), *flood], [*ordinary(6), *many]):
        questions, answers, fresh = looked(current, WEEKS)
        assert (questions.status, answers.status, fresh) == ("same", "same", ())


def test_refusals_and_empty_answers_are_no_drift_of_answers() -> None:
    current = [
        each.model_copy(update={"status": "refused", "answer": "Sorry, I cannot say."})
        if row % 2
        else each
        for row, each in enumerate(ordinary(6, 120))
    ]
    current += [each.model_copy(update={"answer": " "}) for each in ordinary(7, 30)]
    questions, answers, _ = looked(current, WEEKS)
    assert (answers.status, answers.n) == ("same", 60)
    assert questions.n == 150


def test_answers_that_are_others_are_a_drift_of_answers_alone() -> None:
    current = [
        each.model_copy(update={"answer": f"As a helpful assistant, {row % 7} suggestions follow"})
        for row, each in enumerate(ordinary(6))
    ]
    questions, answers, _ = looked(current, WEEKS)
    assert (questions.status, answers.status) == ("same", "drifted")


@pytest.mark.parametrize(
    ("current", "windows", "reason"),
    [
        (ordinary(6, 12), WEEKS, "in this window: 12 of at least 20"),
        (ordinary(6), [ordinary(5, 7)], "in the windows before: 7 of at least 20"),
        (ordinary(6), [], "in the windows before: 0 of at least 20"),
        ([], WEEKS, "in this window: 0 of at least 20"),
        ([], [], "in this window: 0 of at least 20"),
    ],
)
def test_too_little_is_said(current: Window, windows: list[Window], reason: str) -> None:
    questions, answers, fresh = looked(current, windows)
    assert (questions.status, answers.status, fresh) == ("unknown", "unknown", ())
    assert questions.reason == f"too few people or conversations {reason}"
    assert questions.p is None


def test_windows_without_texts_are_too_little() -> None:
    bare = [each.model_copy(update={"question": "", "answer": ""}) for each in ordinary(6)]
    questions, answers, fresh = looked(bare, [bare, bare])
    assert (questions.status, answers.status, fresh) == ("unknown", "unknown", ())


def test_what_is_looked_at_is_bounded_by_whole_units() -> None:
    many = [
        asked(f"question {row % 7}", 6, f"m{row}", person=f"p{row // 7}") for row in range(8_400)
    ]
    windows = sampled([many, *[many] * 8], lambda each: each.question)
    assert len(windows[0]) == CURRENT_UNITS
    assert {len(window) for window in windows[1:]} == {REFERENCE_UNITS // 8}
    assert {len(unit.texts) for window in windows for unit in window} == {3}
    assert sum(len(unit.texts) for window in windows for unit in window) <= 1.5 * ROWS
    assert windows == sampled([many[::-1], *[many] * 8], lambda each: each.question)


def test_a_text_that_somebody_says_again_is_looked_at_once() -> None:
    again = [asked("where is it?", 6, f"a{row}", person="p") for row in range(5)]
    ((unit,),) = sampled([again], lambda each: each.question)
    assert unit.texts == ("where is it?",)
    assert {each.id for each in unit.exchanges[0]} == {"a0", "a1", "a2", "a3", "a4"}


@pytest.mark.parametrize(
    ("given", "is_covered"),
    [
        ({}, True),
        ({"status": "refused"}, False),
        ({"answer": " "}, False),
        ({"passages": ()}, False),
        ({"rating": "down"}, False),
        ({"scores": {"grounded": 0.3}}, False),
        ({"scores": {"grounded": 0.9}}, True),
    ],
)
def test_what_is_covered(given: dict[str, object], is_covered: bool) -> None:
    assert covered(asked("why?", 0, "a", **given), searched=True) is is_covered


def test_traffic_that_names_no_passages_is_covered_by_its_answers() -> None:
    assert covered(asked("why?", 0, "a", passages=()), searched=False)


@pytest.mark.parametrize(
    ("texts", "others", "word"),
    [
        (["return policies of shops", "the policy on returns"], ["the shop on maps"], "policy"),
        (["电池续航多久", "电池怎么更换"], ["怎么付款", "多久发货"], "电池"),
        (["梅雨はいつ終わるか", "梅雨の期間は"], ["送料はいくらか", "いつ届くか"], "梅雨"),
        (["بازی‌های المپیک کجاست", "المپیک بعدی کی است"], ["نام شهر کجاست"], "المپیک"),
    ],
)
def test_words_say_what_texts_are_about(texts: list[str], others: list[str], word: str) -> None:
    words = topic_words(texts, others)
    assert word in words or any(each.startswith(word[:5]) for each in words)
    assert not set(words) & {"the", "怎么", "いつ", "کجاست"}


def test_pairs_of_characters_that_are_one_word_are_told_as_one() -> None:
    texts = ["シベリアの冬", "シベリアから来る風"]
    assert topic_words(texts, ["梅雨の期間は"])[0] == "シベリア"
