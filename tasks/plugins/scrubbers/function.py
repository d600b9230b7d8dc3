"""A recogniser of yours, or of any library: a function by its import path."""

from collections.abc import Callable, Iterable
from functools import cached_property
from importlib import import_module
from typing import ClassVar

from pydantic import Field

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins.cleaners.pii.patterns import EntitySpan, apart
from llmops.tasks.plugins.scrubbers import Scrubber

Recogniser = Callable[[str], Iterable[tuple[int, int, str]]]


class FunctionScrubber(Scrubber):
    """Asks the function at `path` (`package.module:function`), which is given a text and returns
    (start, end, entity) of what it finds: spaCy, GLiNER or Presidio in five lines of yours.
    `entities` keeps some of what it finds, all where empty. It is imported when first asked.
    """

    revision: ClassVar[int] = 1
    path: str = Field(pattern=r"^[\w.]+:\w+$")
    entities: tuple[str, ...] = ()

    @cached_property
    def _function(self) -> Recogniser:
        module, _, name = self.path.partition(":")
        try:
            function: Recogniser = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            hint = "name a function that can be imported, such as ours.names:people"
            raise ConfigError(
                [Mistake(f"{self.path} cannot be imported: {error}", "scrubbers: function", hint)]
            ) from error
        return function

    def places(self, text: str) -> list[EntitySpan]:
        found = [
            EntitySpan(start, end, entity.lower()) for start, end, entity in self._function(text)
        ]
        if wrong := [one for one in found if not 0 <= one.start < one.end <= len(text)]:
            raise ValueError(
                f"{self.path} found {wrong[0]} in a text of {len(text)} characters: "
                "start and end are places in the text"
            )
        return apart(one for one in found if not self.entities or one.entity in self.entities)
