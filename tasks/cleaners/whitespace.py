"""White space that says nothing: trailing blanks, runs of blanks in prose, runs of blank lines."""

import re

from tasks.cleaners import Cleaner

LINE_ENDS = re.compile(r"\r\n?")
TRAILING = re.compile(r"(?<=[^ \t\n])[ \t]+(?=[\n\f]|\Z)|^[ \t]+(?=[\n\f]|\Z)", re.MULTILINE)
BLANK_LINES = re.compile(r"\n{3,}")
FENCED = re.compile(r"^ {0,3}(?P<mark>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*(?:\n.*?(?:^ {0,3}(?P=mark)[`~]*$|\Z)|\Z)",
                    re.MULTILINE | re.DOTALL)
SPACED = re.compile(r"^(?! {4}|\t| {0,3}\|)[^\n]*?\S(?:[ \t]{2,}|\t)\S[^\n]*$", re.MULTILINE)
RUN = re.compile(r"(?<=\S)[ \t]+(?=\S)")


class Whitespace(Cleaner):
    """One `\\n` per line end, no blanks at line ends, at most one blank line, single blanks within prose, no blank
    lines around the text. Indentation stays, and so do fenced or indented code, tables and form feeds."""

    def clean(self, text: str) -> str:
        if "\r" in text:
            text = LINE_ENDS.sub("\n", text)
        text = TRAILING.sub("", text)
        done, pieces = 0, list[str]()
        for fence in FENCED.finditer(text) if "```" in text or "~~~" in text else ():
            pieces += [_prose(text[done:fence.start()]), fence[0]]
            done = fence.end()
        return "".join([*pieces, _prose(text[done:])]).strip("\n")


def _prose(text: str) -> str:
    """A part of the text that is not in a fence."""
    return SPACED.sub(_single, BLANK_LINES.sub("\n\n", text))


def _single(line: re.Match[str]) -> str:
    """A line with single blanks, its indentation untouched."""
    return RUN.sub(" ", line[0])
