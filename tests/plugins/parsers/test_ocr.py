"""Text in pictures: pages of PDFs without a text layer, and picture files."""

import io
import socket
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from llmops.tasks.errors import DocumentError, UnsupportedDocument
from llmops.tasks.plugins.parsers import (
    Ocr,
    ParseOptions,
    _ocr,
    all_parsers,
    parse,
    parser_fingerprint,
    parser_fingerprints,
    sniff,
    unreadable,
)
from llmops.tasks.plugins.parsers._reading_order import TextLine, ordered
from llmops.tasks.plugins.parsers._recognised import Pages
from tests.plugins.parsers.pdfs import Book, Sheet, line, page, stream

Pixels = NDArray[np.uint8]

LETTER = line("Ducks swim in the lake", size=20) + line("and eat leaves.", y=670, size=20)
PNG = b"\x89PNG\r\n\x1a\n\x00\x00"


def painted(drawn: str, scale: float = 1.5) -> Pixels:
    """A page as pixels, in the order red, green, blue."""
    import pypdfium2

    document = pypdfium2.PdfDocument(page(drawn))
    pixels: Pixels = document[0].render(scale=scale, rev_byteorder=True).to_numpy().copy()
    document.close()
    return pixels


def saved(pixels: Pixels, kind: str, *others: Pixels, **options: object) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    first, *more = (Image.fromarray(each) for each in (pixels, *others))
    extra = {"save_all": True, "append_images": more} if more else {}
    first.save(out, kind, **extra, **options)
    return out.getvalue()


def picture(pixels: Pixels) -> str:
    """Pixels as an object of a PDF."""
    data = zlib.compress(pixels.tobytes())
    size = f"/Width {pixels.shape[1]} /Height {pixels.shape[0]}"
    return stream(
        data.decode("latin-1"),
        f"/Type /XObject /Subtype /Image {size} /ColorSpace /DeviceRGB /BitsPerComponent 8 "
        "/Filter /FlateDecode",
    )


def scanned(*pictures: Pixels, before: str = "") -> bytes:
    """A PDF with a page of text, where `before` is one, and a page for each picture."""
    whole = "q 595 0 0 842 0 0 cm /I{} Do Q"
    sheets = [Sheet(before)] if before else []
    sheets += [
        Sheet(whole.format(n), f"/XObject << /I{n} {200 + n} 0 R >>") for n in range(len(pictures))
    ]
    return Book(sheets, {200 + n: picture(each) for n, each in enumerate(pictures)}).written()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection fails; models are loaded anew."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("text recognition wants the network")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    _ocr._recogniser.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_pages_without_text_are_recognised_without_a_network() -> None:
    parsed = parse(scanned(painted(LETTER), before=line("A cover with text.")), "a.pdf")
    assert parsed.text == "A cover with text.\n\f\nDucks swim in the lake and eat leaves."
    metadata = dict(parsed.metadata)
    assert metadata.pop("ocr_confidence") > 0.9
    assert metadata == {"pages": 2, "ocr_pages": [2]}


@pytest.mark.slow
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_page_may_lie_on_its_side_or_its_head(turn: int) -> None:
    text = _ocr.recognise(np.ascontiguousarray(np.rot90(painted(LETTER), turn))).text
    assert " ".join(text.split()) == "Ducks swim in the lake and eat leaves."


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_pictures_are_documents(kind: str) -> None:
    parsed = parse(saved(painted(LETTER)[:300], kind), "letter")
    assert parsed.text == "Ducks swim in the lake and eat leaves."
    assert (parsed.markup, parsed.media_type) == ("plain", f"image/{kind.lower()}")


@pytest.mark.slow
def test_the_pages_of_a_tiff_are_pages() -> None:
    data = saved(painted(LETTER)[:300], "TIFF", painted(line("Second page", size=24))[:300])
    parsed = parse(data, "fax.tif")
    assert parsed.text == "Ducks swim in the lake and eat leaves.\n\f\nSecond page"
    assert (parsed.metadata["pages"], parsed.metadata["ocr_pages"]) == (2, [1, 2])


