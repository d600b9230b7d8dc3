"""Comparing knowledge bases on one golden set: rows, differences, the plot."""

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.handle import Version
from llmops.tasks.maintenance.compare import ArmRow, Interval, MeasuredBase, best, compare, plot
from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.retrieval.measure import measure

QUESTIONS = [
    Question(id=f"q{n}", question=f"about {n}", relevant=(Relevant(uri=f"{n}.md"),))
    for n in range(20)
]


def arm(name: str, right: int, chunks: int = 100) -> MeasuredBase:
    """An arm that answers the first `right` questions, and no other."""

    def rank(questions: object, k: int, mode: object) -> list[list[tuple[str, str]]]:
        return [[(f"{n}.md" if n < right else "other.md", "")] for n in range(20)]

    version = Version(
        kb=name,
        version=1,
        status="published",
        parent=None,
        collection="c",
        snapshot="1",
        weight=None,
        documents=20,
        chunks=chunks,
        config={
            "chunk": {"name": "sentence"},
            "embed": {"name": "hash"},
            "store": {"name": "lancedb"},
        },
    )
    return MeasuredBase(
        name=name, version=version, measured=measure(QUESTIONS, rank, 5, ["hybrid"])
    )


def gains(row: ArmRow) -> dict[str, Interval]:
    assert row["difference"] is not None
    return row["difference"]


def test_each_arm_is_compared_with_the_first() -> None:
    rows = compare([arm("a", 10), arm("b", 18), arm("c", 10)])
    assert [row["metrics"]["recall@5"]["value"] for row in rows] == [0.5, 0.9, 0.5]
    assert rows[0]["difference"] is None
    gain = gains(rows[1])["recall@5"]
    assert gain["value"] == pytest.approx(0.4)
    assert gain["interval"][0] > 0
    assert gains(rows[2])["recall@5"] == {"value": 0.0, "interval": [0.0, 0.0]}


def test_more_arms_make_wider_intervals() -> None:
    few = gains(compare([arm("a", 10), arm("b", 14)])[1])["recall@5"]["interval"]
    rows = compare([arm("a", 10), arm("b", 14), *(arm(f"c{n}", 12) for n in range(8))])
    many = gains(rows[1])["recall@5"]["interval"]
    assert many[0] <= few[0] < few[1] <= many[1]
    assert many != few


def test_the_best_of_equals_has_fewer_chunks() -> None:
    rows = compare([arm("a", 10, 300), arm("b", 10, 200), arm("c", 9, 100)])
    assert best(rows, "ndcg@5") == "b"


def test_one_arm_is_no_comparison() -> None:
    with pytest.raises(UsageError, match="two knowledge bases"):
        compare([arm("a", 10)])


@pytest.mark.slow
def test_the_plot_is_a_png() -> None:
    assert plot(compare([arm("a", 10), arm("b", 14)]), 5, 20).startswith(b"\x89PNG")
