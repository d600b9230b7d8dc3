"""Documents from the lines of a text file."""

from pathlib import Path

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.sources import Item, Raw, Report, Source


class ExampleSource(Source):
    """Each line of the file `path` is a document, called `line-1`, `line-2` and so on. `skip`: how
    many lines at the top are left out.
    """

    path: Path
    skip: int = 0

    def at(self, folder: Path) -> "ExampleSource":
        return self.model_copy(update={"path": folder / self.path})

    def check(self) -> None:
        if not self.path.is_file():
            raise UsageError(f"no such file: {self.path}", hint="`path` starts at the config")

    def scan(self, report: Report) -> str:
        for number in range(self.skip + 1, len(self._lines()) + 1):
            report(Item(uri=f"line-{number}", locator=str(number)))
        return ""  # the listing is complete: a line that is gone is retired

    def read(self, item: Item) -> Raw:
        line = self._lines()[int(item.locator) - 1]
        return Raw(data=line.encode(), media_type="text/plain", title=item.uri)

    def _lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()
