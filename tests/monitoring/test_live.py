"""Live scores: which traces are chosen, what is kept of them, and what stands in MLflow."""

import random
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from llmops.tasks.calls.budget import Spent
from llmops.tasks.calls.prices import SHIPPED
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import live_scores, traces
from llmops.tasks.monitoring.assess import assess
from llmops.tasks.monitoring.live import (
    LiveSpec,
    Scored,
    TraceScores,
    chosen,
    in_sample,
    keep,
    sample_of,
    score,
)
from llmops.tasks.monitoring.outcome import live_scores_of, window
from llmops.tasks.monitoring.summary import live_markdown
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Score
from llmops.tasks.traces import index
from llmops.tasks.traces.trace import Trace, new_id
from tests.traces.made import PASSAGE, recorded


def spec(*scorers: Spec, sample: float = 1.0, most: int = 100, days: float = 7) -> LiveSpec:
    return LiveSpec(
        app="helpdesk",
        scorers=scorers or (Spec(name="grounded"),),
        sample=sample,
        most=most,
        days=days,
        budget_usd=None,
        budget_calls=None,
        concurrency=2,
        prices=SHIPPED,
    )


def entered(home: Path, *some: Trace, stored: bool = True) -> list[str]:
    index.enter(home, some)
    ids = [each.id for each in some]
    if stored:
        index.mark_stored(home, ids)
    return ids


def test_a_sample_is_the_share_and_a_larger_one_holds_all_of_a_smaller_one() -> None:
    ids = [f"tr-{random.Random(seed).randbytes(16).hex()}" for seed in range(4_000)]
    small, large = ({i for i in ids if in_sample(i, share)} for share in (0.1, 0.3))
    assert 0.08 < len(small) / 4_000 < 0.12
    assert 0.27 < len(large) / 4_000 < 0.33
    assert small < large
    assert all(in_sample(each, 1.0) for each in ids)


def test_only_stored_answered_traces_of_the_application_are_chosen_newest_first(
    tmp_path: Path,
) -> None:
    first, second = recorded(), recorded()
    entered(tmp_path, first, second)
    entered(tmp_path, recorded(app="other"), recorded(status="error"), recorded(status="searched"))
    entered(tmp_path, recorded(), stored=False)
    (gone,) = entered(tmp_path, recorded())
    (old,) = entered(tmp_path, recorded())
    with open_ledger(tmp_path).write() as connection:
        connection.execute(update(traces).where(traces.c.id == gone).values(deleted_at=now()))
        long_ago = now().replace(year=2020)
        connection.execute(update(traces).where(traces.c.id == old).values(began_at=long_ago))
    assert chosen(tmp_path, spec()) == [second.id, first.id]
    assert chosen(tmp_path, spec(most=1)) == [second.id]
    assert chosen(tmp_path, spec(sample=1e-12)) == []


def test_a_trace_is_chosen_again_only_for_what_has_not_scored_it(tmp_path: Path) -> None:
    entered(tmp_path, recorded())
    one = spec(Spec(name="grounded"))
    (trace_id,) = chosen(tmp_path, one)
    keep(tmp_path, one, [TraceScores(trace_id, {"grounded": Score(value=0.0)})])
    assert chosen(tmp_path, one) == []
    assert chosen(tmp_path, spec(Spec(name="grounded"), Spec(name="cost"))) == [trace_id]
    other = spec(Spec(name="grounded", options={"share": 0.9}))
    assert chosen(tmp_path, other) == [trace_id]  # the same metric, by another scorer


def test_what_the_budget_left_unjudged_is_asked_again(tmp_path: Path) -> None:
    (trace_id,) = entered(tmp_path, recorded())
    unjudged = Score(value=None, reason="not judged: the budget of 3 calls is used up")
    keep(tmp_path, spec(), [TraceScores(trace_id, {"grounded": unjudged})])
    assert chosen(tmp_path, spec()) == [trace_id]


