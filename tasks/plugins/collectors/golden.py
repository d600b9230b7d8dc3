"""Golden questions that say their answer."""

from collections.abc import Iterator
from pathlib import Path

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.collectors import Collector, CollectorContext, Skipped
from llmops.tasks.plugins.collectors._questions import question_row
from llmops.tasks.rows import Row


class GoldenCollector(Collector):
    """`path`: relative to the config. What is trained on measures nothing any more: gate with
    another file.
    """

    path: Path
    system: str = ""
    """The system message of each row; none by default."""

    def at(self, folder: Path) -> "GoldenCollector":
        return self.model_copy(update={"path": folder / self.path})

    def check(self) -> None:
        if not self.path.is_file():
            raise UsageError(f"no such file: {self.path}", hint="a golden set, as gates have")

    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        del part
        for each in context.golden(self.path):
            if not each.answer:
                yield Skipped(each.id, "the golden question does not say its answer")
                continue
            lineage: dict[str, object] = {"uri": each.uris[0], "uris": list(each.uris)}
            yield question_row(
                each.id, each.question, each.answer, each.uris[0], self.system, lineage
            )
