"""What a PDF page draws, in the order of drawing, each thing with its box on the page (points)."""

import ctypes
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import pypdfium2
    from pypdfium2.raw import FPDF_PAGEOBJECT

DEEPEST: Final = 8
PATTERN: Final = (255, 255, 255)
"""What PDFium says of a fill that is no plain colour."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""
Matrix = tuple[float, float, float, float, float, float]
Colour = tuple[int, int, int]
NOTHING: Final[Box] = (0.0, 0.0, 0.0, 0.0)
STILL: Final[Matrix] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Drawn(NamedTuple):
    """A text, path, picture or shade. `matrix` leads from the form that it lies in to the page;
    `veiled`: that form may be transparent.
    """

    raw: "FPDF_PAGEOBJECT"
    kind: int
    matrix: Matrix
    veiled: bool

    @property
    def address(self) -> int:
        return address_of(self.raw)


def address_of(thing: "FPDF_PAGEOBJECT") -> int:
    """What two handles of one thing have in common."""
    return ctypes.addressof(thing.contents)


def drawn(page: "pypdfium2.PdfPage", first: int = 0) -> Iterator[Drawn]:
    """All that a page draws, from its object number `first` on; what lies in forms instead of
    them.
    """
    import pypdfium2.raw as pdfium

    for number in range(first, pdfium.FPDFPage_CountObjects(page)):
        yield from _things(pdfium.FPDFPage_GetObject(page, number), STILL, False, 0)


def _things(thing: "FPDF_PAGEOBJECT", matrix: Matrix, veiled: bool, depth: int) -> Iterator[Drawn]:
    import pypdfium2.raw as pdfium

    kind = pdfium.FPDFPageObj_GetType(thing)
    if kind != pdfium.FPDF_PAGEOBJ_FORM:
        yield Drawn(thing, kind, matrix, veiled)
        return
    if depth == DEEPEST:
        return
    inner = product(matrix_of(thing), matrix)
    veiled = veiled or bool(pdfium.FPDFPageObj_HasTransparency(thing))
    for number in range(max(0, pdfium.FPDFFormObj_CountObjects(thing))):
        yield from _things(pdfium.FPDFFormObj_GetObject(thing, number), inner, veiled, depth + 1)


def box_of(thing: Drawn) -> Box:
    """Where a thing lies on the page, `NOTHING` where it cannot be told."""
    import pypdfium2.raw as pdfium

    sides = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(thing.raw, *sides):
        return NOTHING
    left, bottom, right, top = (side.value for side in sides)
    if thing.matrix == STILL:
        return left, bottom, right, top
    corners = [(left, bottom), (left, top), (right, bottom), (right, top)]
    return around([moved(x, y, thing.matrix) for x, y in corners])


def clip_of(thing: Drawn) -> Box | None:
    """The box that what is drawn of a thing cannot leave; None where it has no such limit."""
    import pypdfium2.raw as pdfium

    clip = pdfium.FPDFPageObj_GetClipPath(thing.raw)
    x, y, limit = ctypes.c_float(), ctypes.c_float(), None
    for number in range(max(0, pdfium.FPDFClipPath_CountPaths(clip))):
        points = []
        for segment in range(max(0, pdfium.FPDFClipPath_CountPathSegments(clip, number))):
            point = pdfium.FPDFClipPath_GetPathSegment(clip, number, segment)
            if pdfium.FPDFPathSegment_GetPoint(point, x, y):
                points.append(moved(x.value, y.value, thing.matrix))
        if points:
            limit = around(points) if limit is None else common(limit, around(points))
    return limit


def around(points: Sequence[tuple[float, float]]) -> Box:
    """The smallest box that has all of these points."""
    across, up = [x for x, _ in points], [y for _, y in points]
    return min(across), min(up), max(across), max(up)


def common(one: Box, other: Box) -> Box:
    """Where two boxes overlap; sides are exchanged where they do not."""
    return (
        max(one[0], other[0]),
        max(one[1], other[1]),
        min(one[2], other[2]),
        min(one[3], other[3]),
    )


def empty(box: Box) -> bool:
    return box[2] <= box[0] or box[3] <= box[1]


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def over_middle(box: Box, other: Box) -> bool:
    """Whether the middle of the second box lies in the first."""
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def matrix_of(thing: "FPDF_PAGEOBJECT") -> Matrix:
    import pypdfium2.raw as pdfium

    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(thing, matrix):
        return STILL
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def moved(x: float, y: float, matrix: Matrix) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def product(first: Matrix, second: Matrix) -> Matrix:
    """The matrix that does the first, then the second."""
    a, b, c, d, e, f = first
    return (
        a * second[0] + b * second[2],
        a * second[1] + b * second[3],
        c * second[0] + d * second[2],
        c * second[1] + d * second[3],
        *moved(e, f, second),
    )


def enlargement(matrix: Matrix) -> float:
    """By how much a matrix enlarges lengths, on average of the two directions."""
    return float(abs(matrix[0] * matrix[3] - matrix[1] * matrix[2]) ** 0.5)


def fill(thing: "FPDF_PAGEOBJECT") -> tuple[Colour, int]:
    """Red, green, blue and opacity of a fill (0 to 255); `PATTERN` also for patterns and shades,
    black where it cannot be read.
    """
    import pypdfium2.raw as pdfium

    return _colour(thing, pdfium.FPDFPageObj_GetFillColor)


def stroke(thing: "FPDF_PAGEOBJECT") -> tuple[Colour, int]:
    """The same of an outline."""
    import pypdfium2.raw as pdfium

    return _colour(thing, pdfium.FPDFPageObj_GetStrokeColor)


def _colour(thing: "FPDF_PAGEOBJECT", read: "ctypes._FuncPointer") -> tuple[Colour, int]:
    values = [ctypes.c_uint() for _ in range(4)]
    if not read(thing, *values):
        return (0, 0, 0), 255
    red, green, blue, alpha = (value.value for value in values)
    return (red, green, blue), alpha
