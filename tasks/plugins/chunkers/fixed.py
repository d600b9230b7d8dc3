"""Chunks of nearly equal size that ignore sentences: a baseline, and for text without
punctuation.
"""

from typing import ClassVar

import numpy as np

from llmops.tasks.plugins.chunkers._cutting import ContentDefined
from llmops.tasks.plugins.chunkers._cutting.measured import Measured
from llmops.tasks.plugins.chunkers._cutting.strength import BorderKind
from llmops.tasks.texts.characters import Array


class FixedChunker(ContentDefined):
    """Cuts between any two words; which ones is decided by content, so an edit moves only the cuts
    beside it.

    Context: the document's title.
    """

    alone: ClassVar[bool] = True

    def kinds(self, measured: Measured) -> Array:
        """Kind of each border: a word, or the inside of one."""
        return np.minimum(measured.borders.kinds, BorderKind.WORD)
