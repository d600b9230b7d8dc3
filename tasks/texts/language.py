"""Which language a text is in: by script where that decides it, else by a small model of letter
sequences.
"""

import unicodedata
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SAMPLE = 4_000  # characters
# At this probability none of the 2,292 English questions of SciFact and FeedbackQA is taken for
# another language (3 %
# stay undecided), and none of 52 short questions in 13 other languages with Latin letters (11 stay
# undecided).
SURE = 0.6
# A text with this share of letters in such a script is in its language, whatever names it quotes in
# Latin letters.
OWN_SCRIPT = 0.2
SCRIPTS = {
    "HANGUL": "ko",
    "GREEK": "el",
    "HEBREW": "he",
    "THAI": "th",
    "LAO": "lo",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "ORIYA": "or",
    "SINHALA": "si",
    "KHMER": "km",
    "MYANMAR": "my",
    "ETHIOPIC": "am",
    "TIBETAN": "bo",
    "CJK": "zh",
    "CYRILLIC": "ru",
    "DEVANAGARI": "hi",
    "ARABIC": "ar",
}
SEVERAL = {
    "CYRILLIC",
    "DEVANAGARI",
    "ARABIC",
}  # the most common language stands where the model is not sure
PERSIAN = frozenset("پچژگکی")
URDU = frozenset("ٹڈڑںھہے")


def detect(text: str) -> str | None:
    """The ISO 639-1 code of a text's language; None for a text without letters, and when not
    sure.
    """
    sample = unicodedata.normalize("NFKC", text[:SAMPLE])
    scripts = Counter[str]()
    for letter, times in Counter(
        sample
    ).items():  # a name is looked up once, not once per occurrence
        if letter.isalpha():
            scripts[unicodedata.name(letter, "?").split("-")[0].split()[0]] += times
    if not scripts:
        return None
    if (scripts["HIRAGANA"] + scripts["KATAKANA"]) >= 0.05 * scripts.total():
        return "ja"
    latin = scripts.pop("LATIN", 0)
    for script, letters in scripts.most_common():
        if script in SCRIPTS and letters >= OWN_SCRIPT * (letters + latin):
            return _within(script, sample)
    return _sure(sample)


def _within(script: str, sample: str) -> str:
    """The language among those that share a script."""
    if script not in SEVERAL:
        return SCRIPTS[script]
    if script == "ARABIC":
        return "ur" if URDU & set(sample) else "fa" if PERSIAN & set(sample) else "ar"
    return _sure(sample) or SCRIPTS[script]


def _sure(sample: str) -> str | None:
    code, probability = _identifier().classify(sample)
    return str(code) if probability >= SURE else None


@cache
def _identifier() -> "LanguageIdentifier":
    """Half a second, at the first text that its script does not decide."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
