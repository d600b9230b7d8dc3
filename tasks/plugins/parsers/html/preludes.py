"""What the selectors of a rule name, as they are written: enough to pass over most rules of a sheet
without reading their selectors.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

NAME: Final = re.compile(r"[.#](?:[\w-]|[^\x00-\x7f])+")
TAG: Final = re.compile(r"[a-z][a-z\d-]*")
TEXTS: Final = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
INSIDE: Final = re.compile(r"\[[^\[\]()]*\]|\([^\[\]()]*\)")
"""What stands in brackets: names there need not be names of the element."""
BETWEEN: Final = re.compile(r"[\s>+~]+")
DEEPEST: Final = 10
LONGEST_KEPT: Final = 1_000
"""Characters of what is remembered for the next page of a site."""


class WrittenSelector(NamedTuple):
    """`names`: all that elements must have for it to mean any; `subject`: those of the element
    itself, and its tag; both None where that cannot be told quickly. `conditional`: there is more
    to it than names.
    """

    names: frozenset[str] | None
    subject: frozenset[str] | None
    conditional: bool


def written(prelude: str) -> tuple[WrittenSelector, ...]:
    """The selectors of a rule."""
    return _kept(prelude) if len(prelude) <= LONGEST_KEPT else _written(prelude)


@lru_cache(maxsize=8192)
def _kept(prelude: str) -> tuple[WrittenSelector, ...]:
    return _written(prelude)


def _written(prelude: str) -> tuple[WrittenSelector, ...]:
    plain = TEXTS.sub("''", prelude)
    for _ in range(DEEPEST):
        if plain == (plain := INSIDE.sub("?", plain)):
            break
    if any(mark in plain for mark in "\\([\"'"):
        return (WrittenSelector(None, None, True),)
    return tuple(_selector(part.strip()) for part in plain.split(","))


def _selector(plain: str) -> WrittenSelector:
    subject = BETWEEN.split(plain)[-1]
    tag = TAG.match(subject.lower())
    called = frozenset([*NAME.findall(subject), *([tag[0]] if tag else [])])
    return WrittenSelector(frozenset(NAME.findall(plain)), called, "?" in plain or ":" in plain)
