"""Votes: pairs of answers, who is liked how often, and what goes with whom."""

from pathlib import Path

import pytest

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.review.preferences import (
    LONGEST_COMMENT,
    VotedAnswer,
    VoteMessage,
    count,
    liked,
    listed,
    prefer,
    withdraw,
)
from llmops.tasks.traces import index
from llmops.tasks.traces.deletion import forget
from llmops.tasks.traces.trace import TraceRecorder

APP, WHY = "guide", "Why is the sky blue?"


def answer(text: str, prompt: str = "prompts:/sky/1", *labels: str) -> VotedAnswer:
    return VotedAnswer(
        messages=(VoteMessage(role="user", content=WHY),),
        answer=text,
        prompt=prompt,
        model="small",
        knowledge_base="sky",
        version=3,
        labels=labels,
    )


LONG, SHORT = answer("By scattering of light."), answer("Light.", "prompts:/sky/2")
OTHER = answer("Nobody knows.", "draft:sky@0123")


def person(home: Path, name: str) -> str:
    return pseudonym(open_ledger(home), name)


def test_a_vote_is_a_pair_for_each_answer_that_was_not_chosen(tmp_path: Path) -> None:
    ann = person(tmp_path, "guide/ann")
    ids = prefer(tmp_path, APP, ann, WHY, LONG, [SHORT, OTHER], " It says how. ")
    assert len(ids) == 2
    found = listed(tmp_path, APP, ())
    assert {each.id for each in found} == set(ids)
    assert {each.rejected.answer for each in found} == {"Light.", "Nobody knows."}
    assert {(each.chosen, each.person, each.question, each.comment) for each in found} == {
        (LONG, ann, WHY, "It says how.")
    }
    assert listed(tmp_path, "other", ()) == []
    assert listed(tmp_path, APP, (), limit=1, offset=1) == found[1:]


def test_the_last_vote_on_the_same_answers_holds(tmp_path: Path) -> None:
    ann, bob = person(tmp_path, "guide/ann"), person(tmp_path, "guide/bob")
    first = prefer(tmp_path, APP, ann, WHY, LONG, [SHORT])
    assert prefer(tmp_path, APP, ann, WHY, LONG, [SHORT], "Yes.") == first
    prefer(tmp_path, APP, bob, WHY, LONG, [SHORT])
    prefer(tmp_path, APP, ann, WHY, SHORT, [LONG])
    pairs = {(each.person, each.chosen.answer) for each in listed(tmp_path, APP, ())}
    assert pairs == {(ann, "Light."), (bob, "By scattering of light.")}
    assert count(tmp_path, APP) == 2


def test_only_ones_own_vote_is_withdrawn(tmp_path: Path) -> None:
    ann, bob = person(tmp_path, "guide/ann"), person(tmp_path, "guide/bob")
    ids = prefer(tmp_path, APP, ann, WHY, LONG, [SHORT, OTHER])
    assert withdraw(tmp_path, APP, bob, ids) == 0
    assert withdraw(tmp_path, "other", ann, ids) == 0
    assert withdraw(tmp_path, APP, ann, ids) == 2
    assert count(tmp_path, APP) == 0


def test_answers_are_shown_to_those_who_may_see_their_passages(tmp_path: Path) -> None:
    secret = answer("It is painted.", "prompts:/sky/3", "staff")
    prefer(tmp_path, APP, "", WHY, LONG, [secret])
    assert listed(tmp_path, APP, ()) == []
    assert len(listed(tmp_path, APP, {"staff"})) == 1


def test_who_is_liked_has_an_interval_by_votes(tmp_path: Path) -> None:
    for number in range(6):
        who = person(tmp_path, f"guide/{number}")
        one, other = (LONG, SHORT) if number else (SHORT, LONG)
        prefer(tmp_path, APP, who, WHY, one, [other, answer("Same.", one.prompt)])
    best, worst = liked(tmp_path, APP)
    assert (best.prompt, best.model, best.chosen, best.pairs) == (LONG.prompt, "small", 5, 6)
    assert (worst.chosen, worst.pairs) == (1, 6)
    assert best.interval[0] < 5 / 6 < best.interval[1] <= 1
    assert best.interval[0] < 0.5  # six votes say little
    assert liked(tmp_path, "other") == []


def test_the_pairs_of_one_vote_are_not_independent(tmp_path: Path) -> None:
    prefer(tmp_path, APP, "", WHY, LONG, [SHORT, OTHER, answer("No.", "prompts:/sky/4")])
    best = liked(tmp_path, APP)[0]
    assert (best.share, best.interval) == (1.0, (0.0, 1.0))


def test_nothing_is_kept_of_what_was_deleted(tmp_path: Path) -> None:
    trace = TraceRecorder(APP, WHY).finish("So.")
    index.enter(tmp_path, [trace])
    forget(tmp_path, [trace.id], "deleted")
    with pytest.raises(UsageError, match="was deleted"):
        prefer(tmp_path, APP, "", WHY, LONG, [SHORT], trace_id=trace.id)
    with pytest.raises(UsageError, match="whoever votes was deleted"):
        prefer(tmp_path, APP, "f" * 64, WHY, LONG, [SHORT])
    assert count(tmp_path, APP) == 0


def test_a_vote_has_limits(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got 0 rejected answers"):
        prefer(tmp_path, APP, "", WHY, LONG, [])
    with pytest.raises(UsageError, match="4,001 of a comment"):
        prefer(tmp_path, APP, "", WHY, LONG, [SHORT], "x" * (LONGEST_COMMENT + 1))


def test_secrets_are_not_kept(tmp_path: Path) -> None:
    secret = "sk-proj-0123456789abcdefABCDEF0123"
    prefer(tmp_path, APP, "", f"Is {secret} it?", answer(secret), [SHORT], f"No: {secret}")
    assert secret not in listed(tmp_path, APP, ())[0].model_dump_json()


def test_texts_that_a_database_does_not_take_are_kept(tmp_path: Path) -> None:
    prefer(tmp_path, APP, "", "Why\0?", answer("a\0b"), [answer("\ud800", "prompts:/sky/2")])
    (found,) = listed(tmp_path, APP, ())
    assert (found.question, found.chosen.answer) == ("Why\ufffd?", "a\ufffdb")
