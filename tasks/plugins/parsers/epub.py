"""Electronic books."""

import re
from typing import ClassVar

from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers import _kreuzberg as kreuzberg
from llmops.tasks.plugins.parsers._containers import refuse_bomb
from llmops.tasks.plugins.parsers._metadata import sensible
from llmops.tasks.plugins.parsers.markdown import only_heading

LINK = re.compile(r"\[([^\]\n]*)\]\([^)\n]*\)")


class EpubParser(Parser):
    """Markdown of all chapters in reading order."""

    media_types: ClassVar[tuple[str, ...]] = ("application/epub+zip",)

    def parse(self, data: bytes, media_type: str) -> Parsed:
        refuse_bomb(data)
        found = kreuzberg.markdown(data, media_type)
        title = sensible(found.metadata.get("title")) or only_heading(found.text)
        return Parsed(
            text=LINK.sub(r"\1", found.text), markup="markdown", title=title, media_type=media_type
        )
