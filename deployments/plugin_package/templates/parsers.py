"""What a PNG image says of itself, as text."""

import struct
from typing import ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser


class ExampleParser(Parser):
    """The size of a PNG image: a first step to one that reads what is in it. A parser runs in a
    process of its own, with limits of time and memory.
    """

    media_types: ClassVar[tuple[str, ...]] = ("image/png",)

    def parse(self, data: bytes, media_type: str) -> Parsed:
        if len(data) < 24:
            raise DocumentError("the image breaks off in its first 24 bytes")
        width, height = struct.unpack(">II", data[16:24])
        text = f"An image of {width} × {height} pixels."
        return Parsed(text=text, media_type=media_type, metadata={"width": width, "height": height})
