"""Lines of a page, joined to paragraphs."""

import re

BREAK = re.compile(r"[\x02\ufffe\u00ad]+[ \t]*(?:\r?\n)?")
ITEM = re.compile(r"(?:[•▪◦‣●■□–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)]|[○◆◇※]|\d+(?:\.\d+)+\.?)\s")
LEADERS = re.compile(r"(?:\s?\.){5,}\s*|…{2,}\s*")
FINAL = (".", "!", "?", ":", "。", "！", "？", "：", "؟", ".”", '."', ".)")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef\u3001-\u303f]")


def paragraphs(page: str) -> list[str]:
    """The paragraphs of a page's text, in its order. Hyphenation is undone.

    A line ends one where it is short for its page and ends a sentence, where the next line begins
    an item, or where it looks like a line of a table of contents.
    """
    lines = [
        " ".join(LEADERS.sub(" … ", line).split()) for line in BREAK.sub("", page).splitlines()
    ]
    lengths = sorted(len(line) for line in lines if line)
    width = lengths[len(lengths) * 9 // 10] if lengths else 0  # of a full line: few are longer
    texts: list[str] = []
    last = ""
    for line in lines:
        if not line or not last or _ends(last, line, width):
            texts += [line] if line else []
        else:
            texts[-1] = joined(texts[-1], line)
        last = line
    return texts


def _ends(line: str, after: str, width: int) -> bool:
    """Whether a paragraph ends between two lines."""
    if ITEM.match(after) or " … " in line:
        return True
    short = len(line) < 0.6 * width
    if line.endswith(FINAL):
        return len(line) < 0.85 * width
    return short and not after[:1].islower() and not line.endswith((",", "-"))


def joined(first: str, second: str) -> str:
    """Two lines of one paragraph: no blank after a hyphen, nor between characters of scripts that
    know none.
    """
    if first.endswith("-") and len(first) > 1 and first[-2].isalpha() and second[:1].isalpha():
        return first + second
    return (
        first + second if WIDE.match(first[-1:]) and WIDE.match(second[:1]) else f"{first} {second}"
    )
