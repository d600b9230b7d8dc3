"""Plain text, and the formats that are read as they stand."""

from typing import ClassVar

from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.texts.charset import decode, unified


class TextParser(Parser):
    """Text in any encoding. Nothing is changed but line ends, so that code and logs keep their
    shape.
    """

    media_types: ClassVar[tuple[str, ...]] = ("text/plain", "application/json", "text/*")
    isolated: ClassVar[bool] = False

    def parse(self, data: bytes, media_type: str) -> Parsed:
        text, encoding = decode(data)
        metadata = {} if encoding == "utf-8" else {"encoding": encoding}
        return Parsed(text=unified(text), media_type=media_type, metadata=metadata)
