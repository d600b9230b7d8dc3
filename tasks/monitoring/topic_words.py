"""Words that say what texts are about, in every language that can be searched."""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from llmops.tasks.texts.terms import FIRST_DENSE, TOKEN, analyse

MOST = 5


def topic_words(texts: Sequence[str], others: Sequence[str], most: int = MOST) -> tuple[str, ...]:
    """The words that these texts have more often than the others do, as they are written most
    often; of Chinese and Japanese, characters that stand together.
    """
    here, there = _frequencies(texts), _frequencies(others)
    written: dict[str, Counter[str]] = {}
    for text in texts:
        for term, word in _words(text):
            written.setdefault(term, Counter())[word] += 1
    weights = {
        term: count * math.log(_share(count, texts) / _share(there[term], others))
        for term, count in here.items()
        if count > 1 or len(texts) == 1
    }
    ranked = sorted(weights, key=lambda term: (-weights[term], term))
    words: list[str] = []
    for term in ranked:
        if weights[term] > 0:
            _add(words, written[term].most_common(1)[0][0], texts)
        if len(words) == most:
            break
    return tuple(words)


def _add(words: list[str], word: str, texts: Sequence[str]) -> None:
    """Pairs of characters that follow each other wherever one of them stands are one word."""
    if word[0] >= FIRST_DENSE:
        count = _texts_with(word, texts)
        for place, other in enumerate(words):
            after = other + word[1:] if other[-1] == word[0] else ""
            before = word + other[1:] if word[-1] == other[0] else ""
            for joined in filter(None, (other if word in other else "", after, before)):
                if _texts_with(joined, texts) == count:
                    words[place] = joined
                    return
    words.append(word)


def _texts_with(word: str, texts: Sequence[str]) -> int:
    return sum(word in unicodedata.normalize("NFKC", text) for text in texts)


def _share(count: int, texts: Sequence[str]) -> float:
    return (count + 0.5) / (len(texts) + 1)


def _frequencies(texts: Sequence[str]) -> Counter[str]:
    """In how many texts each term stands."""
    return Counter(term for text in texts for term in {term for term, _ in _words(text)})


def _words(text: str) -> Iterator[tuple[str, str]]:
    """(term, word as it is written) of a text."""
    for token in TOKEN.findall(unicodedata.normalize("NFKC", text)):
        terms = analyse(token)
        if token[0] >= FIRST_DENSE:
            yield from ((term, term) for term in terms if len(term) > 1 or len(terms) == 1)
        elif terms:
            yield terms[0], token.casefold()
