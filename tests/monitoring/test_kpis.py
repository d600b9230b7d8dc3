"""Each figure counts what it says, over the window, before it, and day by day."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from llmops.tasks.monitoring.figures import Kpi
from llmops.tasks.monitoring.kpis import MANY_UNITS, traffic_kpis
from llmops.tasks.monitoring.tally import TrafficTally
from llmops.tasks.monitoring.traffic import Exchange, FoundPassage

MONDAY = datetime(2026, 11, 30, 6, tzinfo=UTC)
WEEK = timedelta(days=7)
PASSAGE = FoundPassage(chunk_id="c", doc_id="d")


def exchange(days_ago: float, key: object = None, **more: object) -> Exchange:
    name = str(key if key is not None else days_ago)
    return Exchange.model_validate({"id": name, "at": MONDAY - timedelta(days=days_ago), **more})


def figures(exchanges: Iterable[Exchange], days: float = 7) -> dict[str, Kpi]:
    tally = TrafficTally(MONDAY)
    for each in exchanges:
        tally.add(int((MONDAY - each.at) / timedelta(days=days)), [each])
    return {kpi.name: kpi for kpi in traffic_kpis(tally.frame(), MONDAY, days)}


def test_nothing_is_no_request_and_nothing_else() -> None:
    found = figures([])
    assert {name: kpi.value for name, kpi in found.items()} == {"requests": 0.0}


def test_shares_are_of_what_they_are_of() -> None:
    answered = [exchange(1, n, rating=r, passages=[PASSAGE]) for n, r in enumerate(("up", "down"))]
    others = [
        exchange(1, "refused", status="refused", knowledge_base="kb"),
        exchange(1, "guarded", status="refused"),
        exchange(1, "failed", status="failed", knowledge_base="kb"),
        exchange(1, "searched", status="searched", passages=[PASSAGE]),
        exchange(1, "open", status="open"),
    ]
    found = figures([*answered, *others])
    values = {name: (round(kpi.value or 0, 4), kpi.n) for name, kpi in found.items()}
    assert values["requests"] == (7, 7)
    assert values["error_rate"] == (0.1429, 7)
    assert values["refusal_rate"] == (0.5, 4)
    assert values["no_passage_rate"] == (0.3333, 3)
    assert values["rated_share"] == (0.5, 4)
    assert values["up_share"] == (0.5, 2)
    assert not {"people", "conversations", "opened_share", "latency_p50_ms"} & set(values)


def test_latency_is_of_answers_alone() -> None:
    times = [exchange(1, n, latency_ms=n) for n in range(1, 101)]
    failed = [exchange(1, f"f{n}", latency_ms=0, status="failed") for n in range(100)]
    found = figures([*times, *failed])
    assert (found["latency_p50_ms"].value, found["latency_p95_ms"].value) == (50, 95)
    assert found["latency_p95_ms"].interval is not None


def test_conversations_are_the_units_of_intervals() -> None:
    random.seed(5)
    rows = [(n, random.random() < 0.3) for n in range(60) for _ in range(5)]

    def width(unit: Callable[[int], str]) -> float:
        some = [
            exchange(1, place, conversation=unit(place), status="refused" if bad else "ok")
            for place, (_, bad) in enumerate(rows)
        ]
        low, high = figures(some)["refusal_rate"].interval or (0, 0)
        return high - low

    by_hand = [(n, bad) for n, bad in rows]
    rows = sorted(by_hand, key=lambda row: row[1])  # what is alike is in one conversation
    assert width(lambda place: f"c{place // 5}") > 1.8 * width(lambda place: f"c{place}")


def test_before_is_the_same_over_the_windows_before() -> None:
    now = [exchange(2, "a", cost_usd=1.0, tokens=10, conversation="x", person="p")]
    week = [
        exchange(10 + day / 10, f"b{day}", cost_usd=0.5, conversation=f"y{day // 2}", person="p")
        for day in range(4)
    ]
    older = [exchange(20.9, "c", cost_usd=0.5, conversation="z", status="failed")]
    found = figures([*now, *week, *older])
    assert found["cost_usd"].before == pytest.approx(2.5 / 14 * 7)
    assert found["cost_per_request_usd"].before == pytest.approx(0.5)
    assert found["error_rate"].before == pytest.approx(1 / 5)
    assert found["conversations"].before == pytest.approx((2 + 1) / 2)
    assert (found["people"].value, found["people"].before) == (1, 0.5)


def test_an_application_of_ten_days_is_compared_with_its_days_before() -> None:
    found = figures([exchange(day + 0.5, day) for day in range(10)])
    assert found["requests"].value == 7
    assert found["requests"].before == pytest.approx(7)  # three days had three
    alone = figures([exchange(1)])
    assert alone["requests"].before is None


def test_the_curve_has_every_day_and_the_day_of_its_end_is_the_last() -> None:
    found = figures([exchange(0.01, "a"), exchange(2.5, "b", rating="up"), exchange(2.6, "c")])
    assert found["requests"].curve == (
        ("2026-11-27", 2.0),
        ("2026-11-28", 0.0),
        ("2026-11-29", 1.0),
    )
    assert found["up_share"].curve == (
        ("2026-11-27", 1.0),
        ("2026-11-28", None),
        ("2026-11-29", None),
    )


def test_scores_are_figures_and_know_which_way_is_good() -> None:
    some = [exchange(1, n, scores={"grounded": n / 4, "mine": 1.0}) for n in range(5)]
    found = figures([*some, exchange(9, scores={"cost": 0.1})])
    assert (found["score/grounded"].value, found["score/grounded"].better) == (0.5, "more")
    assert (found["score/mine"].n, found["score/mine"].better) == (5, None)
    assert (found["score/cost"].value, found["score/cost"].better) == (None, "less")
    assert found["score/cost"].before == pytest.approx(0.1)


def test_the_interval_of_a_mean_of_many_is_that_of_few() -> None:
    random.seed(7)
    values = [random.lognormvariate(0, 1) for _ in range(MANY_UNITS + 1)]
    some = [exchange(1, n, cost_usd=value) for n, value in enumerate(values)]
    many, few = (figures(part)["cost_per_request_usd"].interval for part in (some, some[:-1]))
    assert many is not None
    assert few is not None
    assert many == pytest.approx(few, rel=0.02)


def test_the_end_of_the_window_belongs_to_the_next_one() -> None:
    tally = TrafficTally(MONDAY)
    tally.add(0, [exchange(0.0000001), exchange(7)])
    assert tally.frame()["day"].tolist() == [0, 6]
