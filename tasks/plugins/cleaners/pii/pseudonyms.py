"""Names in the place of values: the same for equal values, however often they come."""

from collections.abc import Callable, Sequence
from typing import Final

from llmops.tasks.plugins.cleaners.pii.patterns import EntitySpan

MASKS: Final = {"url_credentials": "CREDENTIALS"}
ROUNDS = 8
Places = Callable[[str], Sequence[EntitySpan]]
"""Where a text holds what is to be replaced: in order, without overlaps."""


class Pseudonyms:
    """`<EMAIL>` for every e-mail address; with `numbered`, `<EMAIL_1>` for the first one met and
    whatever equals it but for case and punctuation, `<EMAIL_2>` for the next.
    """

    def __init__(self, *, numbered: bool = True) -> None:
        self._numbered, self._seen = numbered, dict[tuple[str, str], int]()

    def name(self, value: str, entity: str) -> str:
        name = MASKS.get(entity, entity.upper())
        if not self._numbered:
            return f"<{name}>"
        same = "".join(c for c in value if c.isalnum() or c == "@").casefold()
        rank = 1 + sum(kind == entity for kind, _ in self._seen)
        number = self._seen.setdefault((entity, same), rank)
        return f"<{name}_{number}>"

    def replaced(self, text: str, places: Places) -> str:
        """The text with names in all the places; once more where a name lays bare what stood too
        close to something else.
        """
        for _ in range(ROUNDS):
            spans = places(text)
            if not spans:
                break
            done, pieces = 0, list[str]()
            for start, end, entity in spans:
                pieces += [text[done:start], self.name(text[start:end], entity)]
                done = end
            text = "".join([*pieces, text[done:]])
        return text
