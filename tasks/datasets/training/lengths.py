"""How long texts are in tokens: by a model's own `tokenizer.json`, else by a cautious estimate."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from llmops.tasks.errors import ConfigError, Mistake

Count = Callable[[str], int]
CAUTIOUS = "cautious"
PER_MESSAGE = 4
"""Tokens that a chat template adds to each message: four in ChatML, the most common one."""
SILENT = ("role", "from", "type", "id", "tool_call_id")
"""Keys whose values are part of what a template adds."""
WORD = re.compile(r"[A-Za-z]+|\d|[^\sA-Za-z\d]")


def counter_of(tokenizer: str) -> Count:
    """The number of tokens of a text. Raises ConfigError for what is no `tokenizer.json`."""
    return estimated if tokenizer == CAUTIOUS else _of_file(Path(tokenizer))


def estimated(text: str) -> int:
    """Rather too many: a word for each begun six letters, a digit, a sign; two for a character of
    another alphabet.
    """
    return sum(-(-len(each[0]) // 6) if each[0].isascii() else 2 for each in WORD.finditer(text))


@cache
def _of_file(path: Path) -> Count:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        raise ConfigError(
            [
                Mistake(
                    f"{path} is no tokenizer.json: {error}",
                    where="tokenizer",
                    hint=f"allowed: {CAUTIOUS}, or the path of a model's tokenizer.json",
                )
            ]
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def tokens_in(content: object, count: Count) -> int:
    """Of all texts of a record, with what a chat template adds to each message."""
    messages = sum(1 for each in _mappings(content) if "role" in each or "from" in each)
    return PER_MESSAGE * messages + sum(count(text) for text in _texts(content))


def _mappings(content: object) -> Iterator[Mapping[str, object]]:
    if isinstance(content, Mapping):
        yield content
        for value in content.values():
            yield from _mappings(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _mappings(value)


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        for name, value in content.items():
            if name not in SILENT:
                yield from _texts(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _texts(value)