@pytest.mark.slow
def test_what_is_read_with_too_little_confidence_is_left_out_or_refused() -> None:
    noise = np.random.default_rng(1).integers(0, 60, (1263, 893, 3))
    poor = np.clip(painted(LETTER).astype(int) - noise, 0, 255).astype(np.uint8)
    sure = ParseOptions(ocr=Ocr(min_confidence=1))
    with pytest.raises(DocumentError, match=r"confidence of 0\.\d\d.*`parse\.ocr\.min_confidence`"):
        parse(scanned(poor), "a.pdf", options=sure)
    parsed = parse(scanned(poor, before=line("A cover with text.")), "a.pdf", options=sure)
    assert parsed.text.strip("\f\n") == "A cover with text."
    assert parsed.metadata["ocr_pages_left_out"] == [2]
    strict = ParseOptions(ocr=Ocr(min_confidence=1, unread_pages="quarantine"))
    with pytest.raises(DocumentError, match=r"leave out page 2: read with a confidence of 0\.\d\d"):
        parse(scanned(poor, before=line("A cover with text.")), "a.pdf", options=strict)


@pytest.mark.slow
def test_pages_beyond_the_limit_are_told_or_refused() -> None:
    data = saved(painted(LETTER)[:300], "TIFF", *[painted(line("Next", size=24))[:300]] * 2)
    parsed = parse(data, "fax.tif", options=ParseOptions(ocr=Ocr(most_pages=1)))
    assert parsed.text.strip("\f\n") == "Ducks swim in the lake and eat leaves."
    assert parsed.metadata["ocr_pages_left_out"] == [2, 3]
    refused = r"leave out 2 pages, the first is 2: more than `parse\.ocr\.most_pages` \(1\) allows"
    strict = ParseOptions(ocr=Ocr(most_pages=1, unread_pages="quarantine"))
    with pytest.raises(DocumentError, match=refused):
        parse(data, "fax.tif", options=strict)


@pytest.mark.slow
def test_recognition_stays_within_the_memory_of_a_worker_and_one_thread() -> None:
    from llmops.tasks.knowledge.parser_pool import ParserPool

    lines = "".join(line(f"{n} " + "swimming ducks " * 6, 40, 800 - 48 * n) for n in range(16))
    with ParserPool(workers=1) as pool:
        text = pool.parse(scanned(painted(lines, 2)), "full.pdf").text
    assert text.count("swimming ducks") > 88


def test_without_the_library_the_reason_names_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_it = [parser_fingerprint(kind) for kind in ("application/pdf", "image/png")], all_parsers()
    monkeypatch.setattr(_ocr, "engine", lambda: "")
    for known in (parser_fingerprint, parser_fingerprints):
        known.cache_clear()
    try:
        data = scanned(painted(LETTER, 0.2))
        with pytest.raises(DocumentError, match=r"a scan.*pip install 'llmops-pipelines\[ocr\]'"):
            parse(data, "a.pdf")
        with pytest.raises(UnsupportedDocument, match=r"it is a picture.*llmops-pipelines\[ocr\]"):
            parse(PNG, "a.png")
        assert "llmops-pipelines[ocr]" in str(unreadable(PNG, "a.png"))
        without = (
            [parser_fingerprint(kind) for kind in ("application/pdf", "image/png")],
            all_parsers(),
        )
    finally:
        for known in (parser_fingerprint, parser_fingerprints):
            known.cache_clear()
    assert not {*with_it[0], with_it[1]} & {*without[0], without[1]}  # scans are tried again


