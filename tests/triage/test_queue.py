"""From traces to the review queue: once each, bounded, and by what is new."""

from pathlib import Path

from sqlalchemy import select, update

from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import live_scores, traces
from llmops.tasks.ledger.review import review_items, triaged
from llmops.tasks.plugins import Spec
from llmops.tasks.review.items import ask_a_person
from llmops.tasks.triage.choose import Triaged, facts, triage
from llmops.tasks.triage.look import Looked, look
from llmops.tasks.triage.signals import TriageRules
from tests.datasets.made import APP, answered, delete, say

EMBED = Spec(name="hash")
SUPPORTED = "Your password is reset on the page of your account."
RULES = TriageRules(random=0, topics=0)


def looked(home: Path, *, topics: int = 0, most: int = 5_000) -> Looked:
    return look(home, APP, 30, EMBED, topics, most)


def chosen(home: Path, rules: TriageRules = RULES) -> Triaged:
    return triage(home, APP, APP, 30, rules, 1)


def queue(home: Path) -> dict[str, tuple[list[str], str]]:
    with open_ledger(home).read() as connection:
        rows = connection.execute(select(review_items)).all()
    return {row.trace_id: (row.reasons, row.note) for row in rows}


def test_a_trace_is_read_once_and_a_second_run_adds_nothing(tmp_path: Path) -> None:
    good, poor = answered(tmp_path, answer=SUPPORTED), answered(tmp_path, answer="Call the king.")
    assert looked(tmp_path) == Looked(new=2)
    assert chosen(tmp_path).added == 1
    assert queue(tmp_path) == {poor.id: (["grounding"], "")}
    assert facts(tmp_path, poor.id).grounded == 0
    assert looked(tmp_path) == Looked()
    assert chosen(tmp_path) == Triaged((), 0, 0)
    assert good.id not in queue(tmp_path)


def test_what_is_said_later_adds_a_reason_to_what_is_there(tmp_path: Path) -> None:
    poor = answered(tmp_path, answer="Call the king.")
    looked(tmp_path)
    chosen(tmp_path)
    say(tmp_path, poor.id, "down")
    assert chosen(tmp_path).added == 0
    assert queue(tmp_path)[poor.id][0] == ["grounding", "negative"]
    assert (facts(tmp_path, poor.id).down, facts(tmp_path, "tr-none").down) == (1, 0)


def test_what_somebody_has_noted_stays_when_reasons_are_added(tmp_path: Path) -> None:
    poor = answered(tmp_path, answer="Call the king.")
    ask_a_person(tmp_path, APP, "", poor.id, "", "Is that so?")
    looked(tmp_path, topics=5)
    chosen(tmp_path)
    assert queue(tmp_path) == {poor.id: (["asked", "grounding"], "Is that so?")}
    chosen(tmp_path, TriageRules(random=1, topics=5))
    ask_a_person(tmp_path, APP, "", poor.id, "", "")  # once more, without a word
    told = (["asked", "grounding", "topic", "random"], "Is that so?")
    assert queue(tmp_path) == {poor.id: told}


def test_what_a_person_wrote_is_not_queued_for_its_support(tmp_path: Path) -> None:
    trace = answered(tmp_path, answer="Call the king.", cached="curated")
    assert looked(tmp_path) == Looked(new=1)
    with open_ledger(tmp_path).write() as connection:
        connection.execute(live_scores.insert().values(**live(trace.id)))
    assert chosen(tmp_path) == Triaged((), 0, 0)
    say(tmp_path, trace.id, "down")
    assert [each.reasons for each in chosen(tmp_path).chosen] == [("negative",)]


def live(trace_id: str) -> dict[str, object]:
    return {
        "trace_id": trace_id,
        "metric": "grounded",
        "app": APP,
        "scorer": "x",
        "value": 0.1,
        "reason": "",
        "failed": False,
        "scored_at": now(),
    }


def test_a_live_score_goes_before_one_of_our_own(tmp_path: Path) -> None:
    trace = answered(tmp_path, answer=SUPPORTED)
    looked(tmp_path)
    with open_ledger(tmp_path).write() as connection:
        connection.execute(live_scores.insert().values(**live(trace.id)))
    assert [each.reasons for each in chosen(tmp_path).chosen] == [("grounding",)]


def test_no_more_than_a_run_may_add_and_the_rest_with_the_next(tmp_path: Path) -> None:
    for _ in range(3):
        answered(tmp_path, status="refused")
    rules = RULES.model_copy(update={"most": 2, "grounding": 0})
    assert [(done.added, done.left) for done in (chosen(tmp_path, rules) for _ in range(3))] == [
        (2, 1),
        (1, 0),
        (0, 0),
    ]


def test_more_than_a_run_reads_waits_for_the_next(tmp_path: Path) -> None:
    for _ in range(3):
        answered(tmp_path)
    assert looked(tmp_path, most=2) == Looked(new=2, waiting=1)
    assert looked(tmp_path, most=2) == Looked(new=1)


def test_deleted_old_and_unread_traces_are_not_looked_at(tmp_path: Path) -> None:
    gone, old = answered(tmp_path), answered(tmp_path)
    delete(tmp_path, gone.id)
    with open_ledger(tmp_path).write() as connection:
        long_ago = now().replace(year=2020)
        connection.execute(update(traces).where(traces.c.id == old.id).values(began_at=long_ago))
    for path in (tmp_path / "spool").rglob("*.json"):
        path.unlink()  # neither on its way nor in MLflow
    answered_elsewhere = answered(tmp_path, app="other")
    assert looked(tmp_path) == Looked()
    assert answered_elsewhere.id not in queue(tmp_path)


def test_a_new_topic_is_one_item_and_what_is_like_it_later_is_none(tmp_path: Path) -> None:
    rules = RULES.model_copy(update={"topics": 1, "grounding": 0})
    for _ in range(3):
        answered(tmp_path, "How do I reset my password?")
    answered(tmp_path, "Where is the canteen today?")
    assert looked(tmp_path, topics=1).topics == 1
    (first,) = chosen(tmp_path, rules).chosen
    assert facts(tmp_path, first.trace_id).alike == 3
    answered(tmp_path, "How do I reset my password?")
    assert looked(tmp_path, topics=1).topics == 0
    answered(tmp_path, "Where is the canteen today?")
    assert looked(tmp_path, topics=1).topics == 1, "one that waited for others like it"
    (second,) = chosen(tmp_path, rules).chosen
    assert facts(tmp_path, second.trace_id).alike == 2


def test_nothing_of_a_question_stays_beyond_what_tells_topics_apart(tmp_path: Path) -> None:
    for _ in range(3):
        answered(tmp_path)
    looked(tmp_path, topics=1)
    with open_ledger(tmp_path).read() as connection:
        kept = [row.vector is not None for row in connection.execute(select(triaged))]
    assert sorted(kept) == [False, False, True]
