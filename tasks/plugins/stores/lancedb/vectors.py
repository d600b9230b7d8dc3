"""The vectors of a table at one version, in memory: as whole numbers of 8 bits, and in full where
there is room.

A search compares the question with every row in 8 bits, which takes a quarter of the memory and
less than half of the time. How far such a cosine may lie from the true one is known for each row,
so every row that may be among the nearest is compared in full: what is found is exact. Where the
vectors have to be read for that, a second byte for each number, which says what the first leaves
out, lets few through that are not wanted.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import simsimd
from numpy.typing import NDArray

from llmops.tasks.plugins.stores import Point
from llmops.tasks.plugins.stores.lancedb.postings import Floats, Mask, Places, kth_best
from llmops.tasks.schemas import Vectors

ROUNDING = 1e-5  # far above the error of a float32 dot product, far below a difference that matters
PRODUCT_BYTES = 64 * 2**20
FEW = 8
ROWS_AT_ONCE = 4_096
LARGEST = 127
FINER = 2 * LARGEST
PART_ROWS = 200_000

Codes = NDArray[np.int8]
ReadVectors = Callable[[Places], Vectors]
"""The vectors at some places, in their order."""


class VectorsBatch(NamedTuple):
    """Some rows: their places, and their vectors, shape (rows, dimension)."""

    places: Places
    points: Vectors


class RoughScores(NamedTuple):
    """A cosine for each row, and how far the true one may lie from it."""

    cosines: Floats
    errors: Floats

    @property
    def least(self) -> Floats:
        return self.cosines - self.errors


class HeldVectors:
    """`points`: every vector, shape (rows, dimension); None: there is room for the codes alone, and
    `read` fetches the vectors that are compared in full.
    """

    def __init__(self, codes: "VectorCodes", points: Vectors | None, read: ReadVectors) -> None:
        self._codes, self._points = codes, points
        self._read = read if points is None else points.__getitem__

    @classmethod
    def load(
        cls, batches: Iterable[VectorsBatch], shape: tuple[int, int], most: int, read: ReadVectors
    ) -> "HeldVectors | None":
        """None where even the codes take more than `most` bytes. The vectors take at most half of
        what the codes leave: a search gains more from terms and texts in memory.
        """
        codes = VectorCodes.taking(shape, most)
        if codes is None:
            return None
        room = (most - codes.nbytes) // 2
        points = np.empty(shape, np.float32) if 4 * shape[0] * shape[1] <= room else None
        if points is None and shape[0] * shape[1] <= room:
            codes.hold_rest()
        for batch in batches:
            codes.put(batch)
            if points is not None:
                points[batch.places] = batch.points
        return cls(codes, points, read)

    @property
    def nbytes(self) -> int:
        return self._codes.nbytes + (0 if self._points is None else int(self._points.nbytes))

    def nearest(
        self, points: Vectors, k: int, mask: Mask | None
    ) -> Iterator[tuple[Places, Floats]]:
        """Of each point the places and cosines of the k nearest, and of some that are not much
        farther, in no order.
        """
        seen = None if mask is None else np.flatnonzero(mask)
        directions = points / np.linalg.norm(points, axis=1, keepdims=True)
        if self._points is None or len(points) == 1:
            for point, direction in zip(points, directions, strict=True):
                yield self._chosen(point, self._codes.compared(direction, seen), k, seen)
            return
        few = seen if is_few(seen, len(self._points)) else None
        for point, each in zip(points, self._products(directions, few), strict=True):
            products = each if seen is None or few is not None else each[seen]
            yield self._close(point, products, k, seen)

    def _products(self, directions: Vectors, few: Places | None) -> Iterator[Floats]:
        """The cosine of each direction with each row, but for rounding; `few`: with these alone."""
        assert self._points is not None
        rows, scales = self._points, self._codes.scales
        if few is not None:
            rows, scales = rows[few], scales[few]
        some = max(1, PRODUCT_BYTES // max(1, scales.nbytes))
        for first in range(0, len(directions), some):
            products = directions[first : first + some] @ rows.T
            products *= scales
            yield from products

    def _close(
        self, point: Point, products: Floats, k: int, seen: Places | None
    ) -> tuple[Places, Floats]:
        """`products`: of the places `seen`; None: of all. Both what is compared and the k-th best
        may be off by the rounding.
        """
        some = np.arange(len(products))
        if k < len(products):
            some = np.flatnonzero(products >= kth_best(products, k) - 2 * ROUNDING)
        places = some if seen is None else seen[some]
        return places, cosines(self._read, point, places)

    def _chosen(
        self, point: Point, rough: RoughScores, k: int, seen: Places | None
    ) -> tuple[Places, Floats]:
        """`rough`: of the places `seen`; None: of all."""

        def exact(places: Places) -> tuple[Places, Floats]:
            places = places if seen is None else seen[places]
            return places, cosines(self._read, point, places)

        if k >= len(rough.cosines):
            return exact(np.arange(len(rough.cosines)))
        first = np.flatnonzero(rough.cosines >= kth_best(rough.cosines, k))
        if self._points is None and self._codes.has_rest:
            return exact(self._closely(point, rough, first, k, seen))
        places, scores = exact(first)
        least = kth_best(scores, k) - ROUNDING  # the k-th best of all is no less
        others = np.flatnonzero(rough.cosines + rough.errors >= least)
        more, theirs = exact(np.setdiff1d(others, first, assume_unique=True))
        return np.concatenate([places, more]), np.concatenate([scores, theirs])

    def _closely(
        self, point: Point, rough: RoughScores, first: Places, k: int, seen: Places | None
    ) -> Places:
        """The places, among `seen`, that may be among the k nearest by both bytes; `first`: at
        least k of them.
        """
        direction: Point = point / np.linalg.norm(point)

        def finer(places: Places) -> RoughScores:
            return self._codes.compared_closely(direction, places if seen is None else seen[places])

        least = kth_best(finer(first).least, k)  # the k-th best of all is no less
        some = np.flatnonzero(rough.cosines + rough.errors >= least - ROUNDING)
        fine = finer(some)
        return some[fine.cosines + fine.errors >= kth_best(fine.least, k) - ROUNDING]


class VectorCodes:
    """Each vector's direction as whole numbers from -127 to 127, times a step of its own; `rest`:
    what these leave out, in steps of a 254th of that.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._codes = np.zeros(shape, np.int8)
        self._rest: Codes | None = None
        self._steps, self._errors, self.scales = (np.zeros(shape[0], np.float32) for _ in range(3))

    @classmethod
    def taking(cls, shape: tuple[int, int], most: int) -> "VectorCodes | None":
        """None where they take more than `most` bytes."""
        return cls(shape) if shape[0] * (shape[1] + 3 * 4) <= most else None

    def hold_rest(self) -> None:
        """Before anything is put in."""
        self._rest = np.zeros(self._codes.shape, np.int8)

    @property
    def has_rest(self) -> bool:
        return self._rest is not None

    @property
    def nbytes(self) -> int:
        rest = 0 if self._rest is None else int(self._rest.nbytes)
        parts = (self._codes, self._steps, self._errors, self.scales)
        return rest + sum(int(part.nbytes) for part in parts)

    def put(self, batch: VectorsBatch) -> None:
        """`scales` becomes one over each vector's length."""
        scales = 1 / np.sqrt(np.vecdot(batch.points, batch.points))
        directions = batch.points * scales[:, None]
        codes, steps, errors = coded(directions)
        if self._rest is not None:
            left = directions - codes * steps[:, None]
            self._rest[batch.places] = np.rint(left / (steps[:, None] / FINER)).astype(np.int8)
        self._codes[batch.places], self._steps[batch.places] = codes, steps
        self._errors[batch.places], self.scales[batch.places] = errors, scales

    def compared(self, direction: Point, seen: Places | None = None) -> RoughScores:
        """The cosine with each row, or each of `seen`. By Cauchy and Schwarz the true one is no
        farther than what the codes of both leave out is long:
        |x·q - x'·q'| <= |x - x'| |q| + |x'| |q - q'|.
        """
        code, step, error = (each[0] for each in coded(direction[None]))
        few = is_few(seen, len(self._codes))
        products = _products(self._codes[seen] if few else self._codes, code[None])
        rows: Places | slice = slice(None) if seen is None else seen
        return RoughScores(
            (products if few else products[rows]) * (self._steps[rows] * step),
            self._errors[rows] * (1 + error) + error,
        )

    def compared_closely(self, direction: Point, places: Places) -> RoughScores:
        """By both bytes, with the rows at some places: the second one leaves out at most half of
        its step of each number.
        """
        assert self._rest is not None
        steps = self._steps[places]
        whole = self._codes[places].astype(np.float32)
        whole += self._rest[places] * np.float32(1 / FINER)
        errors = steps * (np.sqrt(whole.shape[1]) / (2 * FINER)) + ROUNDING
        products: Floats = np.asarray(whole @ direction, np.float32)
        return RoughScores(products * steps, errors.astype(np.float32))


