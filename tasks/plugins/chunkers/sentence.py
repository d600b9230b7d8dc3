"""The default chunker: chunks end where paragraphs and sentences end, in any script."""

from typing import ClassVar

from llmops.tasks.plugins.chunkers._cutting import ContentDefined
from llmops.tasks.plugins.chunkers._cutting.measured import Measured
from llmops.tasks.texts.characters import Array


class SentenceChunker(ContentDefined):
    """Cuts at paragraphs before sentences before clauses before words; inside of a word only when
    it alone is too long.

    Context: the document's title.
    """

    alone: ClassVar[bool] = True

    def kinds(self, measured: Measured) -> Array:
        """As found in the text: Kind of each border."""
        return measured.borders.kinds
