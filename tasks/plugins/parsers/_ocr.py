"""Text in pictures, by RapidOCR: its models come with its package, nothing is ever fetched."""

import io
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llmops.tasks.plugins.parsers._reading_order import TextLine, ordered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from rapidocr import RapidOCR

    Pixels = NDArray[np.uint8]
    """Shape (height, width, 3), in the order blue, green, red."""

ENGINE: Final = "PP-OCRv6 small"
"""What texts depend on: a part of the fingerprint of those who use it."""
INSTALL: Final = "pip install 'llmops-pipelines[ocr]'"
FINDS, READS = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
LONGEST_SIDE: Final = 1600
"""Pixels: some 140 dots an inch of a page of A4, which keeps a page within 900 MB of memory."""
GOOD: Final = 0.8
"""A page read with less confidence may lie on its head."""
TALL: Final = 1.5
BLANK: Final = 8
"""Levels of 255 by which a page may differ from its paper and still be blank."""


class Recognised(NamedTuple):
    """The lines of a picture in reading order, "" between blocks, and their mean confidence (0 to
    1, weighted by their lengths; 1 where there is no text).
    """

    text: str
    confidence: float


NO_TEXT = Recognised("", 1.0)


@cache
def engine() -> str:
    """The name of the models; "" where the library is not installed."""
    place = find_spec("rapidocr")
    folder = Path(place.origin).parent / "models" if place and place.origin else Path()
    return ENGINE if (folder / FINDS).is_file() and (folder / READS).is_file() else ""


def blank(pixels: "Pixels") -> bool:
    return int(pixels.max()) - int(pixels.min()) <= BLANK if pixels.size else True


def recognise(pixels: "Pixels") -> Recognised:
    """What stands in a picture, whichever way it is turned by quarters."""
    import numpy as np

    if blank(pixels):
        return NO_TEXT
    first = _read(pixels)
    if not first.lines:
        return NO_TEXT
    turned: list[_ReadPage] = []
    for turn in (1, 3) if first.sideways else (2,) if first.confidence < GOOD else ():
        turned.append(_read(np.ascontiguousarray(np.rot90(pixels, turn))))
        if turned[-1].confidence >= GOOD:
            break
    candidates = [] if first.sideways and any(each.lines for each in turned) else [first]
    best = max([*candidates, *turned], key=lambda each: each.confidence)
    return Recognised("\n".join(ordered(best.lines)), round(best.confidence, 4))


class _ReadPage(NamedTuple):
    lines: list[TextLine]
    confidence: float
    sideways: bool


def _read(pixels: "Pixels") -> _ReadPage:
    import numpy as np

    result: Any = _recogniser()(pixels)
    texts: Sequence[str] = result.txts or ()
    if not texts:
        return _ReadPage([], 0.0, False)
    boxes = np.asarray(result.boxes, dtype=float)  # (lines, 4 corners, x and y)
    low, high = boxes.min(axis=1), boxes.max(axis=1)
    lengths = np.array([max(1, len(text.strip())) for text in texts])
    width, height = (high - low).T
    long = lengths > 2  # a short word may be as tall as wide
    sideways = bool(long.any() and np.median((height / np.maximum(1, width))[long]) > TALL)
    lines = [
        TextLine(text.strip(), *map(float, (*first, *last)))
        for text, first, last in zip(texts, low, high, strict=True)
    ]
    confidence = float(np.average(np.asarray(result.scores, dtype=float), weights=lengths))
    return _ReadPage(lines, confidence, sideways)


@cache
def _recogniser() -> "RapidOCR":
    """One for the process. Models are named by their files: with names alone the library would
    look whether to download them.
    """
    import rapidocr

    models = Path(rapidocr.__file__).parent / "models"
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Global.max_side_len": LONGEST_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.model_path": str(models / FINDS),
            "Rec.model_path": str(models / READS),
            "Rec.rec_batch_num": 1,  # a batch is as wide as its widest line
        }
    )


def frames(data: bytes, most_pixels: int) -> "Sequence[Pixels]":
    """The pages of a picture file, upright as its camera says, on white. Raises ValueError for one
    that has more than `most_pixels` pixels, OSError for one that is damaged.
    """
    from PIL import Image, ImageSequence

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
        try:
            picture = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError as error:
            raise ValueError("far too many pixels") from error
    with picture:
        several = picture.format == "TIFF"
        return [
            _on_white(frame, most_pixels)
            for frame in (ImageSequence.Iterator(picture) if several else [picture])
        ]


def _on_white(frame: "Image.Image", most_pixels: int) -> "Pixels":
    import numpy as np
    from PIL import Image, ImageOps

    if frame.width * frame.height > most_pixels:
        raise ValueError(f"{frame.width:,} × {frame.height:,} pixels")
    side = (2 * LONGEST_SIDE, 2 * LONGEST_SIDE)
    frame.draft("RGB", side)  # JPEG can be unpacked smaller
    upright = ImageOps.exif_transpose(frame).convert("RGBA")
    upright.thumbnail(side)
    paper = Image.new("RGBA", upright.size, "white")
    paper.alpha_composite(upright)
    return np.ascontiguousarray(np.asarray(paper.convert("RGB"))[:, :, ::-1])
