"""Containers, read without unpacking them to disk: ZIP (Office, OpenDocument, EPUB) with its XML
parts, and OLE (old Office, Outlook).
"""

import io
import posixpath
import struct
import sys
import zipfile
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers._media_types import (
    ENCRYPTED,
    IWORK,
    UNKNOWN_OLE,
    VISIO,
    WORKS,
    XPS,
    ZIP,
)

if TYPE_CHECKING:
    from lxml import etree


MOST_MEMBERS = 20_000
MOST_INFLATED = 512 * 2**20
DEFLATE_RATIO = 1032
OFFICE = "application/vnd.openxmlformats-officedocument."
XLSB = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
PARTS = {
    "word/": f"{OFFICE}wordprocessingml.document",
    "ppt/": f"{OFFICE}presentationml.presentation",
    "xl/workbook.bin": XLSB,
    "xl/": f"{OFFICE}spreadsheetml.sheet",
    "visio/": VISIO,
    "META-INF/container.xml": "application/epub+zip",
    "FixedDocSeq.fdseq": XPS,
    "FixedDocumentSequence.fdseq": XPS,
    "Index.zip": IWORK,
    "index.apxl": IWORK,
    "QuickLook/": IWORK,
    "doc.kml": "application/vnd.google-earth.kmz",
    "META-INF/MANIFEST.MF": "application/x-executable",
}
"""What a ZIP container is, by the beginning of a name in it; the first that fits counts."""
STREAMS = {
    "EncryptedPackage": ENCRYPTED,
    "__properties_version1.0": "application/vnd.ms-outlook",
    "WordDocument": "application/msword",
    "PowerPoint Document": "application/vnd.ms-powerpoint",
    "Workbook": "application/vnd.ms-excel",
    "Book": "application/vnd.ms-excel",
    "\x05HwpSummaryInformation": "application/x-hwp",
    "VisioDocument": VISIO,
    "Quill": "application/x-mspublisher",
    "MatOST": WORKS,
    "SPELLING": WORKS,
    "CONTENTS": WORKS,
    "   114": "application/vnd.ms-project",
}
"""What an OLE container is, by a name in its root; the first that fits counts."""
DAMAGED = "the file is damaged or was cut off: {}; take it from its origin again"
SMALL = 4096
LAST_SECTOR = 0xFFFFFFFA
RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
DC_TITLE = "{http://purl.org/dc/elements/1.1/}title"


def members(data: bytes) -> zipfile.ZipFile:
    """The open archive, after the checks that keep a bomb from going off. Raises DocumentError."""
    end = data.rfind(b"PK\x05\x06")
    if end < 0 or len(data) < end + 12:
        raise DocumentError(DAMAGED.format("the table of contents at its end is missing"))
    if _count(data, end) > MOST_MEMBERS:
        raise DocumentError(
            f"the file holds more than {MOST_MEMBERS:,} parts, which no document needs; it may be "
            "an attack; save its content as several files if it is genuine"
        )
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (
        zipfile.BadZipFile,
        ValueError,
        NotImplementedError,
        struct.error,
        OverflowError,
    ) as error:
        raise DocumentError(DAMAGED.format(error)) from error
    declared = sum(info.file_size for info in archive.infolist())
    if declared > MOST_INFLATED:
        raise _bomb(declared)
    return archive


def _count(data: bytes, end: int) -> int:
    """How many parts the record at the end of a ZIP announces; ZIP64 has the number elsewhere."""
    (count,) = struct.unpack_from("<H", data, end + 10)
    if count == 0xFFFF and data[end - 20 : end - 16] == b"PK\x06\x07":
        (record,) = struct.unpack_from("<Q", data, end - 12)
        if data[record : record + 4] == b"PK\x06\x06" and record + 40 <= len(data):
            (count,) = struct.unpack_from("<Q", data, record + 32)
    return int(count)


def _bomb(size: int) -> DocumentError:
    return DocumentError(
        f"unpacked, the file would take {size / 2**20:,.0f} MB, allowed are "
        f"{MOST_INFLATED / 2**20:,.0f} MB; it may be an attack (zip bomb); split it if it "
        f"is genuine"
    )


def refuse_bomb(data: bytes) -> None:
    """Inflate what could exceed the limit and count, since the declared sizes may lie. Raises
    DocumentError.
    """
    if len(data) * DEFLATE_RATIO <= MOST_INFLATED:
        return
    total = 0
    with members(data) as archive:
        for info in archive.infolist():
            total += sum(_inflated(data, info, MOST_INFLATED - total))
            if total > MOST_INFLATED:
                raise _bomb(total)


