"""The media type of a document: by its first bytes; of a text by its own signs, and by the
extension only where those are silent. And what a person calls the types that we cannot read.
"""

import re
from pathlib import PurePosixPath

from llmops.tasks.errors import DocumentError, UnsupportedDocument

BINARY = "application/octet-stream"
EMPTY = "application/x-empty"
ENCRYPTED = "application/x-encrypted"
ZIP = "application/zip"
OLE = "application/x-ole-storage"
UNKNOWN_OLE = "application/x-ole-unknown"
IWORK = "application/x-iwork"
VISIO = "application/vnd.visio"
WORKS = "application/vnd.ms-works"
XPS = "application/oxps"
ONENOTE = "application/onenote"
OLD_WORD = "application/x-msword-2"
OLD_EXCEL = "application/x-msexcel-4"
DATABASE = "application/vnd.sqlite3"
MBOX = "application/mbox"

SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"(\xb5/\xfd", "application/zstd"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (0, b"BM", "image/bmp"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyp", "video/mp4"),
    (8, b"AVI ", "video/x-msvideo"),
    (8, b"WAVE", "audio/wav"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-executable"),
    (0, b"\xca\xfe\xba\xbe", "application/x-executable"),
    (0, b"\x00asm", "application/wasm"),
    (0, b"SQLite format 3\x00", DATABASE),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"\x00\x01\x00\x00\x00", "font/ttf"),
    (0, b"OTTO", "font/otf"),
    (0, b"%!PS", "application/postscript"),
    (0, b"\xffWPC", "application/vnd.wordperfect"),
    (0, b"!BDN", "application/vnd.ms-outlook-pst"),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", ONENOTE),
    (0, b"\xa1\x2f\xff\x43\xd9\xef\x76\x4c", ONENOTE),
    (0, b"ITSF\x03\x00", "application/vnd.ms-htmlhelp"),
    (0, b"\xdb\xa5", OLD_WORD),
    (0, b"\x9b\xa5", OLD_WORD),
    (0, b"\x31\xbe\x00\x00", OLD_WORD),
    (0, b"\x32\xbe\x00\x00", OLD_WORD),
    (0, b"\x09\x00\x04\x00", OLD_EXCEL),
    (0, b"\x09\x02\x06\x00", OLD_EXCEL),
    (0, b"\x09\x04\x06\x00", OLD_EXCEL),
    (0, b"HWP Document File V3", "application/x-hwp-3"),
    (0, b"\x78\x9f\x3e\x22", "application/vnd.ms-tnef"),
    (4, b"Standard Jet DB", DATABASE),
    (4, b"Standard ACE DB", DATABASE),
    (0, b"AC10", "image/vnd.dwg"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"\xd7\xcd\xc6\x9a", "image/wmf"),
    (40, b" EMF", "image/emf"),
)
TEXTUAL = frozenset(b"BM BZh ID3 PAR1 OTTO OggS fLaC wOFF wOF2 AC10 8BPS".split())
"""Signatures that a text may begin with as well: they count only where a control character follows
soon.
"""

