"""Sentences of an answer or a passage, in any script."""

import re

BREAK = re.compile(
    r"(?<![.!?…؟۔])[.!?…؟۔]+[\"'”’»)\]*_]*[^\S\n]+|[।॥။]\s*|[。！？]+[」』”’）]*|\n\s*"
)  # no run is looked at twice
ENGLISH = (
    r"mr|mrs|ms|dr|prof|rev|gen|sen|st|jr|sr|vs|cf|al|e\.g|i\.e|eg|ie|ca|approx|figs?|eqs?|sec|ch|vol|"
    r"nos?|pp|eds?|dept|est|inc|ltd|co|corp"
)
OTHERS = r"bzw|usw|z\.b|d\.h|u\.a|evtl|ggf|nr|abs|art|bd|hrsg|m|mm|mme|av|p\.ex|sra?|u\.s|[ap]\.m"


def abbreviation(*words: str) -> re.Pattern[str]:
    """Finds a full stop at the end of a text where no sentence ends: after one of these
    abbreviations (patterns), or after the number of a list's item.
    """
    return re.compile(
        rf"(?:^|[\s(\[\"'])(?:{'|'.join(words)})\.$|(?:^|\n)\s*\d{{1,3}}\.$", re.IGNORECASE
    )


ABBREVIATION = abbreviation(r"\w", ENGLISH, OTHERS)
ITEM = re.compile(r"(?:[-*+•‣·–|#>]+|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s")
MARKUP = re.compile(r"^\s*(?:[-*+•‣·–|#>]+\s+|\(?\d{1,3}[.)]\s+)+|[*_`~]{2,}|`")


def sentences(text: str) -> list[str]:
    """The sentences in order, without white space around them. A line that goes on in the next one
    is no sentence; an item of a list is.
    """
    pieces, start = list[str](), 0
    for match in BREAK.finditer(text):
        if _ends(text, match, start):
            pieces.append(text[start : match.end()].strip())
            start = match.end()
    return [piece for piece in (*pieces, text[start:].strip()) if piece]


def bare(sentence: str) -> str:
    """The sentence without the bullet, the number and the emphasis that Markdown gives it."""
    return MARKUP.sub("", sentence)


def _ends(text: str, match: re.Match[str], start: int) -> bool:
    after = text[match.end() : match.end() + 1]
    if "\n" in match[0]:
        blank, item = match[0].count("\n") > 1, ITEM.match(text, match.end()) is not None
        line = text[max(start, text.rfind("\n", start, match.start()) + 1) : match.start()]
        return blank or item or (not after.islower() and _closed(line))
    if match[0][0] in "。！？।॥။":
        return True
    return not after.islower() and not ABBREVIATION.search(
        text[max(start, match.start() - 12) : match.start() + 1]
    )


def _closed(line: str) -> bool:
    """Whether a line has the look of one that ends here: a stop, a colon, or a heading's
    brevity.
    """
    line = line.rstrip()
    return (
        line.endswith((".", "!", "?", "…", ":", "。", "！", "？", "؟", "۔", "।")) or len(line) < 60
    )