def _inflated(data: bytes, info: zipfile.ZipInfo, most: int) -> Iterator[int]:
    """The sizes of a member's pieces, as they really are, until there are more than `most`
    bytes.
    """
    whole = len(data) >= info.header_offset + 30
    name, extra = struct.unpack_from("<HH", data, info.header_offset + 26) if whole else (0, 0)
    start = info.header_offset + 30 + name + extra
    if info.compress_type != zipfile.ZIP_DEFLATED:
        yield min(info.compress_size, len(data))
        return
    stream, rest, total = zlib.decompressobj(-15), data[start : start + info.compress_size], 0
    while rest and total <= most:
        try:
            piece = len(stream.decompress(rest, 1 << 20))
        except zlib.error:
            return  # the parser says what is wrong with it
        rest, total = stream.unconsumed_tail, total + piece
        yield piece


def zip_type(data: bytes) -> str:
    """The media type of a ZIP container. Raises DocumentError for a damaged or dangerous one."""
    with members(data) as archive:
        names = archive.namelist()
        if "mimetype" in names:
            return _declared(archive)
        if any(info.flag_bits & 1 for info in archive.infolist()):
            return ENCRYPTED
    names = [unix(name) for name in names]
    if any(name.endswith((".iwa", "/Index.zip")) for name in names):
        return IWORK
    fitting = (kind for part, kind in PARTS.items() if any(n.startswith(part) for n in names))
    return next(fitting, ZIP)


def unix(name: str) -> str:
    """The name of a part as the standard wants it: some programs write it as on Windows."""
    return name.replace("\\", "/")


def _declared(archive: zipfile.ZipFile) -> str:
    """The type that EPUB and OpenDocument files state themselves."""
    try:
        media_type = archive.read("mimetype")[:200].decode("ascii", "replace").strip()
        manifest = (
            archive.read("META-INF/manifest.xml")
            if "META-INF/manifest.xml" in archive.namelist()
            else b""
        )
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise DocumentError(DAMAGED.format(error)) from error
    protected = b"encryption-data" in manifest or "META-INF/rights.xml" in archive.namelist()
    return ENCRYPTED if protected else media_type.removesuffix("-template")


def ole_type(data: bytes) -> str:
    """The media type of an OLE container, by the names of its outermost streams. Raises
    DocumentError for a damaged one.
    """
    places = dict(streams(data))
    if any(_locked(data, name, place) for name, place in places.items()):
        return ENCRYPTED
    names = {name.lower() for name in places}  # the format tells no capitals apart
    for name, media_type in STREAMS.items():
        if name.lower() in names:
            return media_type
    return UNKNOWN_OLE


def _locked(data: bytes, name: str, place: int) -> bool:
    """Whether a stream says that its document is protected by a password: Word in the flags at its
    start (MS-DOC, section 2.5.2), Excel by a record among the first (MS-XLS, section 2.4.117).
    """
    start = data[place : place + 512]
    if name == "WordDocument" and len(start) >= 12:
        return bool(struct.unpack_from("<H", start, 10)[0] & 0x0100)
    at = 0
    while name in ("Workbook", "Book") and at + 4 <= len(start):
        kind, length = struct.unpack_from("<HH", start, at)
        if kind == 0x2F:
            return True
        at += 4 + length
    return False


def streams(data: bytes) -> Iterator[tuple[str, int]]:
    """The names in the root of an OLE container (MS-CFB, sections 2.2 to 2.6), each with where its
    content begins in the file (at its end: that of a small one lies scattered). Raises
    DocumentError if cut off.
    """
    try:
        table = _directory(data)
        pending, seen = [struct.unpack_from("<I", table, 76)[0]], set[int]()
        while pending:
            index = pending.pop()
            if index >= len(table) // 128 or index in seen:
                continue
            seen.add(index)
            length, left, right = struct.unpack_from("<H2xII", table, index * 128 + 64)
            pending += [left, right]
            first, size = struct.unpack_from("<II", table, index * 128 + 116)
            place = (first + 1) * _sector(data) if size >= SMALL else len(data)
            name = table[index * 128 : index * 128 + max(0, min(length, 64) - 2)]
            yield name.decode("utf-16-le", "replace"), place
    except struct.error as error:
        raise DocumentError(DAMAGED.format("its directory lies beyond its end")) from error


def ole_stream(data: bytes, name: str) -> bytes:
    """The content of a stream in the root of an OLE container; b"" for one that is missing, small
    (less than 4 kB: it lies scattered) or cut off.
    """
    size = _sector(data)
    try:
        place = next((place for each, place in streams(data) if each == name), len(data))
        sector, table, pieces = place // size - 1, _table(data), list[bytes]()
        while sector < len(table) and len(pieces) <= len(data) // size:
            pieces.append(data[(sector + 1) * size : (sector + 2) * size])
            sector = table[sector]
    except (DocumentError, struct.error):
        return b""
    return b"".join(pieces)


