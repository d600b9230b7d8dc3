"""How long texts are in tokens: by a model's own `tokenizer.json`, else by a cautious estimate."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from llmops.tasks.errors import ConfigError, Mistake

Count = Callable[[str], int]
CAUTIOUS = "cautious"
PER_MESSAGE = 4
"""Tokens that a chat template adds to each message: four in ChatML, the most common one."""
SILENT = ("role", "from", "type", "id", "tool_call_id")
"""Keys whose values are part of what a template adds."""
PIECE = re.compile(r"[A-Za-z]{1,6}|\d|[^\sA-Za-z\d]")
OTHER = re.compile(r"[^\s\x00-\x7f]")


def counter_of(tokenizer: str) -> Count:
    """The number of tokens of a text. Raises ConfigError for what is no `tokenizer.json`."""
    return estimated if tokenizer == CAUTIOUS else _of_file(Path(tokenizer))


def estimated(text: str) -> int:
    """Rather too many: a word for each begun six letters, a digit, a sign; two for a character of
    another alphabet.
    """
    twice = 0 if text.isascii() else len(OTHER.findall(text))
    return len(PIECE.findall(text)) + twice


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
    return _counted(content, count, silent=False)


def _counted(content: object, count: Count, *, silent: bool) -> int:
    if isinstance(content, str):
        return 0 if silent else count(content)
    if isinstance(content, dict | Mapping):
        added = PER_MESSAGE if "role" in content or "from" in content else 0
        return added + sum(
            _counted(value, count, silent=silent or name in SILENT)
            for name, value in content.items()
        )
    if isinstance(content, list | tuple):
        return sum(_counted(value, count, silent=silent) for value in content)
    return 0