def test_switched_off_it_reads_nothing_and_says_so() -> None:
    off = ParseOptions(ocr=Ocr(enabled=False))
    with pytest.raises(DocumentError, match=r"a scan.*`parse\.ocr\.enabled: true`"):
        parse(scanned(painted(LETTER, 0.2)), "a.pdf", options=off)
    assert parser_fingerprint("application/pdf", off) != parser_fingerprint("application/pdf")
    assert parser_fingerprint("text/html", off) == parser_fingerprint("text/html")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (PNG, "damaged or was cut off"),
        (scanned(np.full((9, 9, 3), 255, np.uint8)), "one page, and nothing is on it"),
        (page(f"3 Tr {LETTER}"), "one page, and all its text is hidden"),
        (page(""), "one page, and nothing is on it"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(20), "a kind that is not read; save it as PNG"),
    ],
)
def test_refusals_are_true(data: bytes, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        parse(data, "document")


@pytest.mark.skipif(not _ocr.engine(), reason="text recognition is not installed")
def test_another_limit_reads_again_what_it_may_change() -> None:
    limits = [Ocr(), Ocr(min_confidence=0.5), Ocr(unread_pages="quarantine"), Ocr(most_pages=9)]
    options = [ParseOptions(ocr=ocr) for ocr in limits]
    for kind, different in (("application/pdf", 4), ("image/png", 4), ("text/html", 1)):
        assert len({parser_fingerprint(kind, each) for each in options}) == different


def test_a_picture_without_text_is_no_failure() -> None:
    data = saved(np.full((40, 40, 3), 200, np.uint8), "PNG")
    with pytest.raises(UnsupportedDocument, match="no text was found; exclude it"):
        parse(data, "logo.png")


@pytest.mark.parametrize(("side", "said"), [(60_000, "far too many"), (7_000, "7,000 × 7,000")])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(
    side: int, said: str
) -> None:
    small = saved(np.zeros((2, 2, 3), np.uint8), "PNG")
    header = small[12:16] + side.to_bytes(4, "big") * 2 + small[24:29]
    bomb = small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]
    with pytest.raises(DocumentError, match=f"{said} pixels, allowed are 40,000,000"):
        parse(bomb, "bomb.png")


def test_pages_tell_how_sure_they_are() -> None:
    pages = Pages(Ocr())
    assert (pages.texts, pages.metadata()) == ({}, {})
    assert "no text" in pages.refusal("no text").reason


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf",
        "\ufeff".encode("utf-16"),
        b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n",
        b"\x00\x01\x02",
    ],
)
def test_what_stands_before_a_pdf_does_not_hide_it(data: bytes) -> None:
    whole = data + page(line("Ducks"))
    assert sniff(whole, "a.txt") == "application/pdf"
    assert parse(whole, "a.txt").text == "Ducks"


def test_a_text_about_pdf_is_none() -> None:
    assert sniff(b"The mark is\n%PDF-1.4\n%and then a comment, in words", "a.txt") == "text/plain"


def column(x: float, words: str, top: float = 0) -> list[TextLine]:
    return [
        TextLine(word, x, top + 20 * n, x + 200, top + 20 * n + 12) for n, word in enumerate(words)
    ]


def test_columns_are_read_one_after_another() -> None:
    title = TextLine("Title", 0, -60, 440, -40)
    assert ordered([title, *column(240, "efgh"), *column(0, "abcd")]) == [
        *("Title", ""),
        *("a", "b", "c", "d", ""),
        *("e", "f", "g", "h"),
    ]


def test_a_gap_through_both_columns_is_no_border() -> None:
    left = [*column(0, "abc"), *column(0, "def", 100)]
    right = [*column(240, "ghi"), *column(240, "jkl", 100)]
    assert "".join(ordered([*left, *right])) == "abcdefghijkl"


def test_narrow_columns_are_a_table_that_is_read_by_rows() -> None:
    cells = [
        TextLine(f"{row}{column}", 100 * column, 20 * row, 100 * column + 15, 20 * row + 12)
        for column in range(4)
        for row in range(4)
    ]
    assert ordered(cells)[0] == "00 01 02 03"
