"""Characters as they were meant: broken encodings mended, one form per character, nothing
invisible.
"""

import re
import unicodedata
from typing import Final

from llmops.tasks.plugins.cleaners import Cleaner

FORM: Final = "NFC"
ROUNDS = 8
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b\n]{0,256}(?:\x07|\x1b\\))")
CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
ODD_ASCII = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
SURROGATES = re.compile("[\ud800-\udfff]")
INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")
BREAKS = re.compile("[\x0b\x85\u2028]|(\u2029)")
JOINER_RUN = re.compile("([\u200c\u200d])[\u200c\u200d]+")
LOOSE_JOINER = re.compile("(?<![\u0300-\U0010ffff])[\u200c\u200d]|\u200c(?![\u0300-\U0010ffff])")
CANDIDATE = re.compile("[\u0080-\u25ff]{2}|[\u00c2\u00c3] ")
"""Where mojibake can be: two characters beyond ASCII side by side, or one that had a no-break space
after it.
"""
SYMBOLS = re.compile("[\ufb00-\ufb06\uf0b7\uf0a7\uf0d8\uf0fc\uf0e0]")
SHOWN = ("ff", "fi", "fl", "ffi", "ffl", "ſt", "st")
LIGATURES = dict(zip("\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06", SHOWN, strict=True))
MEANT = LIGATURES | {"\uf0b7": "•", "\uf0a7": "•", "\uf0d8": "•", "\uf0fc": "✓", "\uf0e0": "→"}


class UnicodeCleaner(Cleaner):
    """In this order: terminal colours and lone surrogates go; text decoded with the wrong encoding
    (`schÃ¶n`) is mended, line by line and only where it is certain; ligatures and the bullets of
    symbol fonts become what they show; rare blanks become blanks; control and invisible characters
    go; the rest is composed (NFC).

    What carries meaning stays: form feeds, the joiners of Persian and Indic scripts and of emoji,
    full-width forms.
    """

    def clean(self, text: str) -> str:
        for _ in range(ROUNDS):
            cleaned = _once(text)
            if cleaned == text:
                break
            text = cleaned
        return text


def _once(text: str) -> str:
    """One round. What it takes away may lay bare what the next one takes away."""
    if "\x1b" in text:
        text = ESCAPES.sub("", text)
    if text.isascii():
        return CONTROLS.sub("", BREAKS.sub(_break, text)) if ODD_ASCII.search(text) else text
    text = _beyond_ascii(text)
    return text if unicodedata.is_normalized(FORM, text) else unicodedata.normalize(FORM, text)


def _break(match: re.Match[str]) -> str:
    return "\n\n" if match[1] else "\n"


def _beyond_ascii(text: str) -> str:
    if SURROGATES.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = SYMBOLS.sub(lambda match: MEANT[match[0]], mended(text))
    text = BREAKS.sub(_break, SPACES.sub(" ", text))
    return LOOSE_JOINER.sub("", JOINER_RUN.sub(r"\1", INVISIBLE.sub("", CONTROLS.sub("", text))))


def mended(text: str) -> str:
    """The text with its mojibake undone, by ftfy, on the lines that show any."""
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    done, pieces = 0, list[str]()
    while match := CANDIDATE.search(text, done):
        start = text.rfind("\n", 0, match.start()) + 1
        end = text.find("\n", match.end())
        end = len(text) if end < 0 else end
        line = text[start:end]
        pieces += [text[done:start], fix_encoding(line) if is_bad(line) else line]
        done = end
    return "".join([*pieces, text[done:]])
