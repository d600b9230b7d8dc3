"""Where WordPiece tokens begin, by words that were seen before.

BERT reads each word apart, and a text of 10,000 words has some 1,000 different ones: looking a word
up takes a twentieth of the time that cutting it takes.
"""

import re
from array import array
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from llmops.tasks.plugins.embedders._wordpiece import offsets
from llmops.tasks.schemas import Starts
from llmops.tasks.texts.characters import CharacterTable, codes_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MOST = 1 << 16
"""Words that are remembered, at most: some 8 MB."""
LONGEST = 64
"""Bytes of a remembered word: longer ones rarely come twice."""
NUMBER = np.dtype(np.uint32)

LETTER, SPACE, SIGN, CHINESE = range(4)
KINDS = (
    (SPACE, re.compile(r"[\t-\r\x1c-\x1f ]")),
    (SIGN, re.compile(r"[!-/:-@\[-`{-~]")),
    (CHINESE, re.compile(r"[\u4e00-\u9fff]")),
)
"""Whatever stands beside these, the tokens are the same apart as together, and a sign or a Chinese
character is one of its own. All others are looked up as part of a word.
"""


def _kind(code: int) -> int:
    return next((kind for kind, pattern in KINDS if pattern.match(chr(code))), LETTER)


CHARACTERS = CharacterTable(_kind)
APART = bytes(code if code > 127 or _kind(code) == LETTER else ord(" ") for code in range(256))


class WordStarts:
    """For one tokenizer. May be used from several threads and after a fork."""

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self._tokenizer = tokenizer
        self._known: dict[bytes, bytes] = {}
        """UTF-8 of a word -> where its tokens begin, as `NUMBER`s."""
        self._model, self._apart = tokenizer.model, _apart(tokenizer)
        self._lower = self._apart and tokenizer.normalizer.lowercase

    def starts(self, text: str) -> Starts:
        """The first of each pair of `offsets`."""
        return self._looked_up(text) if self._apart else _starts(self._tokenizer, text)

    def _looked_up(self, text: str) -> Starts:
        codes = codes_of(text)
        kinds = CHARACTERS.of(codes)
        if (kinds == CHINESE).any():
            spaced = np.where(kinds == CHINESE, np.uint32(ord(" ")), codes)
            text = spaced.tobytes().decode("utf-32-le", "surrogatepass")
        letters = kinds == LETTER
        begins = letters.copy()
        begins[1:] &= ~letters[:-1]
        words = text.encode("utf-8", "surrogatepass").translate(APART).split()
        found = self._found(words)
        counts = np.fromiter(map(len, found), np.int64, len(found)) // NUMBER.itemsize
        inside = np.frombuffer(b"".join(found), NUMBER)
        signs = (kinds >= SIGN).nonzero()[0]
        starts = np.concatenate([np.repeat(begins.nonzero()[0], counts) + inside, signs])
        starts.sort()
        return starts

    def _found(self, words: Sequence[bytes]) -> list[bytes]:
        found: list[Any] = list(map(self._known.get, words))
        missing = [number for number, starts in enumerate(found) if starts is None]
        if missing:
            read = self._read([*dict.fromkeys(words[number] for number in missing)])
            self._remember(read)
            for number in missing:
                found[number] = read[words[number]]
        return found

    def _remember(self, read: Mapping[bytes, bytes]) -> None:
        short = {word: starts for word, starts in read.items() if len(word) <= LONGEST}
        if len(self._known) + len(short) > MOST:
            self._known.clear()
        self._known.update(short)

    def _read(self, words: Sequence[bytes]) -> dict[bytes, bytes]:
        plain = {
            word: self._tokens(word) for word in words if word.isalnum() and len(word) <= LONGEST
        }
        return plain | self._others([word for word in words if word not in plain])

    def _tokens(self, word: bytes) -> bytes:
        """Of letters and digits of ASCII, which need only the model behind the tokenizer."""
        tokens = self._model.tokenize((word.lower() if self._lower else word).decode())
        return array("I", [token.offsets[0] for token in tokens]).tobytes()

    def _others(self, words: Sequence[bytes]) -> dict[bytes, bytes]:
        """By the tokenizer, all in one text."""
        texts = [word.decode("utf-8", "surrogatepass") for word in words]
        begins = np.cumsum([0, *(len(text) + 1 for text in texts)])
        starts = _starts(self._tokenizer, " ".join(texts))
        bounds = np.searchsorted(starts, begins)
        inside = (starts - np.repeat(begins[:-1], np.diff(bounds))).astype(NUMBER)
        return {
            word: inside[first:last].tobytes()
            for word, first, last in zip(words, bounds.tolist(), bounds[1:].tolist(), strict=False)
        }


words_of = cache(WordStarts)


def _starts(tokenizer: "Tokenizer", text: str) -> Starts:
    pairs = offsets(tokenizer, text)
    return np.fromiter((start for start, _ in pairs), np.int64, len(pairs))


def _apart(tokenizer: "Tokenizer") -> bool:
    """Whether it is one of BERT's, and knows no terms of several words."""
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer

    terms, normalizer = tokenizer.get_added_tokens_decoder().values(), tokenizer.normalizer
    return (
        isinstance(tokenizer.model, WordPiece)
        and isinstance(normalizer, BertNormalizer)
        and normalizer.handle_chinese_chars
        and all(each.special for each in terms)
    )
