"""What a document is, by its content: names may lie."""

import gzip
import random
import subprocess
import sys

import pytest

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import parse, parser_for, sniff
from tests.plugins.parsers import samples

OFFICE = "application/vnd.openxmlformats-officedocument."


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (samples.docx(), f"{OFFICE}wordprocessingml.document"),
        (samples.pptx(), f"{OFFICE}presentationml.presentation"),
        (samples.xlsx(), f"{OFFICE}spreadsheetml.sheet"),
        (samples.opendocument("text", ""), "application/vnd.oasis.opendocument.text"),
        (samples.epub(), "application/epub+zip"),
        (samples.pdf(("x",)), "application/pdf"),
        (b"\n\n" + samples.pdf(("x",)), "application/pdf"),
        (samples.ole("WordDocument", "1Table"), "application/msword"),
        (samples.ole("Workbook"), "application/vnd.ms-excel"),
        (samples.ole("PowerPoint Document"), "application/vnd.ms-powerpoint"),
        (
            samples.ole("__properties_version1.0", "__nameid_version1.0"),
            "application/vnd.ms-outlook",
        ),
        (samples.ole("EncryptionInfo", "EncryptedPackage"), "application/x-encrypted"),
        (rb"{\rtf1 Hello}", "application/rtf"),
        (b"<!DOCTYPE html><p>x", "text/html"),
        (b"<!-- one --><!-- two -->\n<HTML><p>x", "text/html"),
        ("<html>ä</html>".encode("utf-16"), "text/html"),
        (b'<?xml version="1.0"?><article/>', "application/xml"),
        (b"From: a@b.c\nTo: d@e.f\nSubject: Hi\n\nHello", "message/rfc822"),
        (b"Received: from x\n\tby y\nFrom: a@b.c\nDate: Mon\n\nHello", "message/rfc822"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\nHi", "text/vtt"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHi\n", "application/x-subrip"),
        (b"\\documentclass{article}\n\\begin{document}x\\end{document}", "application/x-latex"),
        (b"just words", "text/plain"),
        ("日本語の文章です。".encode("shift_jis"), "text/plain"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "image/png"),
        (gzip.compress(b"text", mtime=0), "application/gzip"),
        (samples.zipped({"a.txt": "x"}), "application/zip"),
        (b"\x7fELF\x02\x01\x01\x00", "application/x-executable"),
        (b"", "application/x-empty"),
        (b" \n\t ", "application/x-empty"),
        (random.Random(1).randbytes(5000), "application/octet-stream"),
    ],
)
@pytest.mark.parametrize("uri", ["file", "wrong.png"])
def test_content_decides(data: bytes, expected: str, uri: str) -> None:
    assert sniff(data, uri) == expected


@pytest.mark.parametrize(
    ("uri", "data", "expected"),
    [
        ("a.md", b"# Title", "text/markdown"),
        ("a.MD?raw=1#top", b"# Title", "text/markdown"),
        ("a.txt", b"# Title", "text/plain"),
        ("a.csv", b"a,b\n1,2", "text/csv"),
        ("a.tsv", b"a\tb", "text/tab-separated-values"),
        ("a.rst", b"Title\n=====", "text/x-rst"),
        ("a.html", b"<p>fragment</p>", "text/html"),
        ("a.html", b"no tags at all", "text/plain"),
        ("a.eml", b"Recieved: from x\n\nHello", "message/rfc822"),
        ("a.eml", b"just words", "text/plain"),
        ("a.md", b"<p align='center'>logo</p>\n\n# Title", "text/markdown"),
        ("a.md", b"From: me\nTo: you\nSubject: notes\n\n# Letter", "text/markdown"),
        ("a.txt", b"From: the beginning\n\nTo the end", "text/plain"),
        ("a.json", b'{"a": 1}', "application/json"),
        ("a.ipynb", b'{"cells": [], "nbformat": 4}', "application/x-ipynb+json"),
        ("a.txt", b"BM is a text, ID3 and OTTO too", "text/plain"),
        ("a.txt", b"BM", "text/plain"),
        ("a.md", b"A PDF begins with\n%PDF-1.4 in its first line.", "text/markdown"),
    ],
)
def test_the_extension_decides_between_text_formats_only(
    uri: str, data: bytes, expected: str
) -> None:
    assert sniff(data, uri) == expected


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02\x03" * 100, "binary data"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "damaged or was cut off"),
        (gzip.compress(b"x", mtime=0), "archive"),
        (samples.zipped({"a.txt": "x"}), "unpack it"),
        (b"\x7fELF\x02\x01\x01\x00", "program"),
        (samples.ole("EncryptedPackage"), "password"),
        (samples.ole("Something"), "container of an old program"),
        (samples.docx()[:-40], "damaged or was cut off"),
        (samples.ole("WordDocument")[:600], "damaged or was cut off"),
        (b"\x00\x00\x00\x18ftypmp42\x00", "film"),
        (b"SQLite format 3\x00", "database"),
    ],
)
def test_what_nobody_reads_is_refused_in_plain_words(data: bytes, said: str) -> None:
    with pytest.raises(DocumentError, match=said) as caught:
        parse(data, "document.md")
    assert not caught.value.retryable


def test_encrypted_opendocument_and_zip() -> None:
    entry = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    manifest = f"<manifest:manifest {samples.NAMES}>{entry}</manifest:manifest>"
    locked = samples.opendocument("text", "", {"META-INF/manifest.xml": manifest})
    assert sniff(locked, "a.odt") == "application/x-encrypted"


def test_every_media_type_has_the_parser_that_names_it() -> None:
    assert type(parser_for("text/html; charset=utf-8")).__name__ == "HtmlParser"
    assert type(parser_for("TEXT/X-PYTHON")).__name__ == "TextParser"
    with pytest.raises(DocumentError, match="no parser reads model/gltf"):
        parser_for("model/gltf")


def test_what_parsers_there_are_is_known_without_the_libraries_that_they_use() -> None:
    """Each process in which documents are parsed would pay for them, whatever it reads."""
    code = (
        "import sys; from llmops.tasks.plugins import parsers; parsers.parsers_by_type(); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    heavy = {"numpy", "xberg", "pypdfium2", "PIL", "rapidocr", "trafilatura", "asyncio", "ruamel"}
    assert not heavy & set(said.stdout.split())
