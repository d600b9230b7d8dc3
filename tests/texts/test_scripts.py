"""The ranges of scripts against Unicode's own, by the library that knows its properties."""

import re
import sys
import unicodedata

import pytest
import regex  # type: ignore[import-untyped]

from llmops.tasks.texts.scripts import HANGUL, UNSPACED

NAMES = ("Han", "Hiragana", "Katakana", "Bopomofo", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan")
LONG_VOWEL = "\u30fc\uff70"


@pytest.mark.parametrize(
    ("ours", "names", "more"), [(UNSPACED, NAMES, LONG_VOWEL), (HANGUL, ["Hangul"], "")]
)
def test_a_range_holds_a_script_and_nothing_else(ours: str, names: list[str], more: str) -> None:
    properties = "".join(f"\\p{{{name}}}" for name in names)
    theirs = regex.compile(f"[{properties}{more}]")
    found, known = re.compile(f"[{ours}]"), "".join(map(chr, range(sys.maxunicode + 1)))
    assigned = "".join(each for each in known if unicodedata.category(each)[0] != "C")
    assert found.findall(assigned) == theirs.findall(assigned)