def is_few(seen: Places | None, rows: int) -> bool:
    """Whether it pays to copy the vectors of some rows and compare these alone."""
    return seen is not None and len(seen) * FEW < rows


def _products(codes: Codes, code: Codes) -> Floats:
    """The dot product of each row with `code`, of shape (1, dimension). Many rows are shared among
    the cores; few would wait longer for a thread than for one core.
    """

    def part(first: int) -> Floats:
        some = codes[first : first + PART_ROWS]
        products: Floats = np.asarray(simsimd.cdist(code, some, metric="dot", out_dtype="float32"))
        return products.ravel()

    parts = range(0, len(codes), PART_ROWS)
    if len(parts) < 2:
        return part(0) if parts else np.empty(0, np.float32)
    with ThreadPoolExecutor(min(len(parts), os.cpu_count() or 1)) as pool:
        return np.concatenate([*pool.map(part, parts)])


def coded(directions: Vectors) -> tuple[Codes, Floats, Floats]:
    """Of vectors of length 1, shape (rows, dimension): codes, steps, and how long what the codes
    leave out is.
    """
    steps = np.abs(directions).max(axis=1) / np.float32(LARGEST)
    whole = np.rint(directions / steps[:, None])
    left = directions - whole * steps[:, None]
    return whole.astype(np.int8), steps, np.sqrt(np.vecdot(left, left))


def plain(column: "pa.FixedSizeListArray") -> Vectors:
    """A fixed size list column as a matrix, without a copy."""
    numbers = column.flatten().to_numpy(zero_copy_only=False)
    matrix: Vectors = numbers.reshape(len(column), column.type.list_size)
    return matrix


def cosines(read: ReadVectors, point: Point, places: Places) -> Floats:
    """Cosine similarity of the vectors at some places; equal vectors get equal scores wherever they
    stand.
    """
    direction = point.astype(np.float64)
    length = np.sqrt((direction**2).sum())
    scores = np.empty(len(places), np.float32)
    for first in range(0, len(places), ROWS_AT_ONCE):
        some = read(places[first : first + ROWS_AT_ONCE])
        lengths = np.sqrt((some**2).sum(axis=1)) * length
        scores[first : first + ROWS_AT_ONCE] = (some * direction).sum(axis=1) / lengths
    return scores