def _table(data: bytes) -> Sequence[int]:
    """Which sector follows each (MS-CFB, sections 2.3 and 2.5)."""
    size = _sector(data)
    places = [*struct.unpack_from("<109I", data, 76)]
    (more,) = struct.unpack_from("<I", data, 68)
    for _ in range(len(data) // size):
        if more >= LAST_SECTOR or (more + 2) * size > len(data):
            break
        *listed, more = struct.unpack_from(f"<{size // 4}I", data, (more + 1) * size)
        places += listed
    table = array("I")
    for place in places:
        part = data[(place + 1) * size : (place + 2) * size] if place < LAST_SECTOR else b""
        table.frombytes(part[: len(part) // 4 * 4])
    if sys.byteorder == "big":
        table.byteswap()
    return table


def padded(data: bytes) -> bytes | None:
    """An OLE container filled up to as many sectors as its table has entries, where those beyond
    its end hold nothing: some programs leave them out, some readers want them. None for all others.
    """
    size, (tables,) = _sector(data), struct.unpack_from("<I", data, 44)
    places = struct.unpack_from(f"<{min(tables, 109)}I", data, 76)
    sectors = len(data) // size - 1
    table = b"".join(data[(place + 1) * size : (place + 2) * size] for place in places)
    whole = (len(table) // 4 + 1) * size
    beyond = table[sectors * 4 :]
    free = bool(beyond) and tables <= 109 and not beyond.strip(b"\xfe\xff")
    return data.ljust(whole, b"\x00") if free else None


def _sector(data: bytes) -> int:
    """The size of a sector in bytes."""
    (shift,) = struct.unpack_from("<H", data, 30)
    return 1 << int(min(shift, 16))


def _directory(data: bytes) -> bytes:
    """The directory's sectors, one after another."""
    size = _sector(data)
    tables = struct.unpack_from("<109I", data, 76)
    sector, pieces = struct.unpack_from("<I", data, 48)[0], list[bytes]()
    while sector < LAST_SECTOR and len(pieces) < 4096:
        piece = data[(sector + 1) * size : (sector + 2) * size]
        if len(piece) < 128:
            raise struct.error("beyond the end")
        pieces.append(piece)
        which, entry = divmod(sector, size // 4)
        if which >= len(tables):
            break
        (sector,) = struct.unpack_from("<I", data, (tables[which] + 1) * size + entry * 4)
    return b"".join(pieces)


class Package:
    """An open container. Nothing outside of it is ever read."""

    def __init__(self, data: bytes) -> None:
        self._archive = members(data)
        self.names = frozenset(self._archive.namelist())

    def raw(self, name: str) -> bytes:
        """The bytes of a part. Raises DocumentError when it is missing or damaged."""
        try:
            return self._archive.read(name)
        except KeyError as error:
            raise DocumentError(DAMAGED.format(f"its part {name} is missing")) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise DocumentError(DAMAGED.format(f"its part {name} cannot be read")) from error

    def xml(self, name: str) -> "etree._Element":
        """The root element of a part. Raises DocumentError when it is missing or damaged."""
        from lxml import etree

        try:
            return etree.fromstring(self.raw(name), xml_parser())
        except etree.XMLSyntaxError as error:
            raise DocumentError(DAMAGED.format(f"its part {name} cannot be read")) from error

    def related(self, name: str) -> Mapping[str, tuple[str, str]]:
        """The parts that a part refers to: id -> (kind, name)."""
        folder, file = posixpath.split(name)
        relations = f"{folder}/_rels/{file}.rels"
        if relations not in self.names:
            return {}
        return {
            each.get("Id"): (
                each.get("Type", "").rsplit("/", 1)[-1],
                _target(folder, each.get("Target", "")),
            )
            for each in self.xml(relations).iter(RELATIONS)
            if each.get("TargetMode") != "External"
        }

    def title(self, name: str) -> str:
        """The title among the properties in a part, "" where there is none."""
        title = self.xml(name).find(f".//{DC_TITLE}") if name in self.names else None
        return (title.text or "") if title is not None else ""


def xml_parser(*, recover: bool = True) -> "etree.XMLParser":
    """A parser that expands only entities of the document itself, within limits, and fetches
    nothing.
    """
    from lxml import etree

    return etree.XMLParser(
        resolve_entities="internal",
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )


def _target(folder: str, target: str) -> str:
    return (
        target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"{folder}/{target}")
    )
