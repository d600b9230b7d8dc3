"""Pages of one document that text recognition has read, and what is told of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmops.tasks.errors import DocumentError, UnsupportedDocument
from llmops.tasks.plugins.parsers import Ocr
from llmops.tasks.plugins.parsers._ocr import recognise

if TYPE_CHECKING:
    from llmops.tasks.plugins.parsers._ocr import Pixels


class Pages:
    """`texts`: by page number (from 0), those that were read with enough confidence. `poor`: the
    confidence of the others.
    """

    def __init__(self, ocr: Ocr) -> None:
        self.texts: dict[int, str] = {}
        self.poor: dict[int, float] = {}
        self._ocr, self._confidence = ocr, dict[int, float]()

    def take(self, number: int, pixels: "Pixels") -> None:
        """Read a page."""
        text, confidence = recognise(pixels)
        if not text:
            return
        if confidence < self._ocr.min_confidence:
            self.poor[number] = confidence
            return
        self.texts[number], self._confidence[number] = text, confidence

    def metadata(self) -> Mapping[str, object]:
        """`ocr_pages` (from 1), `ocr_confidence` (mean by length) and `ocr_pages_left_out`."""
        told: dict[str, object] = {}
        if self.texts:
            lengths = {number: len(text) for number, text in self.texts.items()}
            sure = sum(self._confidence[number] * length for number, length in lengths.items())
            mean = sure / sum(lengths.values())
            told = {
                "ocr_pages": [number + 1 for number in sorted(self.texts)],
                "ocr_confidence": round(mean, 3),
            }
        left_out = [number + 1 for number in sorted(self.poor)]
        return told | ({"ocr_pages_left_out": left_out} if left_out else {})

    def refusal(self, nothing: str) -> DocumentError:
        """Why a document of which no page is left has no text; `nothing`: where none was found."""
        if not self.poor:
            return UnsupportedDocument(f"{nothing}; exclude it, or scan it again more sharply")
        best = max(self.poor.values())
        return DocumentError(
            f"text recognition read it with a confidence of {best:.2f}, less than "
            f"`parse.ocr.min_confidence` ({self._ocr.min_confidence:g}): the text would be full of "
            "errors; scan it again at 300 dpi, or lower the limit"
        )
