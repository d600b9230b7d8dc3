"""Many cases: what is kept in memory does not grow with them, and all places are used."""

import gc
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from llmops.tasks.calls.budget import Spent
from llmops.tasks.evaluation.answering import answer_part
from tests.evaluation.runs import arm, cases, evaluation_run, model, results
from tests.openai_server import serving

PART, GROWTH = 250, 30 * 2**20


def parts(folder: Path, base_url: str, count: int) -> Iterator[tuple[int, Spent]]:
    """(cases so far, what was spent) after each part."""
    run, spent = (
        evaluation_run(folder, base_url, prompts=("Answer. {{question}}",), concurrency=32),
        Spent(),
    )
    for number, first in enumerate(range(0, count, PART), 1):
        part = answer_part(run, number, cases(count)[first : first + PART], spent)
        assert [one.status for one in results(part)] == ["answered"] * PART
        spent = part.spent
        yield first + PART, spent


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_cases(tmp_path: Path) -> None:
    sizes = {}
    with serving() as service:
        service.latency = 0.05
        for done, spent in parts(tmp_path, service.base_url, 2_000):
            service.requests.clear()
            service.headers.clear()
            gc.collect()
            sizes[done], paid = psutil.Process().memory_info().rss, spent.calls
        assert paid == 2_000
        assert service.most == 32
    assert sizes[2_000] - sizes[500] < GROWTH


def test_all_places_are_used(tmp_path: Path) -> None:
    with serving() as service:
        service.latency = 0.2
        answer_part(
            evaluation_run(tmp_path, service.base_url, concurrency=24), 1, cases(60), Spent()
        )
        assert service.most == 24


def test_arms_on_two_endpoints_share_the_places(tmp_path: Path) -> None:
    """Each result is of its own endpoint."""
    with serving(lambda messages: "slow") as slow, serving(lambda messages: "quick") as quick:
        slow.latency = 0.05
        arms = [
            arm("slow", "{{question}}", model(slow.base_url)),
            arm("quick", "{{question}}", model(quick.base_url, model="other")),
        ]
        found = results(
            answer_part(
                evaluation_run(tmp_path, "", arms=arms, concurrency=6), 1, cases(20), Spent()
            )
        )
    assert {(one.arm, one.answer) for one in found} == {("slow", "slow"), ("quick", "quick")}
    assert (len(slow.requests), len(quick.requests)) == (20, 20)
