"""What is written onto a PDF page: values of forms, notes, free text (ISO 32000-1, 12.5)."""

import ctypes
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from llmops.tasks.plugins.parsers.pdf.objects import Box
from llmops.tasks.plugins.parsers.pdf.painted import Painting

if TYPE_CHECKING:
    import numpy as np
    import pypdfium2
    from numpy.typing import NDArray
    from pypdfium2.raw import FPDF_ANNOTATION

UNSEEN: Final = 2 | 32
"""The flags Hidden and NoView. Without the flag Print an annotation is not printed, but seen."""
PASSWORD: Final = 1 << 13
MOST: Final = 5000
"""Annotations of a page that are read."""
TICK: Final = "[x]"


class Written(NamedTuple):
    """A text that was written onto a page, and where. `note`: it opens when somebody points at its
    mark.
    """

    text: str
    box: Box
    shown: bool
    note: bool = False

    @property
    def line(self) -> str:
        text = " ".join(self.text.split())
        return f"[Note: {text}]" if self.note else text


def looks(document: "pypdfium2.PdfDocument") -> dict[int, set[int]]:
    """Per page (from 0), the numbers of the annotations that have a look of their own. To be asked
    before forms are initialised: then all others get one.
    """
    import pypdfium2
    import pypdfium2.raw as pdfium

    numbers: dict[int, set[int]] = {}
    for place in range(len(document)):
        with suppress(pypdfium2.PdfiumError):
            page = document[place]
            numbers[place] = set()
            for number in range(min(MOST, pdfium.FPDFPage_GetAnnotCount(page))):
                with _annotation(page, number) as annotation:
                    if annotation and pdfium.FPDFAnnot_HasKey(annotation, b"AP"):
                        numbers[place].add(number)
            page.close()
    return numbers


def written(page: "pypdfium2.PdfPage", looks: Set[int] | None = None) -> list[Written]:
    """The values, notes and free texts of a page. What its flags hide, and what has a look of its
    own of which nothing is painted, is not shown. `looks`: the annotations that have one, None for
    all that have one now.
    """
    import pypdfium2.raw as pdfium

    texts, doubtful = list[Written](), list[int]()
    for number in range(min(MOST, pdfium.FPDFPage_GetAnnotCount(page))):
        with _annotation(page, number) as annotation:
            found = annotation and _read(page, annotation)
            if found and found.text.strip():
                own = (
                    bool(pdfium.FPDFAnnot_HasKey(annotation, b"AP"))
                    if looks is None
                    else number in looks
                )
                doubtful += [len(texts)] if found.shown and own and not found.note else []
                texts.append(found)
    if doubtful:
        boxes = [texts[place].box for place in doubtful]
        painting = Painting(page, boxes, annotations=True)
        for place, seen in zip(doubtful, painting.annotated(boxes), strict=True):
            texts[place] = texts[place]._replace(shown=seen)
    return texts


@contextmanager
def _annotation(page: "pypdfium2.PdfPage", number: int) -> "Iterator[FPDF_ANNOTATION | None]":
    import pypdfium2.raw as pdfium

    annotation = pdfium.FPDFPage_GetAnnot(page, number)
    try:
        yield annotation or None
    finally:
        if annotation:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _read(page: "pypdfium2.PdfPage", annotation: "FPDF_ANNOTATION") -> Written | None:
    """The text of an annotation; None for links, windows of notes, and what has none."""
    import pypdfium2.raw as pdfium

    kind = pdfium.FPDFAnnot_GetSubtype(annotation)
    if kind in (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP):
        return None
    frame = pdfium.FS_RECTF()
    pdfium.FPDFAnnot_GetRect(annotation, frame)
    across, up = sorted((frame.left, frame.right)), sorted((frame.bottom, frame.top))
    box = (across[0], up[0], across[1], up[1])
    shown = not pdfium.FPDFAnnot_GetFlags(annotation) & UNSEEN
    if kind == pdfium.FPDF_ANNOT_WIDGET:
        return Written(_value(page.formenv, annotation), box, shown) if page.formenv else None
    text = _string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents")
    return Written(text, box, shown, note=kind != pdfium.FPDF_ANNOT_FREETEXT)


