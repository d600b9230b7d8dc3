"""Orders in other letters: encoded, spelt out, misspelt, in letters that only look like Latin."""

import re
import unicodedata
from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from string import ascii_lowercase
from typing import Final, NamedTuple
from urllib.parse import unquote

from llmops.tasks.plugins.cleaners.injection.signs import windows

MOST_CODES, LONGEST_CODE = 100, 4_000
BASE64 = re.compile(
    r"(?<![\w+/-])(?:(?:[A-Za-z0-9+/]{60,76}+\r?\n){1,60}+[A-Za-z0-9+/]{2,76}+"
    r"|[A-Za-z0-9+/_-]{24,}+)={0,2}"
)
HEX = re.compile(
    r"(?<![0-9A-Za-z\\])(?:(?:\\x[0-9A-Fa-f]{2}){12,}+|(?:[0-9A-Fa-f]{2}[ :]?){12,}+)"
    r"(?![0-9A-Za-z])"
)
PERCENT = re.compile(
    r"(?<![\w%])[\w.,!?'-]{0,40}+(?:%[0-9A-Fa-f]{2}[\w.,!?'-]{0,40}+){3,}+"  # words of a query
)
SPELT = re.compile(r"(?<!\w)[^\W\d_](?:(?:[ \u3000]{1,3}|[.*_-])[^\W\d_](?!\w)){7,400}+")
JOINED = re.compile(r"(?<![\w.])[A-Za-z]{1,20}(?:[_.][A-Za-z]{1,20}){4,40}+(?!\w)")
GAP = re.compile(r"[ \u3000]{2,}")
UNSEEN = re.compile("(?<=[A-Za-z])[\u200b-\u200d\u2060-\u2064\ufeff\u00ad]+(?=[A-Za-z])")
TOKEN = re.compile(r"(?<![\w@$])[A-Za-z0-9@$]{5,14}(?![\w@$])")
LEET: Final = str.maketrans("013457@$", "oieastas")
WORDS: Final = (
    *("ignore", "ignoring", "disregard", "forget", "everything", "anything", "previous"),
    *("instructions", "instruction", "guidelines", "prompt", "prompts", "system", "pretend"),
)
"""Words of the phrases that are put right where they are misspelt."""
OTHERS: Final = frozenset({"pervious", "foret"})
"""Words in their own right."""
MIXED = re.compile(r"(?<!\w)(?=\w{0,40}[A-Za-z])(?=\w{0,40}[\u0370-\u03ff\u0400-\u052f])\w+")
ALIKE: Final = str.maketrans(
    "АВСЕНІЈКМОРЅТУХавсеһіјкорѕтухԁԛԝґΑΒΕΖΗΙΚΜΝΟΡΤΥΧαορνικυτ",
    "ABCEHIJKMOPSTYXabcehijkopstyxdqwrABEZHIKMNOPTYXaopvikut",
)
STYLED = re.compile("[\uff21-\uff3a\uff41-\uff5a\u2100-\u214f\U0001d400-\U0001d7ff]")
"""Full-width letters, and those of formulas."""


class Disguise(NamedTuple):
    """A place in the text, how it is written, and what it says. `encoded`: as no person reads."""

    start: int
    end: int
    kind: str
    says: str
    encoded: bool


def disguises_in(text: str) -> Iterator[Disguise]:
    """What the text says in other letters; most of it is harmless."""
    yield from islice(_encoded(text), MOST_CODES)
    yield from islice(_spelt_out(text), MOST_CODES)
    if not text.isascii() and UNSEEN.search(text):
        yield from _rewritten(text, UNSEEN, lambda _: "", "unseen characters in words")
    wrong = {token: right for token in {*TOKEN.findall(text)} if (right := corrected(token))}
    if wrong:
        misspelt = re.compile(rf"(?<![\w@$])(?:{'|'.join(map(re.escape, wrong))})(?![\w@$])")
        yield from _rewritten(text, misspelt, lambda match: wrong[match[0]], "misspelt")


