"""Which language a text is in: by script where that decides it, else by a small model of letter
sequences.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmops.tasks.texts.mapped import Arrays, mapped

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LOADING = Lock()
REVISION = 1  # of the arrays that are kept
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
SCRIPT_LANGUAGES = {script: frozenset({code}) for script, code in SCRIPTS.items()} | {
    "CJK": frozenset({"zh", "ja"}),
    "HIRAGANA": frozenset({"ja"}),
    "KATAKANA": frozenset({"ja"}),
    "CYRILLIC": frozenset(["ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tg", "tt", "mn"]),
    "DEVANAGARI": frozenset(["hi", "mr", "ne", "sa"]),
    "ARABIC": frozenset(["ar", "fa", "ur", "ps", "ug", "sd", "ckb", "ku"]),
    "HEBREW": frozenset({"he", "yi"}),
    "BENGALI": frozenset({"bn", "as"}),
    "ETHIOPIC": frozenset({"am", "ti"}),
}
"""The languages that are written in a script."""
SIBLINGS = (("bs", "hr", "sr"), ("nn", "no"), ("id", "ms"))
"""Whose texts are so alike that no model is sure of one, though it is of all together."""
CYRILLIC = {
    "be": "ў",
    "mk": "ѓќѕ",
    "sr": "ђћљњџј",
    "kk": "әғқңұһ",
    "uk": "їєґі",
}
"""Letters that a language has and the ones below do not, where the model is not sure."""
PERSIAN = frozenset("پچژگکی")
URDU = frozenset("ٹڈڑںھہے")


def detect(text: str) -> str | None:
    """The ISO 639-1 code of a text's language; None for a text without letters, and when not
    sure.
    """
    sample = unicodedata.normalize("NFKC", text[:SAMPLE])
    if sample.isascii():
        return _sure(sample) if any(map(str.isalpha, sample)) else None
    scripts = Counter[str]()
    for letter, times in Counter(
        sample
    ).items():  # a name is looked up once, not once per occurrence
        if letter.isalpha():
            scripts[script_of(letter)] += times
    if not scripts:
        return None
    if (scripts["HIRAGANA"] + scripts["KATAKANA"]) >= 0.05 * scripts.total():
        return "ja"
    latin = scripts.pop("LATIN", 0)
    for script, letters in scripts.most_common():
        if script in SCRIPTS and letters >= OWN_SCRIPT * (letters + latin):
            return _within(script, sample)
    return _sure(sample)


def detect_all(texts: Sequence[str]) -> list[str | None]:
    """The language of each."""
    return [detect(text) for text in texts]


def unread(languages: frozenset[str]) -> frozenset[str]:
    """The languages in scripts that nobody reads who reads these languages; none for no languages,
    which means all.
    """
    scripts = [codes for codes in SCRIPT_LANGUAGES.values() if languages and not codes & languages]
    return frozenset[str]().union(*scripts)


@cache
def script_of(letter: str) -> str:
    """As Unicode names it: LATIN, CJK, HIRAGANA."""
    return unicodedata.name(letter, "?").split("-")[0].split()[0]


def _within(script: str, sample: str) -> str:
    """The language among those that share a script."""
    if script not in SEVERAL:
        return SCRIPTS[script]
    if script == "ARABIC":
        return "ur" if URDU & set(sample) else "fa" if PERSIAN & set(sample) else "ar"
    if sure := _sure(sample):
        return sure
    if script == "CYRILLIC":
        letters = set(sample.lower())
        return next((code for code, own in CYRILLIC.items() if letters & set(own)), "ru")
    return SCRIPTS[script]


def _sure(sample: str) -> str | None:
    """The likeliest language, where it or it and its siblings are likely enough."""
    shares = letter_sequences().shares(sample)
    code = max(shares, key=shares.__getitem__)
    alike = next((each for each in SIBLINGS if code in each), (code,))
    return code if sum(shares[each] for each in alike) >= SURE else None


class LetterSequences:
    """py3langid's model, asked for a whole text at once: the same languages and probabilities as
    its `classify`, which walks through the text letter by letter, in less time.
    """

    def __init__(self, arrays: Arrays) -> None:
        """`arrays`: those of `unpacked`."""
        self._weights, self._common = arrays["weights"], arrays["common"]
        self._next, self._rows = arrays["next"], arrays["rows"]
        self._found, self._pairs = arrays["found"], arrays["pairs"]
        self._codes, self._places = arrays["codes"], arrays["places"]

    def shares(self, text: str) -> dict[str, float]:
        """The probability of each language, by its ISO 639-1 code."""
        letters = _encoded(text)
        found = self._found[self._walk(letters)]
        found, counts = np.unique(found[found >= 0], return_counts=True)
        scores = np.log1p(counts.astype(np.float32)) @ self._weights.take(found, 0)
        scores = (scores + self._common) if len(found) else np.zeros(len(self._places))
        scores = np.exp((scores - scores.max()) / math.sqrt(len(letters) or 1))
        shares = np.bincount(self._places, scores) / scores.sum()
        return dict(zip(self._codes.tolist(), shares.tolist(), strict=True))

    def _walk(self, letters: NDArray[np.uint8]) -> NDArray[np.uint32]:
        """The automaton's state after each letter. All are guessed, from two letters, and each is
        made what follows from the one before, until none changes: that is the walk itself. A state
        depends on a few letters, so that takes a few rounds.
        """
        wide = letters.astype(np.int64)
        before = np.zeros(len(wide), np.int64)
        before[1:2] = self._next[self._rows[0] + wide[:1]][: len(wide) - 1]
        before[2:] = self._pairs[(wide[:-2] << 8) | wide[1:-1]]
        while True:
            after: NDArray[np.uint32] = self._next.take(self._rows.take(before) + wide)
            if np.array_equal(after[:-1], before[1:]):
                return after
            before[1:] = after[:-1]


def _encoded(text: str) -> NDArray[np.uint8]:
    """As the model was trained."""
    text = unicodedata.normalize("NFC", text.lower() if text.isupper() else text)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)


def letter_sequences() -> LetterSequences:
    """Half a second for the first process of a user, at the first text that its script does not
    decide; some milliseconds later on.
    """
    with LOADING:
        return _letter_sequences()


@cache
def _letter_sequences() -> LetterSequences:
    import py3langid
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    def make() -> Arrays:
        return unpacked(LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True))

    packed = (Path(py3langid.__file__).parent / MODEL_FILE).read_bytes()
    return LetterSequences(mapped(f"languages-{REVISION}-{sha256(packed).hexdigest()[:32]}", make))


def unpacked(model: "LanguageIdentifier") -> Arrays:
    """What a text is asked with. `pairs`: the state after two letters, by the first << 8 | the
    second; `places`: for each column its language among `codes`, since some have two.
    """
    following = np.frombuffer(model.tk_nextmove, model.tk_nextmove.typecode)
    rows = np.array(model.tk_row, np.int64) << 8
    first = following[rows[0] : rows[0] + 256]
    codes, places = np.unique(model.nb_classes, return_inverse=True)
    return {
        "weights": model.nb_ptc.astype(np.float32),  # else it is done for every text
        "common": model.nb_pc,
        "next": following,
        "rows": rows,
        "found": np.array(model.tk_output, np.int64),
        "pairs": following[rows[first][:, None] + np.arange(256)].ravel(),
        "codes": codes,
        "places": places,
    }
