"""How many characters files of one kind make: what an estimate learns from."""

import math
from dataclasses import asdict, dataclass
from posixpath import splitext

from pydantic import BaseModel, ConfigDict

WIDTH = 2.0
"""Standard errors on either side of what is likely: about 95 of 100 sums lie between."""


class SizeSum(BaseModel):
    """Sums over documents of one kind, of their bytes s and characters c, for the ratio estimator.
    `squares`: of c²/s; `characters` and `bytes`: of c and s.
    """

    model_config = ConfigDict(frozen=True)
    documents: int = 0
    bytes: int = 0
    characters: int = 0
    squares: float = 0.0

    def range_of(self, size: int) -> tuple[float, float, float]:
        """Little, likely and much, in characters, of documents with that many bytes in all: the
        ratio estimator with a variance in proportion to size (Cochran, Sampling Techniques, 1977,
        section 6.7).
        """
        ratio = self.characters / self.bytes
        # sum of (c - r s)^2 / s over the documents, by their sums
        rest = max(0.0, self.squares - self.characters * ratio)
        variance = rest / max(1, self.documents - 1)
        error = math.sqrt(variance * size * (1 + size / self.bytes))
        likely = ratio * size
        return max(0.0, likely - WIDTH * error), likely, likely + WIDTH * error


@dataclass(slots=True)
class SizeTally:
    """The sums of `SizeSum`, while documents are still counted."""

    documents: int = 0
    bytes: int = 0
    characters: int = 0
    squares: float = 0.0

    def add(self, size: int, characters: int) -> None:
        """One document of so many bytes, not 0."""
        self.documents += 1
        self.bytes += size
        self.characters += characters
        self.squares += characters**2 / size

    def sum(self) -> SizeSum:
        return SizeSum(**asdict(self))


def kind_of(uri: str) -> str:
    """What files of one kind share: the ending of their names, in small letters."""
    return splitext(uri.partition("#")[0].rstrip("/"))[1].lower().removeprefix(".")
