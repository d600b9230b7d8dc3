"""Patterns of users, searched within a time limit: one that backtracks for ever must not hold up a
run.
"""

from functools import lru_cache
from importlib import import_module
from typing import Any

SECONDS = 1.0


class Slow(Exception):
    """The pattern did not come to an end in time."""


@lru_cache(maxsize=256)
def compiled(pattern: str, flags: tuple[str, ...] = ()) -> Any:
    """Raises ValueError saying where the pattern is wrong. `flags`: names of the module regex, such
    as IGNORECASE.
    """
    regex: Any = import_module("regex")  # as `re`, with a time limit; it ships no types
    bits = regex.VERSION0
    for flag in flags:
        bits |= getattr(regex, flag)
    try:
        return regex.compile(pattern, bits)
    except (regex.error, RecursionError, OverflowError) as error:
        place = getattr(error, "pos", None)
        where = "" if place is None else f" at character {place + 1}"
        raise ValueError(
            f"the pattern {pattern!r} is no regular expression: "
            f"{getattr(error, 'msg', error)}{where}"
        ) from error


def finds(pattern: Any, text: str, *, whole: bool = False, seconds: float = SECONDS) -> str | None:
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