def folded(text: str) -> str:
    """The text of the same length in which letters that only look like Latin ones are Latin: of
    formulas, of full width, and Cyrillic or Greek ones in a word with Latin ones.
    """
    if text.isascii():
        return text
    text = MIXED.sub(lambda match: match[0].translate(ALIKE), text)
    return STYLED.sub(lambda match: _plain(match[0]), text)


def corrected(token: str) -> str:
    """The word of the phrases that a token is meant to be; "" where it is none, or right."""
    small = token.lower()
    plain = small if small.isalpha() else small.translate(LEET)
    if plain in WORDS:
        return plain if plain != small else ""
    return misspellings().get(plain, "")


@cache
def misspellings() -> dict[str, str]:
    """The words of the phrases by what becomes of them when a letter is left out, doubled or
    replaced, or two change places; first and last letter stay.
    """
    return {
        wrong: word
        for word in WORDS
        for wrong in _slips(word)
        if wrong not in WORDS and wrong not in OTHERS
    }


def _slips(word: str) -> Iterator[str]:
    for n in range(1, len(word) - 1):
        yield word[:n] + word[n + 1 :]
        yield word[:n] + word[n] + word[n:]
        if n < len(word) - 2:
            yield word[:n] + word[n + 1] + word[n] + word[n + 2 :]
        if len(word) > 7:
            yield from (word[:n] + letter + word[n + 1 :] for letter in ascii_lowercase)


def _plain(letter: str) -> str:
    plain = unicodedata.normalize("NFKC", letter)
    return plain if len(plain) == 1 and plain.isascii() and plain.isalpha() else letter


def _encoded(text: str) -> Iterator[Disguise]:
    for match in BASE64.finditer(text):
        yield from _decoded(match, "Base64", _of_base64(match[0]))
    for match in HEX.finditer(text):
        digits = re.sub(r"\\x|[ :]", "", match[0])[:LONGEST_CODE]
        yield from _decoded(match, "hexadecimal", bytes.fromhex(digits))
    for match in PERCENT.finditer(text) if "%" in text else ():
        said = unquote(match[0][:LONGEST_CODE], errors="ignore")
        yield Disguise(*match.span(), "percent-encoded", said, encoded=True)


def _decoded(match: re.Match[str], kind: str, data: bytes) -> Iterator[Disguise]:
    """What the bytes say, if they are a text."""
    try:
        said = data.decode()
    except UnicodeDecodeError:
        return
    if len(said) > 5 and all(c.isprintable() or c.isspace() for c in said):
        yield Disguise(*match.span(), kind, said, encoded=True)


def _of_base64(code: str) -> bytes:
    """The bytes of a whole number of characters; none where it is no Base64."""
    code = "".join(code.split()).rstrip("=")[:LONGEST_CODE].replace("+", "-").replace("/", "_")
    code = code[: len(code) - 1] if len(code) % 4 == 1 else code
    try:
        data = urlsafe_b64decode(code + "=" * (-len(code) % 4))
    except Error:
        return b""
    return data.decode("utf-8", "ignore").encode() if len(code) == LONGEST_CODE else data


def _spelt_out(text: str) -> Iterator[Disguise]:
    """Letters with a blank or a sign between them, where more blanks are those between words; and
    words with signs in the place of blanks.
    """
    for match in JOINED.finditer(text):
        said = re.sub(r"[_.]", " ", match[0])
        yield Disguise(*match.span(), "joined words", said, encoded=False)
    for match in SPELT.finditer(text):
        words = ["".join(c for c in word if c.isalpha()) for word in GAP.split(match[0])]
        yield Disguise(*match.span(), "spelt out", " ".join(words), encoded=True)


def _rewritten(
    text: str, pattern: re.Pattern[str], right: Callable[[re.Match[str]], str], kind: str
) -> Iterator[Disguise]:
    """The windows of the text in which the pattern is found, put right."""
    for start, end in windows(text):
        put_right = pattern.sub(right, text[start:end])
        if put_right != text[start:end]:
            yield Disguise(start, end, kind, put_right, encoded=False)
