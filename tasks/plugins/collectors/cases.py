"""Cases of an evaluation that say their answer."""

from collections.abc import Iterator
from pathlib import Path

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.collectors import Collector, CollectorContext, Skipped
from llmops.tasks.plugins.collectors._questions import question_row
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.rows import Row


class CasesCollector(Collector):
    """`path`: relative to the config. What is trained on measures nothing any more: name the file
    in `decontaminate.against` no more, and evaluate with another one.
    """

    path: Path
    system: str = ""
    """The system message of each row; none by default."""

    def at(self, folder: Path) -> "CasesCollector":
        return self.model_copy(update={"path": folder / self.path})

    def check(self) -> None:
        if not self.path.is_file():
            raise UsageError(f"no such file: {self.path}", hint="a file of cases, as evaluate has")

    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        del part
        for case in context.cases(self.path):
            question, answer = case.inputs.get("question"), case.expected.get("answer")
            if isinstance(question, str) and isinstance(answer, str):
                yield question_row(case.id, question, answer, case.group, self.system, _known(case))
            else:
                yield Skipped(case.id, "the case has no text as inputs.question, expected.answer")


def _known(case: Case) -> dict[str, object]:
    uris = case.expected.get("uris")
    lineage = case.lineage.model_dump(mode="json", exclude_none=True) if case.lineage else {}
    return {**lineage, **({"uri": uris[0], "uris": uris} if uris else {})}
