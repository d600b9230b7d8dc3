"""The gate: floors, margins, and the honest third answer."""

import json
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.errors import ConfigError
from llmops.tasks.retrieval.gate import GateResult, MetricRule, check_rules, decide, skipped
from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.retrieval.measure import Measurement, measure

RECALL = {"recall": MetricRule(margin=0.02)}


def measured(hits: Sequence[int | bool], k: int = 5) -> Measurement:
    """One question each; 1: its document is found at once, 2: as the second, 0: it is not found."""
    questions = [
        Question(id=f"q{i:03}", question=f"Where is {i}?", relevant=(Relevant(uri=f"d{i}"),))
        for i in range(len(hits))
    ]
    answers = [
        [*[("x", "")] * (hit != 1), *[(f"d{i}", "")] * bool(hit)] for i, hit in enumerate(hits)
    ]
    return measure(questions, lambda texts, k, mode: answers, k, ["hybrid"])


def changed(n: int, lost: int = 0, won: int = 0) -> GateResult:
    """n questions, of which some are lost and some won against live; the others are found by
    both.
    """
    live = [*[1] * (n - won), *[0] * won]
    new = [*[0] * lost, *[1] * (n - lost)]
    return decide(measured(new), measured(live), RECALL)


@pytest.mark.parametrize("n", [1, 3, 40, 300])
def test_where_nothing_changed_the_gate_opens(n: int) -> None:
    result = changed(n)
    assert result.verdict == "passed"
    assert result.opens
    assert result.metrics["recall@5"].interval == (0.0, 0.0)


@pytest.mark.parametrize(
    ("n", "lost", "won", "verdict"),
    [
        (40, 1, 0, "inconclusive"),  # -0.025 [-0.075, 0]: neither a loss nor the absence of one
        (40, 1, 1, "inconclusive"),
        (40, 0, 1, "passed"),  # a gain on one question must not look like a risk
        (3, 0, 3, "passed"),
        (40, 12, 0, "rejected"),
        (300, 1, 0, "passed"),  # -0.003 [-0.013, 0]
        (300, 30, 3, "rejected"),
        (300, 6, 6, "inconclusive"),
        (3, 1, 0, "rejected"),  # too few for an interval: the loss itself rejects
        (5, 5, 0, "rejected"),
        (8, 8, 0, "rejected"),
    ],
)
def test_margins(n: int, lost: int, won: int, verdict: str) -> None:
    result = changed(n, lost, won)
    assert result.verdict == verdict
    assert result.opens == (verdict == "passed")


def test_worst_is_what_the_deciding_metric_lost() -> None:
    """q001 is found by both, by the candidate in the second place."""
    live, new = measured([1] * 8), measured([0, 2, *[1] * 6])
    result = decide(new, live, RECALL)
    assert "1 of 8 questions got worse" in result.reason
    assert [entry["id"] for entry in result.worst] == ["q000"]
    assert result.reason.endswith("worst: q000 (Where is 0?)")
    result = decide(new, live, {"ndcg": MetricRule(margin=0.02)})
    assert [entry["id"] for entry in result.worst] == ["q000", "q001"]


def test_the_object_has_the_shape_of_the_contract() -> None:
    gate = json.loads(json.dumps(changed(300, 30, 3).to_json()))
    figures = gate["metrics"]["recall@5"]
    assert list(figures) == ["candidate", "live", "difference", "interval"]
    assert (figures["candidate"], figures["live"]) == (0.9, 0.99)
    assert figures["difference"] == pytest.approx(-0.09)
    assert figures["interval"][0] < -0.09 < figures["interval"][1] < 0


def test_an_inconclusive_reason_says_what_happened_and_what_would_tell() -> None:
    result = changed(40, 3, 1)
    assert "recall@5 went from 0.975 to 0.925" in result.reason
    assert "3 of 40 questions got worse, 1 better" in result.reason
    assert "worst: q000 (Where is 0?)" in result.reason
    more = re.search(r"about (\d+) more questions", result.reason)
    assert more is not None
    assert 40 < int(more[1]) < 400
    assert [entry["id"] for entry in result.worst] == ["q000", "q001", "q002"]
    assert (result.worst[0]["got"], result.worst[0]["live_got"]) == (["x"], ["d0"])


