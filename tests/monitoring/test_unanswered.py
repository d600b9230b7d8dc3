"""Questions that the documents do not answer: which exchanges count, and which are told."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.monitoring.likeness import ENOUGH, MEANT, WORDED, Support, likeness
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.monitoring.unanswered import Unanswered, unanswered
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from tests.ledgers import with_ledger
from tests.monitoring.asked import exchange, passage

REFUND = "How do I get a refund for a cancelled ticket?"
ABOUT = passage("refund", f"{REFUND} Fill in the form.")
OTHER = passage("boats", "Boats pass the lighthouse with a cargo of lamps and salt.")
ANSWERED = {"grounded": 1.0}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_ledger(tmp_path_factory.mktemp("unanswered") / "home")


def told(home: Path, *exchanges: Exchange) -> Unanswered:
    return unanswered(home, exchanges, Spec(name="hash").build(Embedder))


def asked(number: int, question: str = REFUND, **more: Any) -> Exchange:
    return exchange(number, question, **({"passages": (ABOUT,), "scores": ANSWERED} | more))


REFUSED: dict[str, Any] = {"status": "refused", "scores": {}}
FAR: dict[str, Any] = {"passages": (OTHER,)}


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (asked(1), None),
        (asked(1, passages=()), "nothing was found"),
        (asked(1, **FAR), "what was found is about something else"),
        (asked(1, **FAR, **REFUSED), "what was found is about something else"),
        (asked(1, scores={"grounded": 0.4}), "the passages do not support the answer"),
        (asked(1, **FAR, rating="up"), None),
        (asked(1, **FAR, rating="down"), "what was found is about something else"),
        (asked(1, rating="down"), None),  # the passage is there: it is another list's
        (asked(1, **REFUSED), None),  # one alone, and the passage is there
        # what says nothing of the documents
        (asked(1, passages=(), status="failed"), None),
        (asked(1, passages=(), status="searched"), None),
        (asked(1, passages=(), knowledge_base="", **REFUSED), None),
        (asked(1, question=" ?", passages=()), None),
    ],
)
def test_which_exchange_counts_and_why(home: Path, one: Exchange, why: str | None) -> None:
    assert [each.why for each in told(home, one).questions] == ([why] if why else [])


@pytest.mark.parametrize(
    ("value", "nearest", "usual", "nearness"),
    [
        (0.3, 0.5, 0.7, "none"),
        (0.45, 0.5, 0.7, "far"),
        (0.6, 0.5, 0.7, "unsure"),
        (0.8, 0.5, 0.7, "near"),
        # a small base, where questions are answered that are no more alike
        (0.3, 0.5, 0.5, "unsure"),
        (0.3, 0.36, 0.5, "unsure"),
        (0.3, 0.34, 0.5, "none"),
        # nobody knows what is usual: only what is about nothing of it
        (0.3, 0.5, None, "unsure"),
        (0.3, 0.19, None, "none"),
        # or all is far
        (0.1, 0.15, 0.2, "none"),
    ],
)
def test_nothing_is_far_that_is_as_like_as_where_questions_are_answered(
    value: float, nearest: float, usual: float | None, nearness: str
) -> None:
    assert Support(value, MEANT, nearest, usual).nearness == nearness


def test_what_is_usual_is_what_answered_questions_have(home: Path) -> None:
    """A second passage may be the nearest; bad answers and refusals do not count."""
    beside = passage("beside", "How to get a refund for a ticket that was cancelled")
    answered = [asked(number, passages=(OTHER, ABOUT)) for number in range(ENOUGH - 1)]
    weaker = asked(50, passages=(beside,))
    bad = [asked(60, rating="down", **FAR), asked(61, **FAR, **REFUSED)]
    embedder = Spec(name="hash").build(Embedder)
    few = likeness(home, [*answered, *bad], embedder).support
    assert {each.usual for each in few if each} == {None}
    told = likeness(home, [*answered, weaker, *bad], embedder).support
    assert all(told)
    first, second = told[0], told[ENOUGH - 1]
    assert first is not None
    assert second is not None
    assert {each.usual for each in told if each} == {first.nearest}
    assert second.nearest < first.nearest
    assert first.value < second.value  # that of the first passage


def test_one_refusal_that_may_be_a_slip_is_not_told(home: Path) -> None:
    half = passage("half", "How to get a cancelled boat for a lamp")
    one = asked(1, passages=(half,), **REFUSED)
    (support,) = likeness(home, [one], Spec(name="hash").build(Embedder)).support
    assert support is not None
    assert support.nearness == "unsure"
    assert told(home, one).questions == ()
    often = told(home, *(asked(number, passages=(half,), **REFUSED) for number in range(3)))
    assert [each.why for each in often.questions] == ["3× refused"]


def test_many_refusals_are_told_even_where_a_passage_is_near(home: Path) -> None:
    found = told(home, *(asked(number, **REFUSED) for number in range(3)))
    assert [each.why for each in found.questions] == ["3× refused, though a passage is near"]
    assert found.notes[0].startswith("3 of 3 refusals had a passage near the question")


def test_those_that_ask_the_same_are_one_and_most_conversations_come_first(home: Path) -> None:
    lamps = "Which lamps are used in winter?"
    many = [asked(number, REFUND, **FAR) for number in range(3)]
    flood = [asked(number, lamps, conversation="one", passages=()) for number in range(10, 20)]
    first, second = told(home, *flood, *many).questions
    assert (first.question, first.asked, first.conversations) == (REFUND, 3, 3)
    assert (second.question, second.asked, second.conversations) == (lamps, 10, 1)
    assert sorted(first.trace_ids) == ["tr-0000", "tr-0001", "tr-0002"]
    assert first.nearest == "boats.txt"
    assert second.nearest == ""


def test_a_question_that_others_got_a_good_answer_to_is_not_told(home: Path) -> None:
    bad = [asked(number, **FAR) for number in range(2)]
    good = [asked(number) for number in range(10, 12)]
    assert told(home, *bad, *good).questions == ()
    (one,) = told(home, *bad, *good[:1]).questions
    assert one.why.endswith("answered in 1 other conversation")
    praised = asked(20, rating="up", scores={})
    assert told(home, *bad, praised).questions == ()
    assert told(home, *bad, asked(20, "Where are the lamps lit?", rating="up")).questions


def test_twenty_are_told_at_most(home: Path) -> None:
    words = [sha256(bytes([number])).hexdigest()[:24] for number in range(36)]
    found = [asked(number, f"{word}?", passages=()) for number, word in enumerate(words)]
    listed = told(home, *found)
    assert len(listed.questions) == 20
    assert listed.notes[0] == "36 questions were found, the first 20 of them are listed"


def test_what_has_no_text_is_said(home: Path) -> None:
    found = told(home, exchange(1, ""), exchange(2, ""))
    assert found.notes == (
        "2 exchanges have no text here, and are in no list",
        "no exchange has a text and was searched for",
    )


def test_languages_that_the_embedder_does_not_know_are_compared_by_their_words(
    home: Path,
) -> None:
    """MiniLM knows English: its vectors say nothing of Chinese."""
    question = "今年冬天去北京的火车票多少钱一张？"
    near = passage("zh", "今年冬天去北京的火车票一张三百元，可以在网上买。")
    far = passage("other", "大熊猫主要吃竹子，生活在四川的山里。")
    exchanges = [
        asked(1, question, passages=(near,)),
        asked(2, question, passages=(far,)),
        asked(3, "", passages=(far,)),
    ]
    found = likeness(home, exchanges[:2], Spec(name="minilm").build(Embedder))
    assert [each.nearness if each else None for each in found.support] == ["near", "none"]
    assert not found.vectors[:, :384].any()
    assert {each.borders for each in found.support if each} == {WORDED}


def test_texts_of_any_kind_are_looked_at(home: Path) -> None:
    odd = ["\x00\ud800", "؟" * 3000, "a" * 100_000, "🙂", "?!", "\u202e"]
    found = [
        asked(number, text, passages=(passage("odd", text),) * (number % 2))
        for number, text in enumerate(odd)
    ]
    assert [each.question for each in told(home, *found).questions] == ["a" * 2000]
