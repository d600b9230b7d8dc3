"""White space that says nothing: trailing blanks, runs of blanks in prose, runs of blank lines."""

import re

from llmops.tasks.plugins.cleaners import Cleaner

LINE_ENDS = re.compile(r"\r\n?")
TRAILING = re.compile(r"(?<=[^ \t\n])[ \t]+(?=[\n\f]|\Z)|^[ \t]+(?=[\n\f]|\Z)", re.MULTILINE)
BLANK_LINES = re.compile(r"\n\n\n+")
FENCE = r" {0,3}(?P<mark>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*(?:\n.*?(?:^ {0,3}(?P=mark)[`~]*$|\Z)|\Z)"
KEPT = re.compile(rf"^(?:(?: {{4}}|\t| {{0,3}}\|)[^\n]*|{FENCE})", re.MULTILINE | re.DOTALL)
BLANKS = (" ", "\t")
BLANK_ENDS = (" \n", "\t\n", " \f", "\t\f")
RUNS = ("  ", "\t", "\n\n\n")
"""Without any of these a text has nothing that the patterns would change: looking for them takes a
thirtieth of the time.
"""
RUN = re.compile(r"[ \t](?<=\S.)(?:(?<=\t)[ \t]*|[ \t]+)(?=\S)")


class WhitespaceCleaner(Cleaner):
    """One `\\n` per line end, no blanks at line ends, at most one blank line, single blanks within
    prose, no blank lines around the text. Indentation stays, and so do fenced or indented code,
    tables and form feeds."""

    def clean(self, text: str) -> str:
        if "\r" in text:
            text = LINE_ENDS.sub("\n", text)
        if any(end in text for end in BLANK_ENDS) or text[-1:] in BLANKS:
            text = TRAILING.sub("", text)
        if any(run in text for run in RUNS):
            text = _outside_of_code(text)
        return text.strip("\n")


def _outside_of_code(text: str) -> str:
    """The text with single blanks and at most one blank line, but for what is neither."""
    done, pieces = 0, list[str]()
    for kept in KEPT.finditer(text):
        pieces += [_prose(text[done : kept.start()]), kept[0]]
        done = kept.end()
    return "".join([*pieces, _prose(text[done:])])


def _prose(text: str) -> str:
    """A part of the text that is neither code nor table."""
    return RUN.sub(" ", BLANK_LINES.sub("\n\n", text))
