"""Subtitles: what is said, without times."""

import html
import re
from typing import ClassVar

from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.texts.charset import decode, unified

SUBRIP = "application/x-subrip"
TIME = r"[ \t]*(?:\d+:)?\d\d?:\d\d[.,]\d{1,3}[ \t]*-->"
TIMES = re.compile(TIME)
CUE = re.compile(rf"^(?:[ \t]*\d+[ \t]*\n\s*)?(?={TIME})", re.MULTILINE)
"""Where a cue of an .srt begins: at its times, or at the number above them."""
BLANK = re.compile(r"\n[ \t]*\n")
SPEAKER = re.compile(r"<v(?:\.[\w.]+)?\s+([^>]+)>")
TAG = re.compile(r"</?[a-z0-9:.][^>]*>|\{\\[^}]*\}", re.IGNORECASE)
ASIDE = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s|$)")


class CaptionsParser(Parser):
    """One line per cue, with its speaker where the file names one; a line that repeats the one
    before is dropped.
    """

    media_types: ClassVar[tuple[str, ...]] = ("text/vtt", SUBRIP)
    isolated: ClassVar[bool] = False
    revision: ClassVar[int] = 2

    def parse(self, data: bytes, media_type: str) -> Parsed:
        said: list[str] = []
        # a blank line ends a cue of WebVTT, but is a part of one in an .srt
        border = CUE if media_type == SUBRIP else BLANK
        for block in border.split(unified(decode(data)[0])):
            cue = _cue(block.strip("\n"))
            if cue and cue != (said[-1] if said else ""):
                said.append(cue)
        return Parsed(text="\n".join(said), media_type=media_type)


def _cue(block: str) -> str:
    """What a block says; "" for comments, styles and the head of the file."""
    lines = block.split("\n")
    start = next((number for number, line in enumerate(lines) if TIMES.match(line)), None)
    if start is None or (start == 0 and ASIDE.match(block)):
        return ""
    text = SPEAKER.sub(lambda match: f"{match[1].strip()}: ", " ".join(lines[start + 1 :]))
    return " ".join(html.unescape(TAG.sub("", text)).split())
