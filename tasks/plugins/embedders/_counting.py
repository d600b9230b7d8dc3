"""Tokens of models whose tokenizer is elsewhere: OpenAI's by tiktoken, a `tokenizer.json`, or a
count that is never too low.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from llmops.tasks.errors import ConfigError, Mistake, Unavailable

if TYPE_CHECKING:
    import tiktoken

Offsets = list[tuple[int, int]]
Counter = Callable[[str], Offsets]
TIKTOKEN = ("cl100k_base", "o200k_base")
BLOCK = re.compile(r"(\s*)(\S{1,400})")
"""A white space and a word; a longer one is cut, since tiktoken's time grows with the square of a
run.
"""

WORD = re.compile(r"[A-Za-z]{1,20}(?![A-Za-z0-9+/=_])|\S|\s(?=\s)|[^\S ]")
SYLLABLE = 3
SURROGATES = re.compile("[\ud800-\udfff]")


def counter(name: str) -> Counter:
    """The tokenizer of a name: cl100k_base, o200k_base, `cautious`, or the path of a
    `tokenizer.json`.
    """
    if name in TIKTOKEN:
        return _tiktoken(name)
    return cautious if name == "cautious" else _file(name)


def cautious(text: str) -> Offsets:
    """Plain words by three letters, and every byte of all else but for single spaces: signs,
    digits, other scripts, codes.

    No tokenizer that falls back to bytes makes more of what is counted by bytes; of plain words
    none in use makes more.
    """
    return [piece for match in WORD.finditer(text) for piece in _pieces(*match.span(), text)]


def _pieces(start: int, end: int, text: str) -> Iterator[tuple[int, int]]:
    if end - start > 1:
        yield from ((place, min(place + SYLLABLE, end)) for place in range(start, end, SYLLABLE))
    else:
        for _ in text[start].encode("utf-8", "surrogatepass"):
            yield start, end


@cache
def _tiktoken(name: str) -> Counter:
    encoding = _encoding(name)

    @lru_cache(maxsize=1 << 16)
    def lengths(text: str) -> tuple[int, ...]:
        return tuple(
            len(encoding.decode_single_token_bytes(token))
            for token in encoding.encode_ordinary(text)
        )

    def count(text: str) -> Offsets:
        """Word by word, so that a part of a text has as many tokens as it has in the whole: each as
        the worse of what it is at the start of a text and after a space. Other white space than
        that has tokens of its own."""
        offsets: Offsets = []
        for block in BLOCK.finditer(SURROGATES.sub("\ufffd", text)):
            if block[1] not in ("", " "):
                offsets += _offsets(block[1], lengths(block[1]), block.start(1), 0)
            alone, after = lengths(block[2]), lengths(f" {block[2]}")
            offsets += (
                _offsets(block[2], alone, block.start(2), 0)
                if len(alone) >= len(after)
                else _offsets(block[2], after, block.start(2), 1)
            )
        return offsets

    return count


def _offsets(
    text: str, lengths: Sequence[int], base: int, skipped: int
) -> Iterator[tuple[int, int]]:
    """From lengths in bytes to offsets in characters; the first `skipped` bytes are not part of the
    text.
    """
    starts = [0, *accumulate(len(character.encode()) for character in text)]
    place = -skipped
    for length in lengths:
        first, place = max(place, 0), place + length
        start = bisect_right(starts, first) - 1
        yield base + start, base + max(start + 1, bisect_right(starts, place - 1))


def _encoding(name: str) -> "tiktoken.Encoding":
    """From the files that llama-index-core carries, else from tiktoken's own cache or its
    server.
    """
    import os

    import tiktoken

    home = find_spec("llama_index")
    bundled = (
        [
            Path(place) / "core" / "_static" / "tiktoken_cache"
            for place in (home.submodule_search_locations or [])
        ]
        if home
        else []
    )
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    if before is None and bundled and bundled[0].is_dir() and name == "cl100k_base":
        os.environ["TIKTOKEN_CACHE_DIR"] = str(bundled[0])
    try:
        return tiktoken.get_encoding(name)
    except Exception as error:  # whatever its HTTP client raises
        raise Unavailable(
            f"the tokenizer {name} cannot be loaded: {error}",
            hint="install llama-index-core, which carries "
            "cl100k_base, set TIKTOKEN_CACHE_DIR, or choose `tokenizer: cautious`",
        ) from error
    finally:
        if before is None:
            os.environ.pop("TIKTOKEN_CACHE_DIR", None)


@cache
def _file(path: str) -> Counter:
    from llmops.tasks.plugins.embedders._wordpiece import offsets

    try:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # the library raises nothing more special
        raise ConfigError(
            [
                Mistake(
                    f"{path} is no tokenizer.json: {error}",
                    where="embed.tokenizer",
                    hint=f"allowed: {', '.join(TIKTOKEN)}, cautious, or the path of such a file",
                )
            ]
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: offsets(tokenizer, text)
