"""The documents, what happens to them in a scenario, and what is right afterwards."""

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.adapter import POISON

PARAGRAPHS = 6
PER_CHUNK, OTHER_PER_CHUNK = 2, 3
"""Both divide PARAGRAPHS: every chunk is full, and its paragraphs tell its configuration."""

WORDS = (
    "river",
    "stone",
    "lamp",
    "winter",
    "garden",
    "copper",
    "signal",
    "paper",
    "engine",
    "salt",
)
HALVES = ("east", "west")
Texts = Mapping[str, str]


def text(name: str, edits: int = 0) -> str:
    """Six paragraphs, no two alike anywhere; an edit replaces the third."""
    paragraphs = []
    for number in range(PARAGRAPHS):
        changed = edits if number == 2 else 0
        chance = random.Random(f"{name}/{number}/{changed}")
        words = " ".join(chance.choices(WORDS, k=12))
        paragraphs.append(f"{words} {chance.randrange(10**9)}.".capitalize())
    return "\n\n".join(paragraphs)


def name(number: int) -> str:
    return f"{HALVES[number % 2]}/{number:03}.txt"


def corpus(size: int) -> dict[str, str]:
    """Text by uri. The last document but one has the same text as the last."""
    made = {name(number): text(name(number)) for number in range(size)}
    made[name(size - 2)] = made[name(size - 1)]
    return made


@dataclass
class Change:
    """`shown`: what lies in `docs` while the first run comes; `right`: what has to be found when
    all is over, `before` the texts that were indexed. `refused`: documents that nobody can index;
    of them the text of before is right. `loses`: `store` or `state` where that is removed before
    the run. `stays`: documents that were there and are to stay.
    """

    before: Texts
    shown: Texts
    right: Texts
    per_chunk: int = PER_CHUNK
    refused: frozenset[str] = frozenset()
    loses: str = ""
    stays: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.stays = frozenset(self.before) & frozenset(self.right)


def update(size: int) -> Change:
    """A tenth is edited, a twelfth removed, and a twelfth new."""
    before = corpus(size)
    edited = [name(number) for number in range(0, size // 2, 5)]
    removed = [name(number) for number in range(1, size // 2, 6)]
    new = [name(number) for number in range(size, size + max(2, size // 12))]
    right = {uri: told for uri, told in before.items() if uri not in removed}
    right |= {uri: text(uri, 1) for uri in edited} | {uri: text(uri) for uri in new}
    return Change(before, right, right)


def scenario(kind: str, size: int) -> Change:
    """The change of each scenario. Raises KeyError for an unknown one."""
    before, changed = corpus(size), update(size)
    half = {uri: told for uri, told in before.items() if uri.startswith(HALVES[0])}
    single = {uri: told for uri, told in before.items() if uri != name(size - 2)}
    refused = min(uri for uri in changed.right if changed.right[uri] != before.get(uri))
    poisoned = {**changed.right, refused: text(refused, 1).replace(" ", f" {POISON} ", 1)}
    kept = {**changed.right, refused: before.get(refused, "")}
    return {
        "plain update": changed,
        "empty source": Change(before, {}, before),
        "partial source": Change(before, half, before),
        "store lost": Change(before, before, before, loses="store"),
        "state lost": Change(before, before, before, loses="state"),
        "config changed": Change(before, before, before, OTHER_PER_CHUNK),
        "same text twice": Change(before, single, single),
        "one poisoned document": Change(before, poisoned, kept, refused=frozenset({refused})),
    }[kind]


def write(folder: Path, texts: Texts) -> None:
    """Make the folder hold exactly these files; one that stays the same is not touched."""
    folder.mkdir(exist_ok=True)
    for file in [*folder.rglob("*.txt")]:
        if str(file.relative_to(folder)) not in texts:
            file.unlink()
    for uri, told in texts.items():
        file = folder / uri
        if not file.exists() or file.read_text() != told:
            file.parent.mkdir(exist_ok=True)
            file.write_text(told)


def lose(folder: Path, patterns: list[str]) -> None:
    """Remove what a system has kept. Raises FileNotFoundError when there is nothing: then the
    adapter names a wrong place.
    """
    lost = [path for pattern in patterns for path in folder.glob(pattern)]
    if not lost:
        raise FileNotFoundError(f"nothing lies at {patterns} in {folder}")
    for path in lost:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
