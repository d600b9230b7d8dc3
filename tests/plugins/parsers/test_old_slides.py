"""PowerPoint files before 2007: every text of a slide, and none that was deleted."""

import struct

import pytest

from llmops.tasks.plugins.parsers._containers import ole_stream
from llmops.tasks.plugins.parsers.office.old_slides import slide_texts

FREE, LAST, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def record(kind: int, content: bytes, instance: int = 0, *, holds: bool = False) -> bytes:
    return struct.pack("<HHI", instance << 4 | (0xF if holds else 0), kind, len(content)) + content


def text(said: str) -> bytes:
    return record(0x0FA0, said.encode("utf-16-le"))


def slide(*said: str) -> bytes:
    boxes = b"".join(record(0xF00D, text(each), holds=True) for each in said)
    return record(0x03EE, boxes, holds=True)


def show(*slides: tuple[str, bytes], deleted: bytes = b"") -> bytes:
    """A stream: the slides with their texts in the outline, listed by the last edit."""
    outline = b"".join(
        record(0x03F3, struct.pack("<5I", n, 0, 0, 256 + n, 0))
        + record(0x0FA8, said.encode("latin-1"))
        for n, (said, _) in enumerate(slides, 2)
    )
    master = record(0x0FF0, record(0x0FA8, b"Click to edit"), 1, holds=True)
    document = record(0x03E8, master + record(0x0FF0, outline, 0, holds=True), holds=True)
    stream, places = deleted, list[int]()
    for part in [document, *(drawn for _, drawn in slides)]:
        places.append(len(stream))
        stream += part
    listed = len(stream)
    stream += record(0x1772, struct.pack(f"<{len(places) + 1}I", 1 | len(places) << 20, *places))
    return stream + record(0x0FF5, struct.pack("<7I", 0, 0, 0, listed, 1, 0, 0))


def container(stream: bytes, *, backwards: bool = False) -> bytes:
    """An OLE container of that stream alone, its sectors in order or backwards."""
    content = stream.ljust(4096, b"\x00")
    count = -(-len(content) // 512)
    content = content.ljust(count * 512, b"\x00")
    order = list(range(2, 2 + count))[:: -1 if backwards else 1]
    table = [TABLE, LAST, *[FREE] * count]
    for here, after in zip(order, [*order[1:], LAST], strict=True):
        table[here] = after
    sectors = dict(
        zip(order, (content[n * 512 : n * 512 + 512] for n in range(count)), strict=True)
    )

    def entry(name: str, kind: int, first: int, size: int, child: int) -> bytes:
        said = name.encode("utf-16-le")
        return said.ljust(64, b"\x00") + struct.pack(
            "<HBBIII36xIQ", len(said) + 2, kind, 1, FREE, FREE, child, first, size
        )

    directory = entry("Root Entry", 5, LAST, 0, 1)
    directory += entry("PowerPoint Document", 2, order[0], len(content), FREE)
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        *(62, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, LAST, 0, LAST, 0),
    )
    header += struct.pack("<109I", 0, *[FREE] * 108)
    fat = struct.pack("<128I", *table, *[FREE] * (128 - len(table)))
    return (
        header + fat + directory.ljust(512, b"\x00") + b"".join(sectors[n] for n in sorted(sectors))
    )


@pytest.mark.parametrize("backwards", [False, True])
def test_the_sectors_of_a_stream_are_read_in_their_order(backwards: bool) -> None:
    stream = bytes(range(256)) * 20
    assert ole_stream(container(stream, backwards=backwards), "PowerPoint Document") == stream
    assert ole_stream(container(stream), "Pictures") == b""


def test_texts_of_the_outline_and_of_boxes_belong_to_their_slides() -> None:
    data = show(("Title", slide("In a box", "First\rSecond")), ("Next", slide()))
    assert slide_texts(container(data)) == [["Title", "In a box", "First", "Second"], ["Next"]]


def test_what_was_deleted_is_none() -> None:
    data = show(("Title", slide("Seen")), deleted=slide("Deleted"))
    assert slide_texts(container(data)) == [["Title", "Seen"]]


@pytest.mark.parametrize("stream", [b"", b"\x00" * 5000, b"\xff" * 5000, show()[:-30]])
def test_what_cannot_be_told_is_nothing(stream: bytes) -> None:
    assert slide_texts(container(stream)) == []
