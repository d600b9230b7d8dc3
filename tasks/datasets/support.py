"""Which passages of an answer support a text, without asking a model."""

from collections.abc import Sequence

from llmops.tasks.chat.supporting import SHARE, supports
from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.retrieval.golden import Relevant
from llmops.tasks.texts.sentences import sentences

LONGEST_QUOTE = 300
MOST = 3


def supporting(text: str, passages: Sequence[Passage]) -> tuple[Relevant, ...]:
    """The passages that have most of the text's words, the best first, each with the sentence that
    has most of them; none for a text that no passage supports.
    """
    if not text.strip():
        return ()
    shares = [(supports(text, each.text), each) for each in passages]
    best = sorted(
        (pair for pair in shares if pair[0] >= SHARE and pair[1].uri),
        key=lambda pair: (-pair[0], pair[1].uri, pair[1].text),
    )
    return tuple(
        dict.fromkeys(Relevant(uri=each.uri, quote=quote_of(text, each.text)) for _, each in best)
    )[:MOST]


def quote_of(text: str, passage: str) -> str | None:
    """The sentence of the passage that has most of the text's words, as the passage has it."""
    said = [each for each in sentences(passage) if each.strip()]
    if not said:
        return None
    best = max(said, key=lambda each: (supports(text, each), -len(each)))
    quote = best.strip()
    return quote if len(quote) <= LONGEST_QUOTE and quote in passage else None
