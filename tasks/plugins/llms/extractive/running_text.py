"""What of a passage is running text: an answer quotes sentences, and no markup."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from llmops.tasks.texts.sentences import bare, sentences

CODE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n.*?^[ \t]*\1[`~]*[ \t]*$", re.M | re.S)
CUT_CODE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*\w[^\n]*\n.*\Z", re.M | re.S)
"""Code that ends in the next passage: its fence names a language."""
HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+(.*?)[ \t#]*")
ITEM = re.compile(r"[ \t]*(?:>[ \t]*)*(?:[-*+•‣·–>]|\(?\d{1,3}[.)])[ \t]+(?=\S)")
UNDERLINE = re.compile(r"[ \t]*([-=~*^\"'+#])\1{2,}[ \t]*")
WORD = re.compile(r"[^\W_]")


class TextPiece(NamedTuple):
    """`heading`: it stands above others; `stump`: the end of a sentence whose beginning is in the
    passage before. Neither is said, unless a passage has nothing else.
    """

    text: str
    heading: bool = False
    stump: bool = False

    @property
    def said(self) -> bool:
        return not (self.heading or self.stump)


def pieces(text: str) -> list[TextPiece]:
    """Sentences and headings of a passage in order, without the marks of Markdown and
    reStructuredText around them. An item of a list ends a sentence, and so does a row of a table;
    rules of tables and code between fences are left out.
    """
    found = list(_pieces(text))
    if len(found) > 1 and not found[0].heading and found[0].text[:1].islower():
        found[0] = found[0]._replace(stump=True)
    if any(piece.said for piece in found):
        return found
    # the passage has headings, a stump or code alone
    rest = [piece.text for piece in found] or [bare(each).strip() for each in sentences(text)]
    return [TextPiece(each) for each in rest if WORD.search(each)]


def _pieces(text: str) -> Iterator[TextPiece]:
    lines, in_item = list[str](), False
    for line in (*CUT_CODE.sub("", CODE.sub("\n", text)).splitlines(), ""):
        if len(lines) == 1 and UNDERLINE.fullmatch(line):
            yield TextPiece(bare(lines.pop()).strip(), heading=True)
        elif heading := HEADING.fullmatch(line):
            yield from _sentences(lines)
            lines, in_item = [], False
            if WORD.search(heading[1]):
                yield TextPiece(heading[1], heading=True)
        elif not WORD.search(line):  # a blank line, or a rule
            yield from _sentences(lines)
            lines, in_item = [], False
        elif (item := ITEM.match(line)) or line.lstrip().startswith("|"):
            yield from _sentences(lines)
            lines, in_item = [line[item.end() :] if item else line.strip(" \t|")], True
        elif in_item:  # its lines are no sentences of their own
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)


def _sentences(lines: list[str]) -> Iterator[TextPiece]:
    for each in sentences("\n".join(lines)):
        yield TextPiece(each)
