"""Which sentence of a passage an answer leans on: the same for the same texts, whenever asked."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from llmops.tasks.texts.sentences import sentences
from llmops.tasks.texts.terms import analyse


class Highlight(NamedTuple):
    """Characters of a passage's text."""

    start: int
    end: int


def placed(text: str) -> list[Highlight]:
    """Where the sentences of a text stand."""
    found, after = list[Highlight](), 0
    for sentence in sentences(text):
        start = text.index(sentence, after)
        after = start + len(sentence)
        found.append(Highlight(start, after))
    return found


def claim_at(text: str, position: int) -> str:
    """The sentence of an answer to which a mark at a position belongs: where no word of it stands
    before the mark, as behind a full stop, the sentence before.
    """
    before, told = "", ""
    for place in placed(text):
        if place.start > position:
            break
        said = text[place.start : min(place.end, position)]
        before, told = told, text[place.start : place.end]
        if before and not any(char.isalnum() for char in said):
            return before
    return told


def highlighted(claims: Sequence[str], passage: str) -> list[Highlight]:
    """The sentences of a passage that say most of what each of these claims says, in order; none
    where no word is shared.
    """
    places = placed(passage)
    terms = [frozenset(analyse(passage[place.start : place.end])) for place in places]
    common = Counter(term for each in terms for term in each)
    found = set[Highlight]()
    for claim in claims:
        said = frozenset(analyse(claim))
        scores = [sum(1 / common[term] for term in said & each) for each in terms]
        # of sentences that share as much, the shorter one is nearer to the claim
        best = max(
            range(len(places)),
            key=lambda n: (scores[n], -len(terms[n] - said), -n),
            default=None,
        )
        if best is not None and scores[best] > 0:
            found.add(places[best])
    return sorted(found)
