"""Exchanges of a served application: ledger, spool and MLflow put together."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import live_scores, traces
from llmops.tasks.monitoring.recorded import RecordedTraffic
from llmops.tasks.monitoring.text_sample import EACH, UnitSample, bound, rank
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.traces import clicks, feedback, index
from llmops.tasks.traces.feedback import Feedback
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.trace import COMPARED, Trace
from tests.traces.made import PASSAGE, person, recorded, recorder

DAY = timedelta(days=1)


def kept(home: Path, *some: Trace) -> None:
    """In the ledger, and in the spool, where they wait for MLflow."""
    index.enter(home, some)
    for trace in some:
        TraceSpool(home, trace.app, 10**8).put(trace)


def read(traffic: RecordedTraffic, most_texts: int | None = None) -> list[Exchange]:
    blocks = traffic.exchanges(now() - DAY, now() + DAY, most_texts)
    return [each for block in blocks for each in block]


def cites(
    trace: Trace,
    *chunks: str,
    cited: bool = True,
    version: int = 3,
    about: Mapping[str, object] | None = None,
) -> Trace:
    root = trace.spans[0]
    same = {"cited": cited, "version": version, **(about or {})}
    shown = [{"chunk_id": each, **same} for each in chunks]
    assert isinstance(root.outputs, dict)
    return trace.model_copy(
        update={
            "spans": [
                root.model_copy(update={"outputs": root.outputs | {"citations": shown}}),
                *trace.spans[1:],
            ]
        }
    )


def test_an_exchange_is_put_together_from_wherever_its_parts_are(tmp_path: Path) -> None:
    asked = cites(recorded(), "a1")
    kept(tmp_path, asked)
    for who, rating in (("p1", "up"), ("p2", "down"), ("p3", "up"), ("p4", None)):
        feedback.rate(tmp_path, asked.id, who, Feedback(rating))
    clicks.opened(tmp_path, asked.id, "p1", "a1", 3)
    clicks.opened(tmp_path, asked.id, "p2", "a1", 3)
    (found,) = read(RecordedTraffic(tmp_path, "helpdesk"))
    assert (found.question, found.answer) == (asked.question, asked.answer)
    assert (found.status, found.rating, found.opened) == ("ok", "down", 1)
    assert (found.knowledge_base, found.version, found.unit) == ("handbook", 3, "c1")
    assert (found.tokens, found.cost_usd) == (150, 0.0025)
    assert found.latency_ms == pytest.approx((asked.ended_ns - asked.began_ns) / 1e6)
    (passage,) = found.passages
    assert (passage.text, passage.uri, passage.score) == (PASSAGE, "accounts.md", 0.75)
    assert passage.cited


def test_what_is_listed_as_a_source_and_not_named_is_not_cited(tmp_path: Path) -> None:
    kept(tmp_path, cites(recorded(), "a1", cited=False))
    ((passage,),) = (each.passages for each in read(RecordedTraffic(tmp_path, "helpdesk")))
    assert not passage.cited


def test_an_answer_that_was_given_again_has_the_passages_it_was_given_with(tmp_path: Path) -> None:
    trace = recorder().finish("Again.", citations=[{"chunk_id": "x"}])
    given = {"text": "X.", "uri": "x.md", "doc_id": "dx", "score": 1, "knowledge_base": "kb"}
    again = cites(trace, "x", version=4, about=given)
    kept(tmp_path, again, recorder().finish("No.", "refused"))
    given_again, guarded = read(RecordedTraffic(tmp_path, "helpdesk"))
    assert (given_again.knowledge_base, given_again.version) == ("kb", 4)
    assert given_again.passages[0].text == "X."
    assert (guarded.knowledge_base, guarded.passages, guarded.status) == ("", (), "refused")


def test_trials_deleted_ones_and_other_applications_are_no_traffic(tmp_path: Path) -> None:
    gone, mine = recorded(), recorded(status="error")
    kept(tmp_path, gone, mine, recorded(status=COMPARED), recorded(app="other"))
    with open_ledger(tmp_path).write() as connection:
        connection.execute(update(traces).where(traces.c.id == gone.id).values(deleted_at=now()))
    (found,) = read(RecordedTraffic(tmp_path, "helpdesk"))
    assert (found.id, found.status) == (mine.id, "failed")


def test_what_is_outside_of_the_sample_counts_without_text(tmp_path: Path) -> None:
    index.enter(tmp_path, [recorded()])
    traffic = RecordedTraffic(tmp_path, "helpdesk")
    (found,) = read(traffic)
    assert (found.question, found.cost_usd) == ("", 0.0025)
    (said,) = traffic.remarks()
    assert "1 of 1 exchanges count without their texts: the application's config keeps" in said
    assert traffic.whole


def test_without_mlflow_everything_but_texts_is_there_and_it_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    stored, waiting = recorded(), recorded("Waits?")
    kept(tmp_path, waiting)
    index.enter(tmp_path, [stored])
    index.mark_stored(tmp_path, [stored.id])
    traffic = RecordedTraffic(tmp_path, "helpdesk")
    assert {each.id: each.question for each in read(traffic)} == {
        stored.id: "",
        waiting.id: "Waits?",
    }
    assert not traffic.whole
    (said,) = traffic.remarks()
    assert said.startswith("1 of 2 exchanges are without their texts: ")
    assert "MLflow does not answer" in said


def test_only_what_the_last_scorer_of_a_name_said_counts(tmp_path: Path) -> None:
    old, new = recorded(), recorded()
    kept(tmp_path, old, new)
    said = {"app": "helpdesk", "metric": "polite", "reason": "", "failed": False}
    rows = [
        {"trace_id": old.id, "scorer": "first", "value": 0.0, "scored_at": now() - DAY},
        {"trace_id": new.id, "scorer": "second", "value": 1.0, "scored_at": now()},
    ]
    with open_ledger(tmp_path).write() as connection:
        connection.execute(insert(live_scores), [said | each for each in rows])
    first, second = read(RecordedTraffic(tmp_path, "helpdesk"))
    assert (first.scores, second.scores) == ({}, {"polite": 1.0})


def test_whoever_is_known_by_a_key_alone_is_a_program_and_no_person(tmp_path: Path) -> None:
    ann, client = person(tmp_path), person(tmp_path, "key/abc123abc123")
    index.enter(tmp_path, [recorded(person=ann), recorded(person=client)])
    assert [each.person for each in read(RecordedTraffic(tmp_path, "helpdesk"))] == [ann, ""]


def test_blocks_hold_every_exchange_once_also_where_times_are_equal(tmp_path: Path) -> None:
    at = recorded().began_ns
    index.enter(tmp_path, [recorded().model_copy(update={"began_ns": at}) for _ in range(1100)])
    blocks = list(RecordedTraffic(tmp_path, "helpdesk").exchanges(now() - DAY, now() + DAY))
    assert [len(block) for block in blocks] == [500, 500, 100]
    assert len({each.id for block in blocks for each in block}) == 1100


def test_texts_are_read_of_whole_conversations_as_many_as_are_wanted(tmp_path: Path) -> None:
    some = [
        recorded(f"{unit} {turn}?").model_copy(update={"conversation": f"c{unit}"})
        for unit in range(20)
        for turn in range(3)
    ]
    kept(tmp_path, *some)
    traffic = RecordedTraffic(tmp_path, "helpdesk")
    found = read(traffic, 10)
    with_text = [each.unit for each in found if each.question]
    lowest = sorted({each.unit for each in found}, key=rank)[:3]
    assert (len(found), sorted(with_text)) == (60, sorted(lowest * 3))
    assert "51 of 60 exchanges count without their texts: a look reads" in traffic.remarks()[0]


def exchanges(units: Iterable[str]) -> list[Exchange]:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    return [Exchange(id=f"{n}", at=at, conversation=unit) for n, unit in enumerate(units)]


def test_a_sample_takes_the_units_of_lowest_rank_whatever_their_order() -> None:
    given = exchanges(f"u{number % 50}" for number in range(500))
    made = []
    for order in (given, given[::-1]):
        sample = UnitSample(95)
        for each in order:
            sample.add(each)
        made.append({each.unit for each in sample.exchanges()})
    below = bound((each.unit for each in given), 95)
    assert made[0] == made[1] == {each.unit for each in given if rank(each.unit) < below}
    assert len(made[0]) == 9


def test_one_busy_unit_is_cut_and_never_the_whole_sample() -> None:
    sample = UnitSample(1_000)
    for each in exchanges(["bot"] * 5_000 + [f"u{number}" for number in range(300)]):
        sample.add(each)
    units = [each.unit for each in sample.exchanges()]
    assert units.count("bot") == EACH
    assert len(units) == EACH + 300
