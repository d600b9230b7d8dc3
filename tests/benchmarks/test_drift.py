"""What the benchmark of drift counts by, and what it holds our test against."""

import numpy as np
import pytest

from benchmarks.drift import alarm_rate, pool_of, stated
from benchmarks.drift_data import Corpora, mixed_week, week
from benchmarks.drift_others import OTHERS, POINTS
from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.drift import surroundings


def directions(random: np.random.Generator, count: int, shift: float = 0.0) -> Vectors:
    made = random.normal(0, 1, (count, 16))
    made[:, 0] += shift
    made[:, 1] += 2
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def test_a_rate_has_the_exact_interval_of_its_count() -> None:
    assert alarm_rate(0, 10) == "0.000 [0.000, 0.369]"
    assert alarm_rate(100, 1_000) == "0.100 [0.081, 0.122]"


def test_drift_and_topics_share_what_a_metric_has_alone() -> None:
    assert stated("questions", 0.3) + stated("answers", 0.3) + stated("new topics", 0.3) == (
        pytest.approx(stated("drift and topics together", 0.3))
    )
    assert stated("cost", 0.3) == 0.3


@pytest.mark.parametrize("name", OTHERS)
def test_thresholds_of_others_see_what_is_plain(name: str) -> None:
    random = np.random.default_rng(0)
    before = directions(random, 4_000)
    assert OTHERS[name](directions(random, 2_000, shift=3), before)
    assert not OTHERS[name](directions(random, 2_000), before)


def test_weeks_are_of_whole_conversations() -> None:
    random = np.random.default_rng(0)
    vectors = directions(random, 40)
    given = Corpora(vectors, vectors, np.argsort(-vectors @ vectors.T)[:, 1:13], {})
    weeks = [week(random, given, 25) for _ in range(3)]
    assert all(len(each.rows) == 25 for each in weeks)
    assert all(len(each.cost) == len(each.labels) == len(each.refused) for each in weeks)
    pool = pool_of(vectors, weeks)
    assert (pool.units, pool.current) == (75, 25)
    assert pool.vectors[0].tolist() == vectors[weeks[0].rows[0][0]].tolist()
    around = surroundings(pool, 0.5)
    for points in POINTS.values():
        assert len(points(pool, around.unlike)) == 75
    assert len(mixed_week(random, given, vectors, 10, 0.3)) == 10