def _value(form: object, field: "FPDF_ANNOTATION") -> str:
    """What a field of a form shows: a text, the chosen lines of a list, a cross; never a
    password.
    """
    import pypdfium2.raw as pdfium

    kind = pdfium.FPDFAnnot_GetFormFieldType(form, field)
    if kind in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
        return TICK if pdfium.FPDFAnnot_IsChecked(form, field) else ""
    if kind in (pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX):
        chosen = [
            _string(pdfium.FPDFAnnot_GetOptionLabel, form, field, number)
            for number in range(min(MOST, max(0, pdfium.FPDFAnnot_GetOptionCount(form, field))))
            if pdfium.FPDFAnnot_IsOptionSelected(form, field, number)
        ]
        return ", ".join(chosen) or _string(pdfium.FPDFAnnot_GetFormFieldValue, form, field)
    secret = pdfium.FPDFAnnot_GetFormFieldFlags(form, field) & PASSWORD
    if kind != pdfium.FPDF_FORMFIELD_TEXTFIELD or secret:
        return ""
    return _string(pdfium.FPDFAnnot_GetFormFieldValue, form, field)


def _string(read: Callable[..., int], *of: object) -> str:
    """A text that PDFium gives as UTF-16 into a buffer, whose size it tells when asked without."""
    import pypdfium2.raw as pdfium

    size = read(*of, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    read(*of, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")


def places(texts: Sequence[Written], letters: Sequence[Box]) -> dict[int, list[str]]:
    """After which letter of the page's text each of these texts is read (-1: before the first),
    with what separates it: in the line of what stands to its left, else in a paragraph of its own
    below what stands above. A tick belongs to the words to its right where they are nearer.
    """
    import numpy as np

    after: dict[int, list[str]] = {}
    boxes = np.array(letters, dtype=float).reshape(-1, 4)
    ends = boxes[:, 2] > boxes[:, 0]
    for text in sorted(texts, key=lambda each: (-each.box[3], each.box[0])):
        left, bottom, _, top = text.box
        middle = (bottom + top) / 2
        row = ends & (boxes[:, 1] <= middle) & (boxes[:, 3] >= middle)
        beside = row & (boxes[:, 2] <= left + (top - bottom) / 2)
        if text.text == TICK and (label := _label(text.box, boxes, row, beside)) is not None:
            after.setdefault(label - 1, []).append(f"{text.line} ")
            continue
        if beside.any():
            place = int(np.where(beside, boxes[:, 2], -np.inf).argmax())
            last = not (row & (boxes[:, 0] > left)).any()
            after.setdefault(place, []).append(f" {text.line}" + ("\n\n" if last else " "))
            continue
        above = np.flatnonzero(ends & (boxes[:, 1] >= middle))
        lowest = above[boxes[above, 1] <= boxes[above, 1].min() + 1] if len(above) else [-1]
        after.setdefault(int(lowest[-1]), []).append(f"\n\n{text.line}\n\n")
    return after


def _label(
    box: Box, boxes: "NDArray[np.float64]", row: "NDArray[np.bool_]", beside: "NDArray[np.bool_]"
) -> int | None:
    """The letter to the right of a box with which its label begins; None where that is farther away
    than what stands to its left.
    """
    import numpy as np

    left, bottom, right, top = box
    behind = np.flatnonzero(row & (boxes[:, 0] >= right - (top - bottom) / 2))
    if not len(behind):
        return None
    first = int(behind[boxes[behind, 0].argmin()])
    gap = left - boxes[beside, 2].max() if beside.any() else np.inf
    return first if boxes[first, 0] - right < gap else None
