"""What finds personal data and secrets in the texts that a model is trained on."""

from abc import ABC, abstractmethod
from typing import ClassVar

from llmops.tasks.plugins import Plugin
from llmops.tasks.plugins.cleaners.pii.patterns import EntitySpan


class Scrubber(Plugin, ABC):
    """It only says where; `datasets/training/scrubbing.py` puts one pseudonym for one value through
    a whole row, and scans the result once more.
    """

    family: ClassVar[str] = "scrubbers"

    @abstractmethod
    def places(self, text: str) -> list[EntitySpan]:
        """What the text holds, as (start, end, entity), in its order and without overlaps. A
        pseudonym such as `<EMAIL_1>` is nothing to be found. Names of entities are lower case.
        """
