"""A reason is true of the file, and says what to do."""

import io
import struct
import zipfile

import pytest

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import _media_types as types
from llmops.tasks.plugins.parsers import parse, sniff
from llmops.tasks.plugins.parsers._xberg import failed
from tests.plugins.parsers import old, samples
from tests.plugins.parsers.samples import zipped


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (zipped({"[Content_Types].xml": "", "visio/document.xml": "x"}), "Visio.*save it as PDF"),
        (samples.ole("VisioDocument"), "Visio.*save it as PDF"),
        (zipped({"[Content_Types].xml": "", "FixedDocSeq.fdseq": "x"}), "XPS.*print it to PDF"),
        (zipped({"Index/Presentation.iwa": "x"}), "iWork.*export it"),
        (zipped({"index.apxl": "x", "QuickLook/Thumbnail.jpg": "y"}), "iWork.*export it"),
        (zipped({"META-INF/MANIFEST.MF": "x", "a/B.class": "y"}), "program.*exclude it"),
        (zipped({"a.txt": "x", "b.txt": "y"}), "archive.*unpack it"),
        (samples.ole("Quill", "Contents"), "Publisher.*save it as PDF"),
        (samples.ole("MatOST"), "Works.*LibreOffice"),
        (samples.ole("Some program"), "container of an old program.*save it as PDF"),
        (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d" + bytes(40), "OneNote.*export the section"),
        (b"ITSF\x03\x00\x00\x00" + bytes(40), "CHM.*unpack it into pages"),
        (b"\xdb\xa5\x2d\x00" + bytes(40), "before version 6.*LibreOffice"),
        (b"\x31\xbe\x00\x00\x00\xab" + bytes(40), "Windows Write.*LibreOffice"),
        (b"\x09\x04\x06\x00\x00\x00\x10\x00" + bytes(40), "Excel before version 5.*LibreOffice"),
        (b"HWP Document File V3.00 \x1a\x01", "Hangul before version 5.*save it"),
        (b"\x78\x9f\x3e\x22\x01\x00" + bytes(40), "winmail.dat.*unpack it"),
        (b"\x00\x01\x00\x00Standard Jet DB\x00" + bytes(40), "database.*CSV"),
        (old.doc("secret\r", old.ENCRYPTED), "password; save a copy without one"),
        (old.locked_xls(), "password; save a copy without one"),
        (b"", "empty.*exclude it"),
    ],
)
def test_what_is_not_read_is_named_with_what_to_do(data: bytes, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        parse(data, "document.bin")


@pytest.mark.parametrize("reason", [*types.CALLED.values()])
def test_every_reason_has_a_remedy(reason: str) -> None:
    remedies = ("exclude", "save", "export", "open it", "unpack", "use the", "transcribe", "print")
    assert any(remedy in reason for remedy in (*remedies, "OCR"))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Parsing error: Failed to parse XLS: Workbook is password protected", "password"),
        ("Parsing error: Fast-saved Word 6/95 documents are not supported", "Word 95 or older"),
        ("Parsing error: Xml error: at 0..0: unrecognized entity `&lol9;`", "may be an attack"),
        ("Parsing error: Relationship not found.", "cannot be read (Relationship not found): it"),
    ],
)
def test_what_the_library_says_is_told_in_plain_words(said: str, reason: str) -> None:
    assert reason in failed(said).reason


def zip64(data: bytes, count: int) -> bytes:
    """The same ZIP with its number of parts where large archives have it."""
    end = data.rindex(b"PK\x05\x06")
    size, start = struct.unpack_from("<II", data, end + 12)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    last = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, size, 0xFFFFFFFF, 0)
    return data[:end] + record + locator + last


def test_zip64_is_no_attack() -> None:
    data = samples.docx()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        count = len(archive.namelist())
    assert "Ducks swim" in parse(zip64(data, count), "a.docx").text
    with pytest.raises(DocumentError, match=r"more than 20,000 parts.*several files"):
        parse(zip64(data, 1_000_000), "a.docx")


