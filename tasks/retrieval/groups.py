"""Groups of questions that a split must not part, and the folds that keep them together.

Questions about one document are not independent; what is learnt from one flatters the other.
"""

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from llmops.tasks.texts.terms import analyse

Groups = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
FOLDS = 5
SHINGLE = 3
"""Terms in a row."""
ALIKE = 0.5
"""The Jaccard similarity of the shingles of two documents that say the same."""
COMMON = 100
"""A shingle of more documents than these is a page's frame, and tells nothing."""


def linked(marks: Sequence[set[str]]) -> Groups:
    """A number per question, shape (n,); questions that share a mark, such as a document, directly
    or through others, share the number.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = {name: n for n, name in enumerate(sorted(set().union(*marks)))}
    pairs = [(n, len(marks) + names[name]) for n, mine in enumerate(marks) for name in sorted(mine)]
    rows, columns = np.array(pairs).T
    size = len(marks) + len(names)
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(size, size))
    numbers: Groups = connected_components(graph, directed=False)[1]
    return numbers[: len(marks)]


def folds(groups: Groups, count: int = FOLDS) -> list[Mask]:
    """A mask of held-out questions per fold: the largest groups first, each into the smallest fold
    so far.
    """
    sizes, fold_of = np.bincount(groups), np.empty(groups.max() + 1, int)
    filled = np.zeros(count, int)
    for group in np.argsort(-sizes, kind="stable"):
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    masks = [fold_of[groups] == fold for fold in range(count)]
    return [mask for mask in masks if mask.any() and not mask.all()]


def clean_marks(
    questions: Sequence[str], documents: Sequence[set[str]], texts: Mapping[str, str]
) -> list[set[str]]:
    """What holds questions together: their documents (uris), the pages that these are parts of
    (what is before a `#`), documents that say nearly the same, and the words of the question.

    `texts`: uri -> text of each document.
    """
    twins = _twins(texts)
    return [
        {f"text {_plain(question)}"}
        | {f"page {uri.partition('#')[0]}" for uri in mine}
        | {f"twin {twins[uri]}" for uri in mine if uri in twins}
        for question, mine in zip(questions, documents, strict=True)
    ]


def _plain(question: str) -> str:
    return " ".join(analyse(question)) or unicodedata.normalize("NFKC", question).casefold()


def _twins(texts: Mapping[str, str]) -> dict[str, int]:
    """uri -> number of its set of near-duplicates."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    uris = sorted(texts)
    shingles: dict[str, int] = {}
    rows, columns = [], []
    for row, uri in enumerate(uris):
        terms = analyse(texts[uri])
        last = max(1, len(terms) - SHINGLE + 1)
        mine = {" ".join(terms[start : start + SHINGLE]) for start in range(last)}
        for each in mine:
            rows.append(row)
            columns.append(shingles.setdefault(each, len(shingles)))
    if not rows:
        return {}
    held = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(uris), len(shingles)))
    rare = held[:, np.flatnonzero(held.sum(axis=0) <= COMMON)]
    shared = (rare @ rare.T).tocoo()
    sizes = np.asarray(rare.sum(axis=1)).ravel()
    union = sizes[shared.row] + sizes[shared.col] - shared.data
    alike = shared.data >= ALIKE * union
    graph = csr_array(
        (np.ones(int(alike.sum())), (shared.row[alike], shared.col[alike])),
        shape=(len(uris), len(uris)),
    )
    return dict(zip(uris, map(int, connected_components(graph, directed=False)[1]), strict=True))