CALLED = {
    EMPTY: "the file is empty (0 bytes); take it from its origin again, or exclude it from the "
    "source",
    BINARY: "the content is binary data of no known format, whatever the file is called; exclude "
    "it from the source",
    ENCRYPTED: "the file is protected by a password; save a copy without one",
    "image/": "it is a picture of a kind that is not read; save it as PNG or JPEG if there is text "
    "in it, else exclude it",
    "audio/": "it is a sound file; transcribe it first",
    "video/": "it is a film; transcribe it first",
    "font/": "it is a font, which has no text; exclude it from the source",
    "application/x-executable": "it is a program, which has no text; exclude it from the source",
    "application/postscript": "PostScript cannot be read; save it as PDF",
    DATABASE: "it is a database; use the source `sql` for it, or export its tables as CSV",
    "application/vnd.apache.parquet": "it is a Parquet table; export it as CSV or JSON lines",
    UNKNOWN_OLE: "it is a container of an old program, and none of the documents that are read "
    "(Word, Excel, PowerPoint, Outlook); save it as PDF in the program that made it, or exclude it",
    IWORK: "Apple iWork files cannot be read; export it as PDF or to an Office format",
    VISIO: "Visio drawings cannot be read; save it as PDF",
    XPS: "XPS documents cannot be read; print it to PDF",
    WORKS: "Microsoft Works files cannot be read; open it in LibreOffice and save it as .odt or "
    ".ods",
    ONENOTE: "OneNote files cannot be read; export the section as PDF or Word from OneNote",
    OLD_WORD: "it is a document of Word before version 6, or of Windows Write, which cannot be "
    "read; open it in LibreOffice and save it as .docx",
    OLD_EXCEL: "it is a sheet of Excel before version 5, which cannot be read; open it in "
    "LibreOffice and save it as .xlsx",
    "application/x-mspublisher": "Publisher files cannot be read; save it as PDF",
    "application/vnd.ms-project": "Project plans cannot be read; save it as PDF, or as a table in "
    "CSV",
    "application/vnd.ms-htmlhelp": "it is compiled help (CHM); unpack it into pages, for example "
    "with 7-Zip, and let the source read those",
    "application/x-hwp-3": "it is a document of Hangul before version 5, which cannot be read; "
    "open it in Hangul and save it as .hwpx or PDF",
    "application/vnd.ms-tnef": "it is a winmail.dat (TNEF), attachments in a form that only "
    "Outlook writes; unpack it, for example with `tnef`, and let the source read the files in it",
}
ARCHIVES = frozenset(
    {
        ZIP,
        "application/gzip",
        "application/x-bzip2",
        "application/x-xz",
        "application/zstd",
        "application/x-7z-compressed",
        "application/vnd.rar",
        "application/x-tar",
    }
)
EXTENSIONS = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "mdown": "text/markdown",
    "mkd": "text/markdown",
    "mdx": "text/markdown",
    "qmd": "text/markdown",
    "rmd": "text/markdown",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "tab": "text/tab-separated-values",
    "htm": "text/html",
    "html": "text/html",
    "xhtml": "text/html",
    "tex": "application/x-latex",
    "latex": "application/x-latex",
    "rst": "text/x-rst",
    "org": "text/x-org",
    "adoc": "text/asciidoc",
    "asciidoc": "text/asciidoc",
    "eml": "message/rfc822",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "xml": "application/xml",
    "nxml": "application/xml",
    "json": "application/json",
    "ipynb": "application/json",
}
NOTHING_BEFORE = b" \t\r\n\f\x00\xef\xbb\xbf\xfe\xff"
"""Blanks and byte order marks."""
PDF_BEGINS = re.compile(
    rb"%PDF-\d\.\d\s*(?:%[\x80-\xff]{2,}|(?:%[^\r\n]*)?[\r\n]+\s*\d+ \d+ obj\b)"
)
HEAD = 4096
HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
TAGS = re.compile(
    r"<(?:/?(?:p|div|span|table|tr|td|ul|ol|li|h[1-6]|a|br|img|b|i|em|strong|pre|code)\b[^>]*|!--)>?",
    re.IGNORECASE,
)
XML = re.compile(r"\s*<(?:\?xml\s|!DOCTYPE\s(?!html))", re.IGNORECASE)
ROOT = re.compile(r"\ufeff?\s*(?:<!--(?:(?!-->).)*-->\s*)*<([A-Za-z_][\w.:-]*)[\s>/]", re.DOTALL)
"""The first element of a text that may be XML without a prolog."""
MAIL = re.compile(
    r"(?:From |(?:Return-Path|Received|Delivered-To|Message-ID|MIME-Version|From|To|Date|Subject|"
    r"X-[\w-]+|ARC-[\w-]+|DKIM-Signature|Authentication-Results|Reply-To|SpoolSender|Cc):)",
    re.IGNORECASE,
)
BOX = re.compile(
    r"From (?:[^\n]*\d\d:\d\d[^\n]*\n(?:>From )?|\S+@\S+[ \t]*\n)[\x21-\x39\x3b-\x7e]+:"
)
"""An mbox begins with the mark of its first mail, and a field of it."""
FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):", re.MULTILINE)
LINE_OF_FIELD = re.compile(r"\s*(?:From |[A-Za-z][\w-]*\s*:)")
SUBTITLES = re.compile(r"\s*\d+\s*\r?\n\d\d:\d\d:\d\d[,.]\d{3} --> ")
LATEX = re.compile(r"^\s*\\(?:documentclass|documentstyle|begin\{document\})", re.MULTILINE)
MARKED = ("text/markdown", "application/x-latex", "text/x-rst", "text/asciidoc", "text/x-org")


