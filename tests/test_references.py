"""What tasks are handed: futures are waited for, and nothing is looked for inside references."""

from prefect import flow
from pydantic import BaseModel

from llmops.tasks.references import task


class Reference(BaseModel):
    number: int = 1
    looked_into: list[str] = []

    def __iter__(self):  # type: ignore[no-untyped-def]
        self.looked_into.append("by Prefect")
        return super().__iter__()


@task(task_run_name="made")
def made(before: Reference) -> Reference:
    return Reference(number=before.number + 1, looked_into=before.looked_into)


@task(name="sum", task_run_name="sum of {references[0].number}")
def added(references: list[Reference], factor: int = 1) -> int:
    return factor * sum(each.number for each in references)


def test_references_pass_whole_and_futures_are_waited_for() -> None:
    handed = Reference()

    @flow
    def adding() -> tuple[int, int]:
        futures = [made.submit(handed), made.with_options(tags=["one"]).submit(before=handed)]
        later = added.submit(futures, factor=2)
        return later.result(), added([made(handed)])

    assert adding() == (8, 2)
    assert handed.looked_into == []
