"""What score and monitor say of their steps in a log."""

from datetime import UTC, datetime
from pathlib import Path

from llmops.tasks.calls.budget import Spent
from llmops.tasks.monitoring import lines
from llmops.tasks.monitoring.analysing import Analysed
from llmops.tasks.monitoring.bases import BaseLook
from llmops.tasks.monitoring.collecting import CollectedTraffic
from llmops.tasks.monitoring.figures import Drift
from llmops.tasks.monitoring.live import Scored


def test_scores_say_what_was_chosen_scored_and_paid_and_leave_out_what_is_nothing() -> None:
    assert lines.chosen(["a"]) == "1 trace of the sample to be scored"
    free = Scored(chosen=1200, traces=1200, spent=Spent())
    assert lines.scored(free) == "1,200 of 1,200 traces scored"
    paid = Scored(chosen=2, traces=1, spent=Spent(calls=3, cost_usd=0.5), stopped="budget")
    assert lines.scored(paid) == "1 of 2 traces scored, 3 calls, 0.5000 USD; stopped: budget"


def test_a_look_says_its_window_and_what_it_found() -> None:
    traffic = CollectedTraffic(
        since=datetime(2026, 1, 24, tzinfo=UTC),
        until=datetime(2026, 1, 31, tzinfo=UTC),
        folder=Path(),
        files=(),
        exchanges=198,
        reference_windows=1,
        kpis=(),
        knowledge_bases=(),
        whole=False,
        remarks=(),
    )
    assert lines.collected(traffic).startswith(
        "198 exchanges from 2026-01-24 00:00 to 2026-01-31 00:00 UTC, 1 window before it"
    )
    assert lines.collected(traffic).endswith("a part is missing, and comes with a later look")
    looked = BaseLook(remarks=("handbook is not there",))
    assert lines.bases(looked) == "0 figures of knowledge bases; handbook is not there"
    drift = Drift(what="questions", status="drifted", n=9, n_before=90)
    assert lines.analysed(Analysed(drifts=(drift,))) == (
        "questions drifted, 0 new topics, 0 unanswered questions, 0 bad passages, "
        "0 unused documents"
    )