def test_scorers_see_question_answer_passages_and_what_it_took() -> None:
    trace = recorded("Why?", "Because [1].", cost=0.5)
    sample = sample_of(trace)
    assert (sample.question, sample.answer, sample.cost_usd) == ("Why?", "Because [1].", 0.5)
    assert [(each.text, each.uri) for each in sample.passages] == [(PASSAGE, "accounts.md")]
    assert sample.latency_ms == pytest.approx((trace.ended_ns - trace.began_ns) / 1e6)


def test_the_window_counts_values_gaps_and_failures_apart(tmp_path: Path) -> None:
    ids = entered(tmp_path, *(recorded() for _ in range(4)))
    given = [
        Score(value=1.0),
        Score(value=0.0),
        Score(value=None, reason="nothing to say"),
        Score(value=None, reason="the scorer broke: x", failed=True),
    ]
    one = spec()
    keep(
        tmp_path,
        one,
        [TraceScores(i, {"grounded": each}) for i, each in zip(ids, given, strict=True)],
    )
    metric = window(tmp_path, one)["grounded"]
    assert (metric.value, metric.scored, metric.unscored, metric.failed) == (0.5, 2, 1, 1)
    outcome = live_scores_of(
        tmp_path, one, Scored(chosen=4, traces=4, spent=Spent(), stopped=None), None, 0.1
    )
    assert outcome.status == "scored"
    assert outcome.warnings == ["grounded: the scorer failed on 1 traces: the scorer broke: x"]
    assert "| grounded | 0.500 |" in live_markdown(outcome)


def test_a_scorer_that_can_score_nothing_is_a_warning(tmp_path: Path) -> None:
    (trace_id,) = entered(tmp_path, recorded())
    one = spec(Spec(name="token_f1"))
    lacking = Score(value=None, reason="the case expects no answer")
    keep(tmp_path, one, [TraceScores(trace_id, {"token_f1": lacking})])
    scored = Scored(chosen=1, traces=1, spent=Spent(), stopped="the budget is used up")
    outcome = live_scores_of(tmp_path, one, scored, None, 0.1)
    assert outcome.completed == "Incomplete"
    assert outcome.warnings == [
        "token_f1: none of 1 traces could be scored: the case expects no answer",
        "the budget is used up",
    ]


def test_an_application_that_nobody_knows_is_a_warning(tmp_path: Path) -> None:
    entered(tmp_path, recorded())
    other = spec().model_copy(update={"app": "helpdsk"})
    nothing = Scored(chosen=0, traces=0, spent=Spent(), stopped=None)
    (warning,) = live_scores_of(tmp_path, other, nothing, None, 0.1).warnings
    told = "no traces of 'helpdsk' are here; applications that have some: helpdesk"
    assert warning == f"{told}; did you mean helpdesk?"


@pytest.mark.slow
def test_scores_stand_on_the_traces_in_mlflow_once(tmp_path: Path) -> None:
    from llmops.tasks.traces.records import as_record
    from llmops.tasks.tracking.traces import trace_store

    answered, lost = recorded("How?", "On the page of your account [1]."), new_id()
    entered(tmp_path, answered, recorded().model_copy(update={"id": lost}))
    with trace_store(tmp_path) as store:
        store.write("helpdesk", [as_record(answered)])
    one = spec(Spec(name="cost"), Spec(name="grounded"), Spec(name="token_f1"))
    scored = score(tmp_path, one, chosen(tmp_path, one))
    assert (scored.chosen, scored.traces) == (2, 1)  # MLflow has lost the other one
    assert assess(tmp_path, "helpdesk") == 3
    assert assess(tmp_path, "helpdesk") == 0
    with trace_store(tmp_path) as store:
        ratings = {each.name: each for each in store.read([answered.id])[answered.id].ratings}
    assert set(ratings) == {"cost", "grounded"}  # token_f1 had nothing to compare with
    assert ratings["cost"].value == 0.0025
    assert not ratings["cost"].human
    with open_ledger(tmp_path).read() as connection:
        left = connection.scalar(
            select(func.count()).select_from(live_scores).where(live_scores.c.stored_at.is_(None))
        )
    assert left == 0
