"""Pictures: the text in them, recognised."""

from typing import ClassVar

from llmops.tasks.errors import DocumentError, UnsupportedDocument
from llmops.tasks.plugins.parsers import Ocr, Parsed, Parser
from llmops.tasks.plugins.parsers import _ocr as recognising
from llmops.tasks.plugins.parsers._layout import paragraphs
from llmops.tasks.plugins.parsers._recognised import Pages

MOST_PIXELS = 40_000_000
"""A page of A4 at 600 dots an inch has 35 million."""


class ImageParser(Parser):
    """Text in PNG, JPEG, TIFF (each page), WebP, GIF and BMP, by text recognition (OCR): lines
    joined to paragraphs, columns one after another. It needs the extra `ocr`. The metadata tell the
    confidence.
    """

    media_types: ClassVar[tuple[str, ...]] = tuple(
        f"image/{kind}" for kind in ("png", "jpeg", "tiff", "webp", "gif", "bmp")
    )
    ocr: Ocr = Ocr()

    def fingerprint(self) -> str:
        return self.ocr.covered(super().fingerprint())

    def parse(self, data: bytes, media_type: str) -> Parsed:
        if missing := self.ocr.missing():
            raise UnsupportedDocument(f"it is a picture; {missing}")
        try:
            frames = recognising.frames(data, MOST_PIXELS)
        except ValueError as error:
            raise DocumentError(
                f"the picture has {error}, allowed are {MOST_PIXELS:,} in all; make it smaller"
            ) from error
        except (OSError, SyntaxError, EOFError) as error:
            raise DocumentError(
                "the picture is damaged or was cut off; take it from its origin again"
            ) from error
        pages = Pages(self.ocr)
        for number in pages.allowed(range(len(frames))):
            pages.take(number, frames[number])
        texts = [paragraphs(pages.texts.get(number, "")) for number in range(len(frames))]
        if not any(texts):
            raise pages.refusal("it is a picture in which no text was found")
        return Parsed(
            text="\n\f\n".join("\n\n".join(page) for page in texts),
            media_type=media_type,
            metadata=({"pages": len(frames)} if len(frames) > 1 else {}) | dict(pages.metadata()),
        )
