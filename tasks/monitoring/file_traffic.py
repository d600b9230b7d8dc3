"""What any application was asked, from a file of JSON lines: one exchange a line, in any order."""

from array import array
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Self

import numpy as np
from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from llmops.tasks.errors import ConfigError, Mistake, did_you_mean
from llmops.tasks.monitoring.traffic import FAILED, Exchange, FoundPassage
from llmops.tasks.schemas import sha256

BLOCK = 500
MOST_MISTAKES = 20
MOST = 10**12
"""Of anything that is counted or summed: more is a mistake, and sums of it would be no numbers."""
SHOWN = 80
WANTED = (
    'an exchange a line, such as {"id": "1", "at": "2026-11-30T09:00:00Z", "question": "…", '
    '"answer": "…"}'
)
BOM = b"\xef\xbb\xbf"


class ListedPassage(FoundPassage):
    """A passage as a file gives it: of an application that knows no ids, the uri says which
    document it is of, and the text which passage.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    chunk_id: str = ""
    doc_id: str = ""

    @model_validator(mode="after")
    def _known_by_something(self) -> Self:
        if not (self.chunk_id or self.text or self.uri):
            raise ValueError("a passage needs a chunk_id, a text or a uri")
        doc, text = self.doc_id or self.uri, f"{self.uri}\0{self.text}"
        known = {"doc_id": doc, "chunk_id": self.chunk_id or sha256(text)[:32]}
        return self if self.chunk_id and self.doc_id else self.model_copy(update=known)


class ListedExchange(Exchange):
    """An exchange as a file gives it: strict about its keys. A time without a zone is UTC."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)
    id: str = Field(min_length=1)
    latency_ms: float | None = Field(default=None, ge=0, le=MOST)
    tokens: int = Field(default=0, ge=0, le=MOST)
    cost_usd: float = Field(default=0.0, ge=0, le=MOST)
    passages: tuple[ListedPassage, ...] = ()
    scores: Mapping[str, Annotated[float, Field(ge=-MOST, le=MOST)]] = Field(default_factory=dict)
    version: int | None = Field(default=None, ge=0, le=MOST)
    opened: int = Field(default=0, ge=0, le=MOST)


class FileTraffic:
    """The exchanges of a file. It is read once for all its mistakes and an index of times (20 bytes
    a line), then by blocks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._index: tuple[np.ndarray[tuple[int], np.dtype[np.float64]], list[int]] | None = None

    def exchanges(
        self, since: datetime, until: datetime, most_texts: int | None = None
    ) -> Iterator[list[Exchange]]:
        """As `Traffic` says. Raises ConfigError with the mistakes of the file, the first twenty."""
        del most_texts  # they are read anyway
        if self._index is None:
            self._index = _indexed(self._path)
        times, places = self._index
        first, last = np.searchsorted(times, [since.timestamp(), until.timestamp()], side="left")
        with self._path.open("rb") as file:
            for start in range(int(first), int(last), BLOCK):
                block = places[start : min(start + BLOCK, int(last))]
                yield [_at(file, place) for place in block]

    def remarks(self) -> list[str]:
        """As `Traffic` says."""
        return []

    @property
    def whole(self) -> bool:
        return True


def _at(file: BinaryIO, place: int) -> Exchange:
    file.seek(place)
    return _exchange(file.readline())


def checked_exchanges(path: Path) -> None:
    """Read the file for its mistakes. Raises ConfigError with the first twenty, each with its line;
    a file that cannot be read, or that is empty, is one.
    """
    _indexed(path)


def _indexed(
    path: Path,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], list[int]]:
    times, places = array("d"), array("q")
    mistakes: list[Mistake] = []
    lines: dict[str, int] = {}
    try:
        for number, place, line in _lines(path):
            if len(mistakes) >= MOST_MISTAKES:
                break
            try:
                exchange = _exchange(line)
            except ValidationError as error:
                mistakes += _told(error, f"{path}:{number}")
                continue
            if (first := lines.setdefault(exchange.id, number)) != number:
                hint = "give every exchange an id of its own"
                used = f"the id {_short(repr(exchange.id))} was used in line {first}"
                mistakes.append(Mistake(used, f"{path}:{number}", hint))
            times.append(exchange.at.timestamp())
            places.append(place)
    except OSError as error:
        raise ConfigError([Mistake(f"it cannot be read: {error.strerror}", str(path))]) from error
    if not lines and not mistakes:
        mistakes = [Mistake("the file is empty", str(path), f"write {WANTED}")]
    if mistakes:
        raise ConfigError(mistakes[:MOST_MISTAKES])
    order = np.argsort(np.asarray(times), kind="stable")
    return np.asarray(times)[order], [places[int(row)] for row in order]


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(number, place in the file, line) of those that are not blank."""
    with path.open("rb") as file:
        place = 0
        for number, line in enumerate(file, 1):
            if number == 1 and line.startswith(BOM):
                place, line = len(BOM), line[len(BOM) :]
            if line.strip():
                yield number, place, line
            place += len(line)


def _exchange(line: bytes) -> Exchange:
    """Raises ValidationError."""
    listed = ListedExchange.model_validate_json(line)
    changed: dict[str, object] = {}
    if listed.at.tzinfo is None:
        changed["at"] = listed.at.replace(tzinfo=UTC)
    if listed.status == "error":
        changed["status"] = FAILED
    return listed.model_copy(update=changed) if changed else listed


def _told(error: ValidationError, where: str) -> list[Mistake]:
    return [_mistake(detail, where) for detail in error.errors(include_url=False)]


def _mistake(detail: ErrorDetails, where: str) -> Mistake:
    key = _short(".".join(map(str, detail["loc"])))
    place = f"{where}: {key}" if key else where
    if detail["type"] == "json_invalid":
        return Mistake(f"no JSON: {detail['msg'].partition(': ')[2]}", where, f"write {WANTED}")
    if detail["type"] == "missing":
        return Mistake(f"the key {key!r} is missing", where, f"write {WANTED}")
    if detail["type"] == "extra_forbidden":
        inner = key.rpartition(".")[2]
        model = ListedPassage if "passages" in detail["loc"] else ListedExchange
        near = did_you_mean(inner, model.model_fields)
        allowed = f"allowed: {', '.join(model.model_fields)}"
        return Mistake("unknown key", place, near or allowed)
    return Mistake(f"{detail['msg']}, got {_short(repr(detail['input']))}", place)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
