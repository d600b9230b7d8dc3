"""Patterns of users, searched within a time limit: one that backtracks for ever must not hold up a
run.
"""

import re
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

SECONDS = 1.0


class Pattern(Protocol):
    """What is used of the patterns of the module regex, which ships no types; `timeout` in
    seconds.
    """

    def search(self, text: str, /, *, timeout: float, concurrent: bool) -> re.Match[str] | None: ...

    def fullmatch(
        self, text: str, /, *, timeout: float, concurrent: bool
    ) -> re.Match[str] | None: ...


class Slow(Exception):
    """The pattern did not come to an end in time."""


@lru_cache(maxsize=256)
def compiled(pattern: str, flags: tuple[str, ...] = ()) -> Pattern:
    """Raises ValueError saying where the pattern is wrong. `flags`: names of the module regex, such
    as IGNORECASE.
    """
    regex: Any = import_module("regex")  # as `re`, with a time limit; it ships no types
    bits = regex.VERSION0
    for flag in flags:
        bits |= getattr(regex, flag)
    try:
        made: Pattern = regex.compile(pattern, bits)
        return made
    except (regex.error, RecursionError, OverflowError) as error:
        place = getattr(error, "pos", None)
        where = "" if place is None else f" at character {place + 1}"
        raise ValueError(
            f"the pattern {pattern!r} is no regular expression: "
            f"{getattr(error, 'msg', error)}{where}"
        ) from error


def finds(
    pattern: Pattern, text: str, *, whole: bool = False, seconds: float = SECONDS
) -> str | None:
    """What the pattern matches first, None for nothing. Raises Slow after so many seconds of
    computing.
    """
    try:
        match = (pattern.fullmatch if whole else pattern.search)(
            text, timeout=seconds, concurrent=True
        )
    except TimeoutError as error:
        raise Slow(f"the pattern took longer than {seconds:g} s") from error
    return None if match is None else str(match[0])
