"""What tasks are handed: futures are waited for, and nothing is looked for inside references."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

LOOKED_INTO: list[int] = []


class Reference(BaseModel):
    number: int

    def __iter__(self) -> Iterator[tuple[str, int]]:  # type: ignore[override]
        LOOKED_INTO.append(self.number)
        yield "number", self.number


@pytest.mark.slow
def test_references_pass_whole_and_futures_are_waited_for(prefect_server: Path) -> None:
    from prefect import flow

    from llmops.tasks.references import task

    @task(task_run_name="next after {before.number}")
    def following(before: Reference) -> int:
        return before.number + 1

    @task(task_run_name="sum from {numbers[0]}")
    def added(numbers: list[int], reference: Reference, factor: int = 1) -> int:
        return factor * sum(numbers) + reference.number

    @flow
    def adding() -> tuple[int, int]:
        handed = Reference(number=1)
        tagged = following.with_options(tags=["one"])
        futures = [following.submit(handed), tagged.submit(before=handed)]
        later = added.submit(futures, handed, factor=3)  # type: ignore[arg-type]
        return later.result(), added([following(handed)], handed)

    assert adding() == (13, 3)
    assert LOOKED_INTO == []
