"""Org made ready for the reader: without comments, with the states of its tasks."""

import re
from typing import Final

HEAD: Final = re.compile(r"(\*+)[ \t]+(.*)")
COMMENTED: Final = re.compile(r"(?:(?:TODO|DONE)[ \t]+)?(?:\[#\w\][ \t]*)?COMMENT\b")
STATE: Final = re.compile(r"(\*+[ \t]+)(TODO|DONE|WAITING|NEXT|CANCELED|CANCELLED)(?=[ \t]+\S)")
COMMENT: Final = re.compile(r"[ \t]*#(?:[ \t]|\Z)")
BLOCK: Final = re.compile(r"[ \t]*#\+(begin|end)_(\w+)", re.IGNORECASE)


def ready(source: str) -> str:
    """The source for the reader. What stands in blocks, such as code, stays as it is."""
    made, block, hidden = list[str](), "", 0
    for line in source.split("\n"):
        mark = BLOCK.match(line)
        if mark and mark[1].lower() == "begin":
            block = block or mark[2].lower()
        head = HEAD.match(line) if not block else None
        if head and (not hidden or len(head[1]) <= hidden):
            hidden = len(head[1]) if COMMENTED.match(head[2]) else 0
        is_comment = not block and COMMENT.match(line)
        if not (hidden or is_comment or block == "comment"):
            made.append(STATE.sub(r"\1\2: ", line) if head else line)
        if mark and mark[1].lower() == "end" and mark[2].lower() == block:
            block = ""
    return "\n".join(made)
