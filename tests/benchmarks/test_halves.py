"""Random halves of pairs: what is clear is said by both, what is no difference by none, and groups
are never torn.
"""

from random import Random

import pytest

from benchmarks.halves import WORDS, Halves, halves, only, part, swapped
from llmops.tasks.decisions.evidence import Calls, Evidence, Metric, Pairs
from llmops.tasks.decisions.rules import Rule

GROUPS = 60


def evidence(gain: float, seed: int = 1) -> Evidence:
    """Two cases a group; the candidate's values are the baseline's plus noise of 0.1 and a gain."""
    chance, size = Random(seed), 2 * GROUPS
    base = [chance.uniform(0.3, 0.6) for _ in range(size)]
    new = [value + gain + chance.gauss(0, 0.1) for value in base]
    calls = Calls(
        latency_ms=[[1.0]] * size,
        scored=[1] * size,
        tokens=[1] * size,
        cost_usd=[0.0] * size,
        cached=[0] * size,
        asked_at=[1.0] * size,
    )
    pairs = Pairs(
        cases=[str(n) for n in range(size)],
        sha256=["0"] * size,
        groups=[f"g{n // 2}" for n in range(size)],
        tags=[["even"] if n % 2 else [] for n in range(size)],
        values={
            "old": {"f1": base, "other": base},
            "new": {"f1": new, "other": base},
            "third": {"f1": base},
        },
        errors={arm: [0] * size for arm in ("old", "new", "third")},
        calls=dict.fromkeys(("old", "new", "third"), calls),
    )
    return Evidence(
        rule=Rule(metric="f1"),
        total=size,
        baseline="old",
        arms=("old", "new", "third"),
        pairs=pairs,
        metrics={"f1": Metric(bounded=False), "other": Metric()},
    )


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "word"), [(0.1, "promote"), (-0.1, "reject")])
def test_a_clear_difference_is_seen_by_both_halves(gain: float, word: str) -> None:
    found = halves(only(evidence(gain), "new"), 20)
    assert found.pairs == {(word, word): 20}
    assert (found.agreement, found.contradiction) == (1.0, 0.0)


@pytest.mark.slow
def test_where_arms_change_places_at_random_halves_rarely_decide() -> None:
    found = halves(only(evidence(0.1), "new"), 100, alike=True)
    assert (
        found.share("inconclusive") > 0.85
    )  # 95 % are expected, of halves that are not independent of each other
    assert found.contradiction < 0.05


@pytest.mark.slow
def test_the_same_seed_gives_the_same_halves() -> None:
    small = only(evidence(0.02), "new")
    assert halves(small, 10, 3) == halves(small, 10, 3)
    assert {word for pair in halves(small, 30).pairs for word in pair} <= set(WORDS)


@pytest.mark.slow
def test_few_groups_a_side_decide_less_often_than_many() -> None:
    small = only(evidence(0.03), "new")
    few, all_of_them = halves(small, 60, most=5), halves(small, 60)
    assert few.share("inconclusive") > all_of_them.share("inconclusive")
    assert halves(small, 5, most=1000) == halves(small, 5)


def test_only_keeps_two_arms_and_the_deciding_metric() -> None:
    found = only(evidence(0.1), "third")
    assert (found.arms, set(found.metrics)) == (("old", "third"), {"f1"})
    assert set(found.pairs.values["old"]) == {"f1"}


def test_a_part_has_the_values_of_its_cases() -> None:
    whole = evidence(0.1)
    found = part(whole, [5, 7]).pairs
    assert (found.cases, found.groups, found.tags) == (
        ["5", "7"],
        ["g2", "g3"],
        [["even"], ["even"]],
    )
    assert found.values["new"]["f1"] == [whole.pairs.values["new"]["f1"][place] for place in (5, 7)]


def test_swapping_keeps_every_pair_together_and_turns_whole_groups() -> None:
    whole = only(evidence(0.1), "new")
    found = swapped(whole, Random(0)).pairs.values
    before = list(
        zip(whole.pairs.values["old"]["f1"], whole.pairs.values["new"]["f1"], strict=True)
    )
    after = list(zip(found["old"]["f1"], found["new"]["f1"], strict=True))
    turned = [one != two for one, two in zip(before, after, strict=True)]
    assert all(
        two == (one[::-1] if turn else one)
        for one, two, turn in zip(before, after, turned, strict=True)
    )
    assert 0.2 < sum(turned) / len(turned) < 0.8
    assert turned[::2] == turned[1::2]


def test_a_table_counts_every_half() -> None:
    found = Halves(
        {("promote", "promote"): 6, ("promote", "reject"): 1, ("promote", "inconclusive"): 3}
    )
    assert (found.splits, found.agreement, found.contradiction, found.share("promote")) == (
        10,
        0.6,
        0.1,
        0.8,
    )
