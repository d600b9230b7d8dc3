"""Masking of personal data, in whole texts and in texts that come in pieces."""

import re
from functools import cache

from llmops.tasks.plugins.cleaners.pii import PiiCleaner
from llmops.tasks.texts.scripts import HANGUL, UNSPACED

TAIL = 128
"""Characters that are held back: what follows decides whether the end of a text is a number, an
address or a key."""
CONTEXT = 128
"""Characters before that are looked at again: `phone:` stands before the number."""
STEP = 128
LONGEST_KEY = 24_000
TRIES = 6
DENSE = UNSPACED + HANGUL
BORDER = re.compile(rf"(?<=\s)(?=\S)|(?<=[{DENSE}])(?=[{DENSE}])")
"""Where nothing that is masked goes on, unless it is found there."""
KEY_BEGINS = re.compile(r"-----BEGIN")
KEY_ENDS = re.compile(r"-----END[^\n-]{0,60}-----")


@cache
def cleaner() -> PiiCleaner:
    return PiiCleaner()


def masked(text: str) -> str:
    """The text with `<EMAIL>` and the like instead of personal data and secrets."""
    return cleaner().clean(text)


class MaskedStream:
    """What may be shown of a text that comes in pieces: nothing that the whole text would have
    masked. It lags behind by some hundred characters; `end` gives the rest.
    """

    def __init__(self) -> None:
        self._context, self._held, self._looked_at = "", "", 0

    def push(self, piece: str) -> str:
        """What can be shown now."""
        self._held += piece
        if len(self._held) < max(TAIL, self._looked_at * 5 // 4) + STEP:
            return ""
        return self._shown()

    def end(self) -> str:
        """The rest."""
        rest = masked(self._context + self._held)
        if not rest.startswith(self._context):  # what was shown stays as it was shown
            return masked(self._held)
        return rest[len(self._context) :]

    def _shown(self) -> str:
        """What stands before the last border at which both sides are masked as they are together:
        nothing lies across it.
        """
        whole = masked(self._context + self._held)
        for border in self._borders():
            before = masked(self._context + self._held[:border])
            apart = before + masked(self._held[border:])
            if apart == whole and before.startswith(self._context):
                shown = before[len(self._context) :]
                self._held, self._looked_at = self._held[border:], 0
                self._context = _context(before)
                return shown
        self._looked_at = len(self._held)
        return ""

    def _borders(self) -> list[int]:
        """Where the text may be cut, the last place first: before the tail, and before a key that
        has begun."""
        latest = len(self._held) - TAIL
        ended = max((match.end() for match in KEY_ENDS.finditer(self._held)), default=0)
        key = KEY_BEGINS.search(self._held, ended)
        if key and len(self._held) - key.start() < LONGEST_KEY:
            latest = min(latest, key.start())
        return [match.start() for match in BORDER.finditer(self._held, 1, max(1, latest))][
            : -TRIES - 1 : -1
        ]


def _context(shown: str) -> str:
    """The end of what was shown, from the beginning of a word on; nothing where it would be masked
    anew.
    """
    start = BORDER.search(shown, max(0, len(shown) - CONTEXT))
    context = shown[start.start() :] if start else ""
    return context if masked(context) == context else ""
