"""Rows in a file of JSON lines, as docs/finetuning.md describes them."""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.collectors import Collector, CollectorContext, Skipped
from llmops.tasks.rows import Row

PART = 16 * 1024 * 1024
"""Bytes of a file that one task reads."""
LINE = 16 * 1024 * 1024
HINT = 'a row is a line such as {"id": "r1", "messages": [{"role": "user", "content": "…"}, …]}'


class JsonlCollector(Collector):
    """`path`: relative to the config. Lines that are no rows go to quarantine."""

    path: Path

    def at(self, folder: Path) -> "JsonlCollector":
        return self.model_copy(update={"path": folder / self.path})

    def check(self) -> None:
        if not self.path.is_file():
            raise UsageError(f"no such file: {self.path}", hint=HINT)

    def parts(self, context: CollectorContext) -> list[str]:
        """Offsets in bytes: a line belongs to the part in which it begins."""
        del context
        size = self.path.stat().st_size
        starts = range(0, max(size, 1), PART)
        return [f"{start} {min(start + PART, size)}" for start in starts]

    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        del context
        for place, line in _lines(self.path, *map(int, part.split())):
            if line.strip():
                yield row_of(line, f"{self.path.name}@{place}")


def _lines(path: Path, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        if start:
            file.seek(start - 1)
            file.readline()  # what began in the part before
        while (place := file.tell()) < end:
            line = file.readline(LINE + 1)
            if len(line) > LINE:
                while line and not line.endswith(b"\n"):
                    line = file.readline(LINE)
                yield place, b"[]"
                continue
            yield place, line.removeprefix(b"\xef\xbb\xbf")


def row_of(line: bytes, place: str) -> Row | Skipped:
    """The row that a line says; without `group` it is one of its own."""
    try:
        content = json.loads(line)
    except ValueError as error:
        return Skipped(place, f"no JSON: {error}")
    if not isinstance(content, dict):
        return Skipped(place, "no JSON object, or one of more than 16 MB")
    known = {"id": place, **content}
    known = {"group": known["id"], **{key: value for key, value in known.items() if value != ""}}
    try:
        if b"\\ud" in line.lower():
            json.dumps(known, ensure_ascii=False).encode()
        return Row.model_validate(known)
    except UnicodeEncodeError:
        return Skipped(place, "half a character, which no file in UTF-8 can hold")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return Skipped(str(known["id"])[:200], f"{where}: {first['msg']}")
