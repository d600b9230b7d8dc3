"""From bytes to text. A parser is chosen by what the bytes are, not by what the file is called."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.plugins import Plugin


class Parsed(BaseModel):
    """The text of one document.

    `markup` says whether `#` lines are headings. A form feed (`\\f`) stands between pages. `title`
    comes from the content, never from the file name, so that a rename changes nothing.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    markup: Literal["plain", "markdown"] = "plain"
    title: str | None = None
    media_type: str
    metadata: Mapping[str, Any] = Field(default_factory=dict)


class Parser(Plugin, ABC):
    """Reads the media types that `media_types` names (`type/subtype`, or `type/*`).

    `isolated` parsers run in a worker process with a time and a memory limit.
    """

    family: ClassVar[str] = "parsers"
    media_types: ClassVar[tuple[str, ...]]
    isolated: ClassVar[bool] = True

    @abstractmethod
    def parse(self, data: bytes, media_type: str) -> Parsed:
        """The text of a document. Raises DocumentError with a sentence that a person
        understands.
        """