def test_a_container_that_python_reads_is_not_called_damaged() -> None:
    plain = samples.xlsx()
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(plain)) as before,
        zipfile.ZipFile(out, "w") as after,
    ):
        for name in before.namelist():
            info = zipfile.ZipInfo(name)
            info.extra = struct.pack("<HHB", 0x5455, 1, 7)  # three times announced, none there
            after.writestr(info, before.read(name))
    assert "Bread" in parse(out.getvalue(), "a.xlsx").text


def test_names_as_on_windows_are_names() -> None:
    with zipfile.ZipFile(io.BytesIO(samples.docx())) as archive:
        parts = {name.replace("/", "\\"): archive.read(name) for name in archive.namelist()}
    assert "Ducks swim" in parse(zipped(parts), "a.docx").text


def test_old_containers_without_their_last_free_sectors_are_read_and_cut_ones_are_not() -> None:
    data = old.doc("Hello world.\r")
    table = data[512:1024]
    free = struct.pack("<I", 0xFFFFFFFF)
    short = data[:512] + table.replace(free, struct.pack("<I", 0xFFFFFFFE)) + data[1024:]
    assert parse(short, "a.doc").text == "Hello world."
    with pytest.raises(DocumentError, match=r"cannot be read.*take it from its origin"):
        parse(short[:-1024], "a.doc")


def test_old_word_files_lose_field_codes_and_have_no_entities() -> None:
    link = 'See \x13 HYPERLINK "http://x.y" \x14the page\x15 & <b>.'
    text = f"{link}\r\x13 EMBED Word.Document.8 \x14\x15"
    assert parse(old.doc(text), "a.doc").text == "See the page & <b>."


def test_binary_sheets_books_without_a_mimetype_and_old_formats_are_known() -> None:
    assert "binary" in sniff(zipped({"[Content_Types].xml": "", "xl/workbook.bin": "x"}), "a")
    assert sniff(zipped({"META-INF/container.xml": "x"}), "a") == "application/epub+zip"
    assert sniff(samples.ole("\x05HwpSummaryInformation", "BodyText"), "a") == "application/x-hwp"
    assert sniff(b"\xffWPC\x10\x00\x00\x00\x01\x0a", "a") == "application/vnd.wordperfect"


RICH = (
    rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset238 Arial CE;}"
    rb"{\f2\fcharset204 Arial Cyr;}{\f3\fcharset128 MS Mincho;}}\f0 w\'f6rld\par\f1 \'c8l\'e1nek"
    rb"\par\f2 \'cf\'f0\'e8\'e2\'e5\'f2\par\f3 \'82\'b1\'82\'f1\'82\'c9\par {\ul under}lined\par"
    rb"{\*\annotation remark}{\v unseen}\trowd\cellx1\cellx2\intbl a\cell b\cell\row\pard}"
)


def test_rich_text_is_read_by_the_character_set_of_each_font() -> None:
    assert parse(RICH, "a.rtf").text.split("\n\n") == [
        *("wörld", "Článek", "Привет", "こんに", "underlined"),
        "| a | b |\n| --- | --- |",
    ]


def test_a_mailbox_is_mail_one_section_per_letter() -> None:
    letters = (
        "From ada@example.org Mon Jun 01 10:00:00 2026\nFrom: ada@example.org\nSubject: Lunch\n\n"
        "At noon?\n>From here it is far.\nFrom now on, too.\n\n"
        "From bob@example.org Mon Jun 01 11:00:00 2026\nFrom: bob@example.org\n"
        "Subject: Re: Lunch\n\nYes.\n"
    )
    parsed = parse(letters.encode(), "inbox")
    assert parsed.media_type == "application/mbox"
    assert [block for block in parsed.text.split("\n\n") if block.strip()] == [
        *("# Lunch", "From: ada@example.org"),
        "At noon?\nFrom here it is far.\nFrom now on, too.",
        *("# Re: Lunch", "From: bob@example.org", "Yes.\n"),
    ]
    assert parsed.metadata["mails"] == 2
    assert sniff(letters.replace("\n", "\r\n").encode(), "a") == "application/mbox"
    assert sniff(b"From now on 10:00 is early\nand late", "a.txt") == "text/plain"
