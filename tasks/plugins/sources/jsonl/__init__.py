"""Documents in the rows of a JSON-lines file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from llmops.tasks.errors import Blocked, TransientDocumentError, UsageError
from llmops.tasks.plugins.sources import Item, Problem, Raw, Source, content_hash_of
from llmops.tasks.plugins.sources.jsonl import rows

Role = Literal["uri", "title", "text"]


class JsonlSource(Source):
    """One document per line: `fields` maps uri, title and text to their keys, `metadata` names
    further keys.

    Without a mapping, the usual keys are tried: uri, _id, id, url; title; text, content, body,
    contents. A row in which none of them names a uri is called `file#line-N`. Keys that are neither
    mapped nor metadata never count as a change. `media_type` says what the texts are. A line above
    `max_bytes` is a problem.
    """

    path: str = Field(min_length=1)
    fields: dict[Role, str] = Field(default_factory=dict)
    metadata: list[str] = Field(default_factory=list)
    media_type: str = "text/plain"
    max_bytes: int = Field(default=100_000_000, gt=0)

    def at(self, folder: Path) -> "JsonlSource":
        return self.model_copy(update={"path": str(folder / Path(self.path).expanduser())})

    def check(self) -> None:
        """Raise UsageError when the file does not exist or is compressed."""
        where = "sources: jsonl: path"
        if not Path(self.path).is_file():
            raise UsageError(
                f"{self.path} is no file",
                where=where,
                hint="check the spelling; a relative path starts at the config file's folder",
            )
        with Path(self.path).open("rb") as file:
            if file.read(2) == b"\x1f\x8b":
                raise UsageError(
                    f"{self.path} is compressed with gzip",
                    where=where,
                    hint="unpack it: gunzip --keep",
                )

    def scan(self, found: Callable[[Item | Problem], None]) -> str:
        """Report every row, one line in memory at a time. Raises Blocked when the file is gone.

        A broken line may be any document, so it makes the listing incomplete; a row that names its
        uri does not.
        """
        broken: list[str] = []
        try:
            with Path(self.path).open("rb") as file:
                for line in rows.lines(file, self.max_bytes):
                    try:
                        found(self._item(line))
                    except rows.RowError as error:
                        found(
                            Problem(
                                uri=error.uri or self._name(line),
                                reason=f"line {line.number}: {error.reason}",
                            )
                        )
                        broken += [] if error.uri else [f"line {line.number}: {error.reason}"]
        except FileNotFoundError as error:
            raise Blocked(
                f"the file {self.path} is gone", hint="put it back, or change the source's path"
            ) from error
        except OSError as error:
            return f"{self.path} could not be read to its end: {error.strerror}"
        return (
            f"{len(broken)} lines of {Path(self.path).name} cannot be read: {broken[0]}"
            if broken
            else ""
        )

    def read(self, item: Item) -> Raw:
        """The row of an item. Raises TransientDocumentError when the file changed since it was
        listed.
        """
        number, offset, length = map(int, item.locator.split(":"))
        try:
            with Path(self.path).open("rb") as file:
                file.seek(offset)
                line = rows.JsonLine(number, offset, file.read(length))
            uri, raw = self._row(line)
        except (OSError, rows.RowError) as error:
            raise TransientDocumentError(
                f"{self.path} changed since it was listed: {error}"
            ) from error
        if uri != item.uri or content_hash_of(raw) != item.revision:
            raise TransientDocumentError(f"{self.path} changed since it was listed")
        return raw

    def content_hash(self, item: Item) -> str | None:
        """The hash of text, title and metadata, which the listing holds already."""
        return item.revision

    def _name(self, line: rows.JsonLine) -> str:
        return f"{Path(self.path).name}#line-{line.number}"

    def _item(self, line: rows.JsonLine) -> Item:
        uri, raw = self._row(line)
        locator = f"{line.number}:{line.offset}:{len(line.data)}"
        return Item(uri=uri, revision=content_hash_of(raw), size=len(raw.data), locator=locator)

    def _row(self, line: rows.JsonLine) -> tuple[str, Raw]:
        row = rows.parsed(line)
        uri = rows.uri_of(row, self.fields.get("uri")) or self._name(line)
        text, title = (
            rows.text_of(row, self.fields.get("text"), uri),
            rows.title_of(row, self.fields.get("title"), uri),
        )
        kept: dict[str, Any] = {key: row[key] for key in self.metadata if key in row}
        return uri, Raw(
            data=text.encode("utf-8", "replace"),
            media_type=self.media_type,
            title=title,
            metadata=kept,
        )
