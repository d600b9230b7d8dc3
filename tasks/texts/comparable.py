"""Texts made comparable, in any script: one form per character, words where there are spaces,
characters where there are none.
"""

import re
import string
import unicodedata
from collections.abc import Sequence

SINGLE = (
    r"\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff"
    r"\u3105-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts without spaces between words (Han, Kana, Thai, Lao, Tibetan, Burmese, Khmer), and Hangul,
whose endings no space sets off.
"""

MARKS = (
    r"\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8"
    r"\u06ea-\u06ed\u0711\u0730-\u074a\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a4d\u0a81-\u0acd"
    r"\u0b01-\u0b57\u0bbe-\u0bcd\u0c00-\u0c03\u0c3e-\u0c56\u0c81-\u0ccd\u0d00-\u0d4d\u0dca-\u0ddf\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe2f"
)
"""Vowel signs and accents that stand alone: part of a word, although `\\w` leaves them out."""

SIGNS = (
    r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u0f18\u0f19\u0f35\u0f37\u0f39\u0f3e\u0f3f\u0f71-\u0f84"
    r"\u0f8d-\u0fbc\u102b-\u103e\u1056-\u1059\u17b4-\u17d3\u3099\u309a"
)
"""Signs that belong to the character of an unspaced script before them."""

CHARACTER = rf"[{SINGLE}][{SIGNS}{MARKS}]*"
LETTER = rf"(?:[^\W_{SINGLE}]|[{MARKS}])"
WORD = re.compile(rf"{CHARACTER}|{LETTER}+")
PIECE = re.compile(rf"{CHARACTER}|[^{SINGLE}]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
NON_JOINER = 0x200C
LETTERS = {ord(old): new for old, new in zip("يىك’ʼ", "ییک''", strict=True)} | dict.fromkeys(
    [0x640, *range(0x64B, 0x653)]
)


class _Table(dict[int, str | int | None]):
    """What becomes of a character, found out when it is first met: for `str.translate`."""

    def __init__(self, punctuation: str | None) -> None:
        super().__init__(LETTERS)
        if punctuation is not None:
            self.update(dict.fromkeys(map(ord, string.punctuation), punctuation))
        self.punctuation = punctuation

    def __missing__(self, code: int) -> str | int | None:
        self[code] = plain = self._plain(chr(code))
        return plain

    def _plain(self, character: str) -> str | None:
        kind = unicodedata.category(character)
        if kind == "Nd":
            return str(unicodedata.decimal(character))
        if ord(character) == NON_JOINER or kind in ("Cc", "Zs", "Zl", "Zp"):
            return " "
        if kind == "Cf":
            return ""
        return self.punctuation if kind[0] == "P" and self.punctuation is not None else character


KEPT, DROPPED, SPACED = _Table(None), _Table(""), _Table(" ")


def nfkc(text: str) -> str:
    """The compatibility form: full-width letters, ligatures and half-width Kana as the plain
    ones.
    """
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def folded(text: str) -> str:
    """NFKC without regard to case; Persian and Arabic letters in one form, all digits as ASCII,
    invisible characters gone, the zero-width non-joiner and controls as spaces, runs of white space
    as one space."""
    text = nfkc(text).casefold()
    return " ".join(
        (text if text.isascii() and text.isprintable() else nfkc(text.translate(KEPT))).split()
    )


def squad(text: str, articles: Sequence[str] = ("a", "an", "the"), case: bool = False) -> str:
    """The normalisation of SQuAD's official evaluate-v1.1 (Rajpurkar et al. 2016): lower case,
    without punctuation, without articles, single spaces. Beyond ASCII punctuation is Unicode's
    category P, as in MLQA's script (Lewis et al. 2020); see also `folded`."""
    text = nfkc(text) if case else nfkc(nfkc(text).casefold())
    text = text.translate(DROPPED)
    if articles:
        text = re.sub(
            rf"\b(?:{'|'.join(map(re.escape, articles))})\b", " ", text, flags=re.IGNORECASE
        )
    return " ".join(text.split())


def pieces(normalised: str) -> list[str]:
    """The tokens of a text in SQuAD's normal form: what white space separates, and single
    characters of scripts without spaces, as in the scripts of CMRC 2018 (Cui et al. 2019), JSQuAD
    (Kurihara et al. 2022) and KorQuAD (Lim et al. 2019)."""
    words = normalised.split()
    return (
        words
        if normalised.isascii()
        else [
            piece for word in words for piece in ([word] if word.isascii() else PIECE.findall(word))
        ]
    )


def words(text: str) -> list[str]:
    """Runs of letters and digits, and single characters of scripts without spaces; without regard
    to case.
    """
    text = nfkc(text).casefold().translate(SPACED)
    return WORD.findall(text)


def shown(text: str, most: int = 80) -> str:
    """A text as reasons quote it: on one line, shortened, and fit for every file."""
    line = " ".join(CONTROL.sub(" ", text[: most * 4]).split())
    return line if len(line) <= most else line[: most - 1] + "…"
