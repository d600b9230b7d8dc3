"""Formats of training data: a row in, the records of a target out, and what that target would do
to them without saying.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol

from pydantic import Field

from llmops.tasks.plugins import Plugin
from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.rows import Row

Effect = Literal["dropped", "cut", "masked", "trained"]
"""What a target does unasked: leave a row out, shorten it, not learn from it, learn from more than
the answer.
"""


ColumnType = Literal["text", "texts", "boolean", "json", "messages", "turns", "turn", "request"]
"""Of a column in Parquet. `texts`: pairs of texts; `json`: an object as JSON text, as objects of
many shapes are no column; `turn`: `from` and `value`; `request`: messages with tools.
"""


class ExportRecord(NamedTuple):
    """A line of a file. `kind`: of the file among those of a split; "" is the main one."""

    content: Mapping[str, object]
    kind: str = ""


class Risk(NamedTuple):
    """What a target would do to a record without saying."""

    effect: Effect
    why: str


class Unfit(Exception):
    """A row that a format cannot take; the reason is the same for all rows of that sort."""


class ExportContext(Protocol):
    """What an exporter may ask of the home."""

    def search(self, knowledge_base: str, question: str, k: int) -> Sequence[Passage]:
        """The k best passages of the live version, best first."""


class Exporter(Plugin, ABC):
    """`id`: what its folder and reports are called, where one is used twice. `max_tokens`: of a
    record, as the target will be set; longer ones are left out, never cut. `least_score`: rows that
    people found worse are nothing to learn from; a row without a score is taken.
    """

    family: ClassVar[str] = "exporters"
    id: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    max_tokens: int | None = Field(default=None, ge=1)
    least_score: float = Field(default=0.5, ge=0, le=1)

    @abstractmethod
    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        """What the row is in this format. Raises Unfit before the first one where it is nothing."""

    @abstractmethod
    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        """The columns that a file of this kind may have, in order."""

    def risks(self, record: ExportRecord) -> Iterator[Risk]:
        """What the target would do to it without saying."""
        del record
        return iter(())

    def warnings(self, counts: Mapping[tuple[str, str], int]) -> Iterator[str]:
        """What the target refuses of a whole file, by the rows of each (split, kind)."""
        del counts
        return iter(())

    def beside(self, dataset: str, files: Mapping[tuple[str, str], str]) -> Mapping[str, str]:
        """Files beside the records, by name: what the target needs to read them. `files`: the name
        of the file of each (split, kind).
        """
        del dataset, files
        return {}
