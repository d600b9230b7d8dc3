"""Pages of one document that text recognition has read, and what is told of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from llmops.tasks.errors import DocumentError, UnsupportedDocument
from llmops.tasks.plugins.parsers import Ocr, page_done
from llmops.tasks.plugins.parsers._ocr import recognise

if TYPE_CHECKING:
    from llmops.tasks.plugins.parsers._ocr import Pixels


class Pages:
    """`texts`: by page number (from 0), those that were read with enough confidence. `poor`: the
    confidence of the others. `beyond`: pages that are more than may be looked at.
    """

    def __init__(self, ocr: Ocr) -> None:
        self.texts: dict[int, str] = {}
        self.poor: dict[int, float] = {}
        self.beyond: list[int] = []
        self._ocr, self._confidence = ocr, dict[int, float]()

    def allowed(self, numbers: Sequence[int]) -> Iterator[int]:
        """Those pages that may be looked at, each told as done after its turn."""
        most = self._ocr.most_pages
        self.beyond += numbers[most:]
        for number in numbers[:most]:
            yield number
            page_done()

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
        """`ocr_pages` (from 1), `ocr_confidence` (mean by length) and `ocr_pages_left_out`. Raises
        DocumentError where pages are left out and the policy is quarantine.
        """
        told: dict[str, object] = {}
        if self.texts:
            lengths = {number: len(text) for number, text in self.texts.items()}
            sure = sum(self._confidence[number] * length for number, length in lengths.items())
            mean = sure / sum(lengths.values())
            told = {
                "ocr_pages": [number + 1 for number in sorted(self.texts)],
                "ocr_confidence": round(mean, 3),
            }
        left_out = [number + 1 for number in sorted([*self.poor, *self.beyond])]
        if left_out and self._ocr.unread_pages == "quarantine":
            raise DocumentError(self._unread(left_out))
        return told | ({"ocr_pages_left_out": left_out} if left_out else {})

    def _unread(self, left_out: Sequence[int]) -> str:
        limits = []
        if self.poor:
            limits.append(
                f"read with a confidence of {min(self.poor.values()):.2f}, less than "
                f"`parse.ocr.min_confidence` ({self._ocr.min_confidence:g})"
            )
        if self.beyond:
            limits.append(f"more than `parse.ocr.most_pages` ({self._ocr.most_pages}) allows")
        pages = f"{len(left_out)} pages, the first is" if len(left_out) > 1 else "page"
        return (
            f"text recognition would leave out {pages} {left_out[0]}: {', or '.join(limits)}; scan "
            "again at 300 dpi, change the limit, or set `parse.ocr.unread_pages: leave_out`"
        )

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
