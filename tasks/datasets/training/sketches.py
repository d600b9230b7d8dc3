"""Which of many texts are alike: MinHash signatures and bands find candidates, the exact Jaccard
similarity of shingles decides. Band hashes stay in memory, shingles lie in a temporary file.

Broder (1997); Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4. rensa makes the
signatures.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from tempfile import TemporaryFile
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from llmops.tasks.datasets.training.runs import Numbers, Places, Tokens, shingles, tokens
from llmops.tasks.plugins.cleaners.near_duplicates import HASHES, bands, run_hashes
from llmops.tasks.texts.hashing import mixed

if TYPE_CHECKING:
    from scipy.cluster.hierarchy import DisjointSet

SHINGLE = 3
"""Words of a shingle, characters in scripts without blanks: rows are shorter than documents."""
BATCH = 4096
REMEMBERED = 20_000


HALF = 0.5
"""Share of the words of each part (Jaccard) that texts have in common at least."""


class Alike(NamedTuple):
    """Two texts by their numbers, `one` after `other`; `similarity`: Jaccard of their shingles."""

    one: int
    other: int
    similarity: float


class Sketches:
    """What is remembered of texts, in the order in which they were added: 8 bytes for each of some
    twenty bands in memory, 8 bytes for each word on the disk. A context manager: closing it removes
    the file.

    A text has one part or several (a prompt, an answer), all of them equally many. Two are alike
    when the runs of three words of all parts together are, and of each part half the words: a long
    passage in both makes no duplicates of two questions with two answers.

    `near`: Jaccard similarity from which two texts count as alike, above 0 and at most 1; `wanted`:
    the probability of finding a pair that is just so similar (more similar ones are found with a
    higher one); `seed`: of the hash functions.
    """

    def __init__(self, near: float, *, wanted: float = 0.995, seed: int = 1) -> None:
        if not 0 < near <= 1:
            raise ValueError(f"near is a Jaccard similarity above 0 and at most 1, got {near}")
        self.near, self._seed = near, seed
        self._bands, self._rows = bands(near, wanted)
        self._file = TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._keys: list[Numbers] = []
        self._starts: list[Places] = [np.zeros(1, np.int64)]
        self._places: Places = self._starts[0]
        self._parts = 1
        self._read = lru_cache(maxsize=REMEMBERED)(self._from_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, texts: Iterable[Sequence[str]]) -> None:
        """Sketch texts, each given as its parts; any number of them, a few thousand are in memory
        at a time.
        """
        every = iter(texts)
        while batch := list(islice(every, BATCH)):
            self._add(batch)

    def _add(self, texts: Sequence[Sequence[str]]) -> None:
        from rensa import RMinHash

        self._parts = len(texts[0])
        said = tokens([part for each in texts for part in each])
        whole = Tokens(said.hashes, said.starts[:: self._parts], said.dense[:: self._parts])
        made = shingles(whole, SHINGLE)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(
            made.hashes, made.starts.astype(np.uint64), HASHES, self._seed
        )
        signs = np.array(matrix.to_rows(), np.uint64).reshape(len(texts), HASHES)
        self._keys.append(self._banded(signs, made.length))
        self._file.write(said.hashes.tobytes())
        self._starts.append(self._starts[-1][-1] + said.starts[1:])

    def _banded(self, signs: Numbers, lengths: Places) -> Numbers:
        """One hash for each band of each text; texts without words get hashes of their own."""
        kept = signs[:, : self._bands * self._rows].reshape(-1, self._bands, self._rows)
        total = np.zeros(kept.shape[:2], np.uint64)
        for place in range(self._rows):
            total = mixed(total + kept[:, :, place])
        empty = np.flatnonzero(lengths == 0)
        first = sum(map(len, self._keys))
        total[empty] = mixed((first + empty)[:, None].astype(np.uint64))
        return total

    def _from_file(self, number: int) -> tuple[Numbers, list[Numbers]]:
        """The shingles of a text, and the words of each of its parts: ascending, each once."""
        first = number * self._parts
        places = [int(each) for each in self._places[first : first + self._parts + 1]]
        data = os.pread(self._file.fileno(), 8 * (places[-1] - places[0]), 8 * places[0])
        hashes = np.frombuffer(data, np.uint64)
        cuts = [each - places[0] for each in places[1:-1]]
        parts = [np.unique(part) for part in np.split(hashes, cuts)] if cuts else []
        return run_hashes(hashes, SHINGLE), parts

    def similarity(self, one: int, other: int) -> float:
        """The exact Jaccard similarity of the shingles of two texts; 0 where one has none, and
        where less than half of the words of a part are the same.
        """
        (first, parts), (second, others) = self._read(one), self._read(other)
        if min(len(first), len(second)) < self.near * max(len(first), len(second)):
            return 0.0  # they cannot be alike
        similarity = _jaccard(first, second) if len(first) else 0.0
        same = all(_jaccard(*each) >= HALF for each in zip(parts, others, strict=True))
        return similarity if same else 0.0

    def _groups(self) -> Iterator[Places]:
        """Per band, for each text the number of its group, -1 where it is alone."""
        self._file.flush()
        self._places = np.concatenate(self._starts)
        for place in range(self._bands):
            keys = np.concatenate(
                [np.zeros(0, np.uint64), *(each[:, place] for each in self._keys)]
            )
            _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
            yield np.where(counts[inverse] > 1, inverse, -1)

    def repeated(self) -> Iterator[Alike]:
        """The texts that are like an earlier one which is not given itself: `other` always stays.
        So no text goes for one that goes."""
        groups = np.stack([each.astype(np.int32) for each in self._groups()], axis=1)
        kept: dict[tuple[int, int], list[int]] = {}
        for one in np.flatnonzero((groups >= 0).any(axis=1)).tolist():
            mine = [
                (place, group) for place, group in enumerate(groups[one].tolist()) if group >= 0
            ]
            candidates = sorted({other for key in mine for other in kept.get(key, ())})
            alike = ((self.similarity(one, other), other) for other in candidates)
            similarity, other = next((each for each in alike if each[0] >= self.near), (0.0, -1))
            if other >= 0:
                yield Alike(one, other, similarity)
                continue
            for key in mine:
                kept.setdefault(key, []).append(one)

    def links(self) -> Iterator[Alike]:
        """Pairs that join the texts as all pairs of alike texts would: whoever is like a text that
        is like a third is in one cluster with it.
        """
        from scipy.cluster.hierarchy import DisjointSet

        joined, unlike = DisjointSet(), set[tuple[int, int]]()
        for groups in self._groups():
            order = np.argsort(groups, kind="stable")
            cuts = np.flatnonzero(np.diff(groups[order])) + 1
            for members in np.split(order, cuts):
                if len(members) and groups[members[0]] >= 0:
                    yield from self._joining(members.tolist(), joined, unlike)

    def _joining(
        self, members: Sequence[int], joined: "DisjointSet", unlike: set[tuple[int, int]]
    ) -> Iterator[Alike]:
        """Links between members of a group that are not joined yet."""
        parts: dict[int, list[int]] = {}
        for one in members:
            joined.add(one)
            root = joined[one]
            for part in [each for each in parts if each != root]:
                link = self._link(one, parts[part], unlike)
                if link is not None:
                    yield link
                    joined.merge(one, link.other)
                    both = parts.pop(part) + parts.pop(root, [])
                    root = joined[one]
                    parts[root] = both
            parts.setdefault(root, []).append(one)

    def _link(self, one: int, others: Sequence[int], unlike: set[tuple[int, int]]) -> Alike | None:
        for other in others:
            if (one, other) in unlike:
                continue
            similarity = self.similarity(one, other)
            if similarity >= self.near:
                return Alike(one, other, similarity)
            unlike.add((one, other))
        return None


def _jaccard(one: Numbers, other: Numbers) -> float:
    """Of two sets of numbers, each ascending; 1 for two empty ones."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    union = len(one) + len(other) - both
    return both / union if union else 1.0
