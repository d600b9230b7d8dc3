"""Training, validation and test: what belongs together is never parted, and a proof of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmops.tasks.datasets.training.belonging import Kind, links
from llmops.tasks.datasets.training.duplicates import NEAR
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.schemas import sha256

Side = Literal["train", "validation", "test"]


class Shares(BaseModel):
    """How much of the rows goes where; the rest is for training. `seed`: another one gives another
    split. `near`: rows that are at least so similar (as in `duplicates`) stay together; None leaves
    near-duplicates alone. `prompts`: rows that ask the same stay together too, whatever the answer;
    where many people ask the same things, that may leave a few large clusters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    validation: float = Field(default=0.1, ge=0, lt=1)
    test: float = Field(default=0.1, ge=0, lt=1)
    seed: int = 7
    near: float | None = Field(default=NEAR, gt=0, le=1)
    prompts: bool = False

    @model_validator(mode="after")
    def _something_is_left(self) -> "Shares":
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave nothing to train on; "
                "together they must be below 1"
            )
        return self


class Leak(NamedTuple):
    """Two rows that belong together on two sides. `what`: the group, the conversation, or the
    similarity.
    """

    kind: Kind
    one: str
    one_side: Side
    other: str
    other_side: Side
    what: str

    def __str__(self) -> str:
        return (
            f"{self.one} ({self.one_side}) and {self.other} ({self.other_side}) have "
            f"{self.kind.replace('_', '-')} {self.what}"
        )


def split(rows: Iterable[Row], shares: Shares) -> list[Side]:
    """The side of each row, in their order.

    Rows are one cluster, and so on one side, when they are of one group, of one conversation (named
    in the lineage, or one is how the other begins) or near-duplicates; see `Shares`. The side is
    drawn from the seed and the names of the cluster's groups alone: rows that are added later leave
    it where it is, unless they join two clusters. So shares are met on average, not to the row. A
    cluster larger than the share of a side is trained on; from three clusters on no side with a
    share stays empty.
    """
    groups = list[str]()
    clusters = _clusters(_noted(rows, groups), groups, shares)
    names: dict[int, str] = {}
    for cluster, group in zip(clusters, groups, strict=True):
        names[cluster] = min(names.get(cluster, group), group)
    sizes = Counter(clusters)
    draws = {each: _drawn(name, shares.seed) for each, name in names.items()}
    sides = {each: _side(draws[each], sizes[each], len(groups), shares) for each in draws}
    _fill(sides, draws, sizes, shares)
    return [sides[cluster] for cluster in clusters]


def leaks(
    rows: Iterable[tuple[Side, Row]],
    near: float | None = NEAR,
    *,
    prompts: bool = False,
    most: int = 1000,
) -> list[Leak]:
    """Rows that belong together but are on two sides, at most so many of them; none for a split
    that may be used.

    It looks anew, with other hash functions than `split` and more bands: a pair just at the
    threshold is missed with a probability of at most 1e-4, a more similar one with a lower one.
    """
    ids, sides = list[str](), list[Side]()

    def noted() -> Iterator[Row]:
        for side, row in rows:
            ids.append(row.id)
            sides.append(side)
            yield row

    found = list[Leak]()
    every = links(noted(), near, prompts=prompts, wanted=1 - 1e-4, seed=2)
    for kind, one, other, what in every:
        if sides[one] != sides[other] and len(found) < most:
            found.append(Leak(kind, ids[other], sides[other], ids[one], sides[one], what))
    return found


def _noted(rows: Iterable[Row], groups: list[str]) -> Iterator[Row]:
    for row in rows:
        groups.append(row.group)
        yield row


def _clusters(rows: Iterable[Row], groups: list[str], shares: Shares) -> list[int]:
    """The number of each row's cluster."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [(link.one, link.other) for link in links(rows, shares.near, prompts=shares.prompts)]
    ones, others = zip(*pairs, strict=True) if pairs else ((), ())
    size = len(groups)
    graph = coo_array(([True] * len(pairs), (ones, others)), shape=(size, size))
    return [int(each) for each in connected_components(graph, directed=False)[1]] if size else []


def _drawn(name: str, seed: int) -> float:
    """A number from 0 to 1, even over names."""
    return int(sha256(f"{seed}\x1f{name}")[:13], 16) / 16**13


def _side(draw: float, size: int, rows: int, shares: Shares) -> Side:
    if draw < shares.test and _fits(size, rows, shares.test):
        return "test"
    if shares.test <= draw < shares.test + shares.validation:
        return "validation" if _fits(size, rows, shares.validation) else "train"
    return "train"


def _fits(size: int, rows: int, share: float) -> bool:
    return size <= max(1.0, share * rows)


def _fill(
    sides: dict[int, Side], draws: Mapping[int, float], sizes: Mapping[int, int], shares: Shares
) -> None:
    """Give a cluster to every side that has a share and got none: of the small ones the one with
    the lowest draw.
    """
    wanted: dict[Side, float] = {
        "test": shares.test,
        "validation": shares.validation,
        "train": 1 - shares.test - shares.validation,
    }
    for side, share in wanted.items():
        counts = Counter(sides.values())
        if share == 0 or counts[side] or len(sides) < len(wanted):
            continue
        spare = [each for each in sides if counts[sides[each]] > 1]
        rows = sum(sizes.values())
        if spare:
            best = min(spare, key=lambda one: (not _fits(sizes[one], rows, share), draws[one]))
            sides[best] = side
