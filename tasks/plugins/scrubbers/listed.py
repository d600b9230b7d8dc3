"""Values that are known: names of staff, of customers, of projects."""

import re
from functools import cached_property
from typing import ClassVar

from pydantic import Field, field_validator

from llmops.tasks.plugins.cleaners.pii.patterns import EntitySpan
from llmops.tasks.plugins.scrubbers import Scrubber

SPACE = re.compile(r"\s+")
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7ff]")


class ListedScrubber(Scrubber):
    """Finds the `values` wherever they stand as whole words, whatever the blanks between their
    parts; in their own case alone, unless `any_case`: `Mark` is a name, `mark` is not. `entity` is
    what pseudonyms call them (`<PERSON_1>`).
    """

    revision: ClassVar[int] = 1
    values: tuple[str, ...] = Field(min_length=1)
    entity: str = Field(default="person", pattern=r"^[a-z][a-z_]*$")
    any_case: bool = False

    @field_validator("values")
    @classmethod
    def _say_something(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(any(c.isalnum() for c in one) for one in value):
            raise ValueError("got a value without a letter or digit, which would be found anywhere")
        return value

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest = sorted({one.strip() for one in self.values}, key=len, reverse=True)
        return re.compile("|".join(map(_written, longest)), re.I if self.any_case else 0)

    def places(self, text: str) -> list[EntitySpan]:
        return [EntitySpan(*match.span(), self.entity) for match in self._pattern.finditer(text)]


def _written(value: str) -> str:
    """The value with any blanks; borders of words where its script has them."""
    parts = r"\s+".join(map(re.escape, SPACE.split(value)))
    before = "" if UNSPACED.match(value[0]) or not value[0].isalnum() else r"(?<!\w)"
    after = "" if UNSPACED.match(value[-1]) or not value[-1].isalnum() else r"(?!\w)"
    return f"{before}{parts}{after}"
