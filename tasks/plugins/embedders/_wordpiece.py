"""A model's tokenizer with nothing hidden: no truncation, no padding, no silent [UNK] for a very
long word.

WordPiece turns a word of more than 100 characters into one [UNK]; here it is cut into pieces of 100
first, for counting and for embedding alike, so that a line of 200 kB without spaces has as many
tokens as the model would need. Text that looks like a special token ("[SEP]") is text.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PIECE, BATCH = 8192, 32
"""Characters per call of the tokenizer, and calls per batch: its encodings take some 200 bytes per
token.
"""

CLS, SEP = 101, 102
"""Of the vocabulary that most models have."""

SAFE = re.compile(r"[\s!-/:-@\[-`{-~\u4e00-\u9fff]")
"""BERT breaks after white space, ASCII punctuation and Chinese characters, whatever follows."""

BETWEEN_WORDS = re.compile(r"(?<=\S)(?= \S)")
"""Where all others break whatever surrounds it: a space belongs to the word after it."""

SURROGATES = re.compile("[\ud800-\udfff]")
BREAKS = re.compile("[\x0b\x0c\x1c-\x1f\x85]")


def load_tokenizer(definition: bytes) -> "Tokenizer":
    """The tokenizer of a `tokenizer.json`."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.pre_tokenizers import BertPreTokenizer, Split
    from tokenizers.pre_tokenizers import Sequence as Steps

    tokenizer = Tokenizer.from_buffer(definition)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    if _wordpiece(tokenizer):
        tokenizer.pre_tokenizer = Steps([BertPreTokenizer(), Split(Regex(".{100}"), "isolated")])
    return tokenizer


def _wordpiece(tokenizer: "Tokenizer") -> bool:
    from tokenizers.models import WordPiece

    return isinstance(tokenizer.model, WordPiece)


def offsets(tokenizer: "Tokenizer", text: str) -> list[tuple[int, int]]:
    """Character offsets (start, end) of every token, ascending, without special tokens. The space
    that Unigram and BPE count to a word is left out of it.
    """
    wordpiece = _wordpiece(tokenizer)
    places: list[tuple[int, int]] = []
    spans = list(pairwise(pieces(text, SAFE if wordpiece else BETWEEN_WORDS)))
    for first in range(0, len(spans), BATCH):
        batch = spans[first : first + BATCH]
        encodings = tokenizer.encode_batch(
            [encodable(text[a:b]) for a, b in batch], add_special_tokens=False
        )
        for (base, _), encoding in zip(batch, encodings, strict=True):
            places.extend(
                [(base + a, base + b) for a, b in encoding.offsets] if base else encoding.offsets
            )
    return places if wordpiece else [_word(text, *each) for each in places]


def _word(text: str, start: int, end: int) -> tuple[int, int]:
    return (start + 1, end) if end - start > 1 and text[start] == " " else (start, end)


def pieces(text: str, cut: re.Pattern[str] = SAFE) -> list[int]:
    """Ascending offsets, from 0 to the length, that cut a text where its tokens are the same apart
    as together.
    """
    cuts = [0]
    while (match := cut.search(text, cuts[-1] + PIECE - 1)) and match.end() < len(text):
        cuts.append(match.end())
    return [*cuts, len(text)] if text else cuts


def encode(
    tokenizer: "Tokenizer", texts: Sequence[str], limit: int, frame: tuple[int, int] = (CLS, SEP)
) -> list[list[int]]:
    """Token ids per text between those of `frame`, such as [CLS] and [SEP], at most `limit` of
    them; 256 characters per token are looked at.
    """
    short = [encodable(text[: limit * 256]) for text in texts]
    encodings = tokenizer.encode_batch_fast(short, add_special_tokens=False)
    first, last = frame
    return [[first, *encoding.ids[:limit], last] for encoding in encodings]


def encodable(text: str) -> str:
    """What the tokenizer reads, character for character.

    Lone surrogates cannot cross into it, and it would join the words around a form feed, which it
    takes for no space.
    """
    return BREAKS.sub(" ", SURROGATES.sub("\ufffd", text))
