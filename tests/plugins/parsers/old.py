"""Files of old programs, made by hand: OLE containers with content (MS-CFB), Word 97 (MS-DOC)."""

import struct
from collections.abc import Mapping

SECTOR, LEAST = 512, 4096
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
ENCRYPTED, FLAGS = 0x0100, 0x1200
TEXT_AT = 2048


def cfb(streams: Mapping[str, bytes]) -> bytes:
    """An OLE container; each stream is filled up to 4,096 bytes, so that it lies in sectors of its
    own.
    """
    streams = dict(sorted(streams.items(), key=lambda each: (len(each[0]), each[0].upper())))
    directory = -(-(len(streams) + 1) * 128 // SECTOR)
    table, body, starts = [FAT], b"", list[int]()
    table += [*range(2, directory + 1), END]
    for content in streams.values():
        padded = content.ljust(LEAST, b"\x00")
        padded = padded.ljust(-(-len(padded) // SECTOR) * SECTOR, b"\x00")
        starts.append(len(table))
        table += [*range(len(table) + 1, len(table) + len(padded) // SECTOR), END]
        body += padded
    sizes = [max(len(content), LEAST) for content in streams.values()]
    entries = [_entry("Root Entry", 5, child=1 if streams else FREE, start=END)] + [
        _entry(name, 2, right=n + 1 if n < len(streams) else FREE, start=start, size=size)
        for n, (name, start, size) in enumerate(zip(streams, starts, sizes, strict=True), 1)
    ]
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        *(62, 3, 0xFFFE, 9, 6),
        *(0, 1, 1, 0, LEAST, END, 0, END, 0),
    ) + struct.pack("<109I", 0, *([FREE] * 108))
    fat = struct.pack("<128I", *table, *([FREE] * (128 - len(table))))
    return header + fat + b"".join(entries).ljust(directory * SECTOR, b"\x00") + body


def _entry(
    name: str, kind: int, *, right: int = FREE, child: int = FREE, start: int, size: int = 0
) -> bytes:
    text = name.encode("utf-16-le")
    return text.ljust(64, b"\x00") + struct.pack(
        "<HBBIII36xIQ", len(text) + 2, kind, 1, FREE, right, child, start, size
    )


def doc(text: str, flags: int = 0) -> bytes:
    """A Word 97 document of one piece of text. Fields stand between U+0013, U+0014 and U+0015."""
    head = bytearray(TEXT_AT)
    struct.pack_into("<HHHHHH", head, 0, 0xA5EC, 0xC1, 0, 0x0409, 0, FLAGS | flags)
    struct.pack_into("<II", head, 24, TEXT_AT, TEXT_AT + 2 * len(text))
    struct.pack_into("<H", head, 32, 14)
    struct.pack_into("<H", head, 62, 22)
    struct.pack_into("<I", head, 76, len(text))
    struct.pack_into("<H", head, 152, 93)
    pieces = struct.pack("<II", 0, len(text)) + struct.pack("<HIH", 0, TEXT_AT, 0)
    clx = b"\x02" + struct.pack("<I", len(pieces)) + pieces
    struct.pack_into("<II", head, 154 + 33 * 8, 0, len(clx))
    return cfb({"WordDocument": bytes(head) + text.encode("utf-16-le"), "1Table": clx})


def locked_xls() -> bytes:
    """A workbook that begins, after its own beginning, with the record of a password."""
    beginning = struct.pack("<HH16s", 0x0809, 16, b"\x00\x06\x05\x00")
    return cfb({"Workbook": beginning + struct.pack("<HH4s", 0x002F, 4, b"\x01\x00\x01\x00")})
