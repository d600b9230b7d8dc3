"""Training rows from a table of questions and answers."""

import csv
from collections.abc import Iterator
from pathlib import Path

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.collectors import Collector, CollectorContext, Skipped
from llmops.tasks.rows import Row, RowMessage


class ExampleCollector(Collector):
    """The CSV file `path`, whose columns are `question` and `answer`; a line without one of them
    goes to quarantine.
    """

    path: Path

    def at(self, folder: Path) -> "ExampleCollector":
        return self.model_copy(update={"path": folder / self.path})

    def check(self) -> None:
        if not self.path.is_file():
            raise UsageError(f"no such file: {self.path}", hint="`path` starts at the config")

    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        with self.path.open(encoding="utf-8", newline="") as file:
            for number, line in enumerate(csv.DictReader(file), start=1):
                place = f"{self.path.name}-{number}"
                question, answer = line.get("question"), line.get("answer")
                if not question or not answer:
                    yield Skipped(place, "a question and an answer are wanted")
                    continue
                asked = RowMessage(role="user", content=question)
                said = RowMessage(role="assistant", content=answer)
                yield Row(id=place, messages=(asked, said), group=place)