def signature(data: bytes) -> str:
    """The media type that the first bytes show, "" where they show none. A PDF may have some bytes
    before its mark.
    """
    head = data[:1024]
    if b"%PDF-" in head and _is_pdf(head):
        return "application/pdf"
    if head.startswith(b"MZ") and b"\x00" in head[:64]:
        return "application/x-executable"
    for offset, mark, media_type in SIGNATURES:
        if head.startswith(mark, offset) and (mark not in TEXTUAL or b"\x00" in head[:64]):
            return media_type
    return ""


def _is_pdf(head: bytes) -> bool:
    """Some programs and servers put a byte order mark, header fields or noise before the mark. A
    text that only mentions it is none: what follows a mark is a version, the end of the line, and a
    line of high bytes or an object.
    """
    at = head.index(b"%PDF-")
    before = head[:at]
    if not before.strip(NOTHING_BEFORE) or b"\x00" in before:
        return True
    return bool(PDF_BEGINS.match(head, at))


def unsupported(media_type: str) -> DocumentError:
    """Why a document of that type cannot be read, for a person who is no programmer."""
    if media_type in ARCHIVES:
        return UnsupportedDocument(
            f"it is an archive ({media_type}); unpack it, and let the source read the files in it"
        )
    family = CALLED.get(media_type.split("/")[0] + "/")
    if family:
        return UnsupportedDocument(family)
    return DocumentError(
        CALLED.get(media_type)
        or f"no parser reads {media_type}; save the file as PDF or in an Office format, or add a "
        "parser plugin for it"
    )


def extension(uri: str) -> str:
    """The extension of a uri in small letters, without query and fragment."""
    return PurePosixPath(uri.split("?", 1)[0].split("#", 1)[0]).suffix.lower().removeprefix(".")


def text_type(text: str, uri: str) -> str:
    """The media type of a text. What is nothing special is text/plain."""
    head, hinted = text[:HEAD], EXTENSIONS.get(extension(uri), "")
    if head.startswith("WEBVTT"):
        return "text/vtt"
    if hinted not in MARKED and (
        HTML.match(head) or (hinted == "text/html" and TAGS.search(text[:65536]))
    ):
        return "text/html"
    if hinted not in MARKED and (XML.match(head) or _is_bare_xml(text, hinted)):
        return "application/xml"
    if BOX.match(head.replace("\r\n", "\n")) and hinted not in MARKED:
        return MBOX
    if _is_mail(head, hinted):
        return "message/rfc822"
    if SUBTITLES.match(head):
        return "application/x-subrip"
    if hinted != "text/markdown" and LATEX.search(head):
        return "application/x-latex"
    return _hinted(head, text, hinted)


def _is_bare_xml(text: str, hinted: str) -> bool:
    """Whether a text is XML that does not say so: one element from the first to the last letter.
    Where the name does not say it either, the element has a namespace.
    """
    root = ROOT.match(text[:HEAD])
    if not root or (len(text) <= HEAD and not text.rstrip().endswith((f"</{root[1]}>", "/>"))):
        return False
    opening = text[root.start(1) : root.start(1) + HEAD].split(">", 1)[0]
    return hinted == "application/xml" or "xmlns" in opening


def _hinted(head: str, text: str, hinted: str) -> str:
    """What the extension says, where the text does not contradict it."""
    if hinted == "application/json":
        notebook = '"nbformat"' in text and '"cells"' in text
        if notebook:
            return "application/x-ipynb+json"
        return "application/json" if head.lstrip()[:1] in ("{", "[") else "text/plain"
    if hinted in (
        "text/html",
        "application/xml",
        "message/rfc822",
        "text/vtt",
        "application/x-subrip",
    ):
        return "text/plain"
    return hinted or "text/plain"


def _is_mail(head: str, hinted: str) -> bool:
    """A mail begins with header fields up to a blank line, among them a sender and another usual
    one; where the name says that it is a mail, any field will do."""
    if hinted == "message/rfc822":
        return bool(LINE_OF_FIELD.match(head))
    if not MAIL.match(head):
        return False
    names = {name.lower() for name in FIELD.findall(re.split(r"\r?\n\r?\n", head, maxsplit=1)[0])}
    usual = names & {"message-id", "received", "mime-version", "date", "to", "subject"}
    return "from" in names and len(usual) >= 2 and hinted not in MARKED
