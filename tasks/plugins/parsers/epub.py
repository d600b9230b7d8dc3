"""Electronic books."""

import re
from typing import ClassVar

from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers import _xberg as xberg
from llmops.tasks.plugins.parsers._containers import refuse_bomb
from llmops.tasks.plugins.parsers._metadata import sensible
from llmops.tasks.plugins.parsers.markdown import only_heading

LINK = re.compile(r"\[([^\]\n]*)\]\([^)\n]*\)")


class EpubParser(Parser):
    """Markdown of all chapters in reading order."""

    media_types: ClassVar[tuple[str, ...]] = ("application/epub+zip",)
    revision: ClassVar[int] = 2

    def parse(self, data: bytes, media_type: str) -> Parsed:
        refuse_bomb(data)
        book = xberg.markdown(data, media_type)
        title = sensible(book.title) or only_heading(book.text)
        return Parsed(
            text=LINK.sub(r"\1", book.text), markup="markdown", title=title, media_type=media_type
        )
