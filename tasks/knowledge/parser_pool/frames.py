"""What parent and worker say to each other: frames of a JSON object and bytes, each with its length
before it.
"""

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

from llmops.tasks.plugins.parsers import Parsed

LENGTHS = struct.Struct("!QQ")
WORKING = {"working": True}
"""The head of a frame that says: one page is done, the answer comes later."""


def packed(head: Mapping[str, Any], body: bytes = b"") -> list[bytes]:
    """A frame as pieces to write one after another."""
    text = json.dumps(head, default=str).encode()
    return [LENGTHS.pack(len(text), len(body)) + text, body]


def received(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """The next frame; None at the end of the stream."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head, body = LENGTHS.unpack(lengths)
    return json.loads(stream.read(head)), stream.read(body)


class Incoming:
    """A frame that arrives in pieces."""

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, piece: bytes) -> tuple[dict[str, Any], bytes] | None:
        """Take a piece; return the next frame once it is whole."""
        self._data += piece
        if len(self._data) < LENGTHS.size:
            return None
        head, body = LENGTHS.unpack_from(self._data)
        start = LENGTHS.size + head
        if len(self._data) < start + body:
            return None
        frame = (
            json.loads(self._data[LENGTHS.size : start]),
            bytes(self._data[start : start + body]),
        )
        del self._data[: start + body]
        return frame


def answer(parsed: Parsed) -> list[bytes]:
    """A parsed document as a frame: the text is the bytes."""
    return packed(parsed.model_dump(exclude={"text"}), parsed.text.encode("utf-8", "surrogatepass"))


def document(head: Mapping[str, Any], body: bytes) -> Parsed:
    """The document in such a frame."""
    return Parsed(text=body.decode("utf-8", "surrogatepass"), **head)
