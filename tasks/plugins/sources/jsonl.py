"""Documents in the rows of a JSON-lines file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from pydantic import Field

from llmops.tasks.errors import Blocked, TransientDocumentError, UsageError
from llmops.tasks.plugins.sources import Item, Problem, Raw, Report, Source, content_hash_of

Role = Literal["uri", "title", "text"]
URI_KEYS = ("uri", "_id", "id", "url")
TITLE_KEYS = ("title",)
TEXT_KEYS = ("text", "content", "body", "contents")
BOM = b"\xef\xbb\xbf"


class JsonlSource(Source):
    """One document per line: `fields` maps uri, title and text to their keys, `metadata` names
    further keys.

    Without a mapping, the usual keys are tried: uri, _id, id, url; title; text, content, body,
    contents. A row in which none of them names a uri is called `file#line-N`. Keys that are neither
    mapped nor metadata never count as a change. `media_type` says what the texts are. A line above
    `max_bytes` is a problem.
    """

    path: str = Field(min_length=1)
    """A file of JSON lines, relative to the config."""
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

    def scan(self, report: Report) -> str:
        """Report every row, one line in memory at a time. Raises Blocked when the file is gone.

        A broken line may be any document, so it makes the listing incomplete; a row that names its
        uri does not.
        """
        broken: list[str] = []
        try:
            with Path(self.path).open("rb") as file:
                for line in lines(file, self.max_bytes):
                    try:
                        report(self._item(line))
                    except RowError as error:
                        report(
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
                line = JsonLine(number, offset, file.read(length))
            uri, raw = self._row(line)
        except (OSError, RowError) as error:
            raise TransientDocumentError(
                f"{self.path} changed since it was listed: {error}"
            ) from error
        if uri != item.uri or content_hash_of(raw) != item.revision:
            raise TransientDocumentError(f"{self.path} changed since it was listed")
        return raw

    def content_hash(self, item: Item) -> str | None:
        """The hash of text, title and metadata, which the listing holds already."""
        return item.revision

    def _name(self, line: "JsonLine") -> str:
        return f"{Path(self.path).name}#line-{line.number}"

    def _item(self, line: "JsonLine") -> Item:
        uri, raw = self._row(line)
        locator = f"{line.number}:{line.offset}:{len(line.data)}"
        return Item(uri=uri, revision=content_hash_of(raw), size=len(raw.data), locator=locator)

    def _row(self, line: "JsonLine") -> tuple[str, Raw]:
        row = parsed(line)
        uri = uri_of(row, self.fields.get("uri")) or self._name(line)
        text, title = (
            text_of(row, self.fields.get("text"), uri),
            title_of(row, self.fields.get("title"), uri),
        )
        kept: dict[str, Any] = {key: row[key] for key in self.metadata if key in row}
        return uri, Raw(
            data=text.encode("utf-8", "replace"),
            media_type=self.media_type,
            title=title,
            metadata=kept,
        )


class JsonLine(NamedTuple):
    """`number` counts from 1; `offset` is the byte where `data` begins. `too_long`: the limit,
    where it is passed.
    """

    number: int
    offset: int
    data: bytes
    too_long: int = 0


class RowError(Exception):
    """A row that gives no document. `uri` where the row says which document it was."""

    def __init__(self, reason: str, uri: str = "") -> None:
        super().__init__(reason)
        self.reason, self.uri = reason, uri


def lines(file: IO[bytes], max_bytes: int) -> Iterator[JsonLine]:
    """The lines that are not blank, without line ends and byte order mark; at most one of them in
    memory.
    """
    number, offset = 0, 0
    while data := file.readline(max_bytes + 2):
        number += 1
        start, skipped = (
            offset,
            _skip(file) if len(data) > max_bytes and not data.endswith(b"\n") else 0,
        )
        offset += len(data) + skipped
        if number == 1 and data.startswith(BOM):
            data, start = data[len(BOM) :], len(BOM)
        bare = data.rstrip(b"\r\n")
        if len(bare) > max_bytes:
            yield JsonLine(number, start, b"", too_long=max_bytes)
        elif bare.strip():
            yield JsonLine(number, start, bare)


def _skip(file: IO[bytes]) -> int:
    """Read to the end of the line in pieces; return how many bytes that were."""
    skipped = 0
    while piece := file.readline(1 << 20):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def parsed(line: "JsonLine") -> Mapping[str, Any]:
    """The object in a line. Raises RowError."""
    if line.too_long:
        raise RowError(
            f"the line is longer than {line.too_long:,} bytes; raise `max_bytes` of the "
            f"source to take it"
        )
    try:
        row = json.loads(line.data.decode())
    except UnicodeDecodeError as error:
        byte = f"byte 0x{line.data[error.start]:02x} at position {error.start + 1}"
        raise RowError(f"not UTF-8: {byte}; save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise RowError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise RowError("not readable: nested too deeply") from error
    if not isinstance(row, dict):
        raise RowError(f"got {_kind(row)}, each line must be an object {{…}}")
    return row


def uri_of(row: Mapping[str, Any], key: str | None) -> str:
    """The uri of a row; "" when no key is mapped and the row has none of the usual ones. Raises
    RowError.
    """
    chosen = key or next((name for name in URI_KEYS if name in row), "")
    if not chosen:
        return ""
    if chosen not in row:
        raise RowError(f"the key {chosen!r}, mapped to uri, is missing; the row has {_keys(row)}")
    value = row[chosen]
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise RowError(
            f"{chosen!r}, mapped to uri, is {_kind(value)}; it must be a text or a whole number"
        )
    return str(value).encode("utf-8", "replace").decode()


def title_of(row: Mapping[str, Any], key: str | None, uri: str) -> str | None:
    """The title of a row, None where it has none. Raises RowError."""
    chosen = key or next((name for name in TITLE_KEYS if name in row), "")
    value = row.get(chosen)
    if value is not None and not isinstance(value, str):
        raise RowError(f"{chosen!r}, mapped to title, is {_kind(value)}; it must be a text", uri)
    return (value or "").strip().encode("utf-8", "replace").decode() or None


def text_of(row: Mapping[str, Any], key: str | None, uri: str) -> str:
    """The text of a row, never blank. Raises RowError."""
    chosen = key or next((name for name in TEXT_KEYS if name in row), "")
    if chosen not in row:
        wanted = repr(chosen) if chosen else " or ".join(map(repr, TEXT_KEYS))
        raise RowError(f"the key {wanted} for the text is missing; the row has {_keys(row)}", uri)
    value = row[chosen]
    if not isinstance(value, str):
        raise RowError(f"{chosen!r}, mapped to text, is {_kind(value)}; it must be a text", uri)
    if not value.strip():
        raise RowError(f"{chosen!r}, mapped to text, is empty", uri)
    return value


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "an empty text",
        bool: "true or false",
        type(None): "null",
    }
    return names.get(type(value), "a number")


def _keys(row: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, list(row)[:8])) or "no keys"