def test_the_number_of_questions_said_to_tell_does_tell() -> None:
    """A third more than the reason says, with the same share of losses, settles what 100 could not;
    half does not.
    """
    reason = changed(100, 4, 4).reason
    more = re.search(r"about (\d+) more questions", reason)
    assert more is not None
    factor = (100 + int(more[1])) / 100
    assert (
        changed(round(130 * factor), round(4 * 1.3 * factor), round(4 * 1.3 * factor)).verdict
        == "passed"
    )
    assert (
        changed(round(50 * factor), round(2 * factor), round(2 * factor)).verdict == "inconclusive"
    )


def test_a_floor_needs_no_live_version() -> None:
    rules = {"recall": MetricRule(min=0.8, margin=0.02)}
    assert decide(measured([1] * 4 + [0]), None, rules).verdict == "passed"
    low = decide(measured([1] * 7 + [0] * 3), None, rules)
    assert (low.verdict, low.reason.split(";")[0]) == (
        "rejected",
        "recall@5 is 0.700, below the floor 0.8",
    )
    assert low.to_json()["metrics"] == {"recall@5": {"candidate": 0.7}}
    assert [entry["id"] for entry in low.worst] == ["q007", "q008", "q009"]


def test_a_floor_holds_also_against_a_live_version_that_is_as_low() -> None:
    rules = {"recall": MetricRule(min=0.8, margin=0.02)}
    assert decide(measured([1, 0]), measured([1, 0]), rules).verdict == "rejected"
    assert (
        decide(
            measured([1, 1]), measured([1, 1]), {"recall": MetricRule(min=1.0, margin=0.0)}
        ).verdict
        == "passed"
    )


def test_without_anything_to_decide_by_the_gate_is_skipped() -> None:
    assert decide(measured([1]), None, RECALL).verdict == "skipped"
    assert "nothing live" in decide(measured([1]), None, RECALL).reason
    assert decide(measured([1]), measured([1]), {}).reason == "no metric has a floor or a margin"
    assert skipped("no golden set is configured").opens


def test_the_strictest_metric_decides_and_only_its_reason_is_given() -> None:
    result = decide(
        measured([0] * 20 + [1] * 20), measured([1] * 40), {"ndcg": MetricRule(min=0.1), **RECALL}
    )
    assert result.verdict == "rejected"
    assert "ndcg" not in result.reason
    assert list(result.metrics) == ["ndcg@5", "recall@5"]


def test_unknown_metrics_are_listed_together() -> None:
    with pytest.raises(ConfigError) as caught:
        check_rules(
            {
                "recal": MetricRule(),
                "ndcg@5": MetricRule(),
                "zzz": MetricRule(),
                "precision": MetricRule(),
            }
        )
    text = str(caught.value)
    assert (
        "unknown metric 'recal'; allowed: recall, ndcg, mrr, precision, hit (did you mean recall?)"
        in text
    )
    assert "'ndcg@5'" in text
    assert "'zzz'" in text
    assert len(caught.value.mistakes()) == 3


def test_other_questions_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same questions"):
        decide(measured([1, 1]), measured([1]), RECALL)
    with pytest.raises(ValueError, match="same k"):
        decide(measured([1], k=5), measured([1], k=3), RECALL)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=6, max_size=60), st.data())
def test_one_more_answer_found_never_closes_an_open_gate(
    pairs: list[tuple[bool, bool]], data: st.DataObject
) -> None:
    new, old = [pair[0] for pair in pairs], measured([pair[1] for pair in pairs])
    before = decide(measured(new), old, RECALL)
    new[data.draw(st.integers(0, len(new) - 1))] = True
    after = decide(measured(new), old, RECALL)
    assert after.opens >= before.opens
