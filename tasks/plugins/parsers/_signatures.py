"""What the first bytes of a file give away, and how a person calls what we cannot read."""

from llmops.tasks.errors import DocumentError, UnsupportedDocument

BINARY = "application/octet-stream"
EMPTY = "application/x-empty"
ENCRYPTED = "application/x-encrypted"
ZIP = "application/zip"
OLE = "application/x-ole-storage"

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
    (0, b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"\x00\x01\x00\x00\x00", "font/ttf"),
    (0, b"OTTO", "font/otf"),
    (0, b"%!PS", "application/postscript"),
)
TEXTUAL = frozenset({b"BM", b"BZh", b"ID3", b"PAR1", b"OTTO", b"OggS", b"fLaC", b"wOFF", b"wOF2"})
"""Signatures that a text may begin with as well: they count only where a control character follows
soon.
"""

CALLED = {
    EMPTY: "the file is empty (0 bytes)",
    BINARY: "the content is binary data of no known format, whatever the file is called; exclude "
    "it from the source",
    ENCRYPTED: "the file is protected by a password; save a copy without one",
    "image/": "it is a picture; recognising text in pictures (OCR) is not part of this, run an OCR "
    "tool on it first",
    "audio/": "it is a sound file; transcribe it first",
    "video/": "it is a film; transcribe it first",
    "font/": "it is a font, which has no text; exclude it from the source",
    "application/x-executable": "it is a program, which has no text; exclude it from the source",
    "application/postscript": "PostScript cannot be read; save it as PDF",
    "application/vnd.sqlite3": "it is a database; use the source `sql` for it",
    "application/vnd.apache.parquet": "it is a Parquet table; export it as CSV or JSON lines",
    "application/x-iwork": "Apple iWork files cannot be read; export it as PDF or to an Office format",  # noqa: E501
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
    """A text that only mentions the mark is none: it must stand at the start, after blanks or
    binary noise.
    """
    at = head.index(b"%PDF-")
    return not head[:at].strip() or b"\x00" in head[:at]


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
        or f"no parser reads {media_type}; convert the file, or add a parser plugin for it"
    )
