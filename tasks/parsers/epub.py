"""Electronic books."""

import re
from typing import ClassVar

from tasks.parsers import Parsed, Parser
from tasks.parsers import _kreuzberg as kreuzberg
from tasks.parsers._containers import refuse_bomb
from tasks.parsers._titles import sensible
from tasks.parsers.markdown import only_heading

LINK = re.compile(r"\[([^\]\n]*)\]\([^)\n]*\)")


class Epub(Parser):
    """Markdown of all chapters in reading order."""

    media_types: ClassVar[tuple[str, ...]] = ("application/epub+zip",)

    def parse(self, data: bytes, media_type: str) -> Parsed:
        refuse_bomb(data)
        found = kreuzberg.markdown(data, media_type)
        title = sensible(found.metadata.get("title")) or only_heading(found.text)
        return Parsed(text=LINK.sub(r"\1", found.text), markup="markdown", title=title, media_type=media_type)
