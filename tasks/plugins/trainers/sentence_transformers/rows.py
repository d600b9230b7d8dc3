"""The rows of the exporter `triplets`, and which of them fit into the model."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.trainers import TrainingData

COLUMNS = ("anchor", "positive", "negative")
PAIRS, TRIPLETS = "pairs", "triplets"
TooLong = Literal["drop", "cut", "refuse"]
Texts = tuple[str, ...]
"""anchor, positive and, in a triplet, negative."""


class FittingRows(NamedTuple):
    """`kept`: of each kind, pairs and triplets, none that is empty. `long`: rows with a text that
    is longer than the model takes, left out or cut.
    """

    kept: Mapping[str, Sequence[Texts]]
    long: int

    @property
    def total(self) -> int:
        return sum(map(len, self.kept.values()))


def texts_of(path: Path) -> Iterator[Texts]:
    """Raises UsageError for a line that the exporter has not written."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            record = json.loads(line)
            texts = tuple(record[name] for name in COLUMNS if name in record)
            if len(texts) < 2 or not all(isinstance(each, str) and each for each in texts):
                raise UsageError(
                    f"{path}:{number}: wanted the texts anchor, positive and perhaps negative",
                    hint="the exporter triplets writes them",
                )
            yield texts


def rows_of(
    data: TrainingData,
    split: str,
    count: Callable[[Sequence[str]], list[int]],
    most: int,
    too_long: TooLong,
) -> FittingRows:
    """Those of a split. `count`: the length of texts in tokens of the model; `most`: the longest
    that it takes. Raises UsageError where one is longer, and that is refused.
    """
    every = [texts for path in files_of(data, split) for texts in texts_of(path)]
    distinct = sorted({text for texts in every for text in texts})
    lengths = dict(zip(distinct, count(distinct), strict=True))
    long = [texts for texts in every if max(lengths[text] for text in texts) > most]
    if long and too_long == "refuse":
        found = max(lengths[text] for texts in long for text in texts)
        raise UsageError(
            f"{len(long)} of {len(every)} {split} rows of {data.name} have a text of more than "
            f"{most} tokens, the longest {found}",
            hint="too_long: drop leaves them out, cut reads them as the embedder would",
        )
    out = set() if too_long == "cut" else set(long)
    kept: dict[str, list[Texts]] = {}
    for texts in every:
        if texts not in out:
            kept.setdefault(TRIPLETS if len(texts) == len(COLUMNS) else PAIRS, []).append(texts)
    return FittingRows(kept, len(long))


def files_of(data: TrainingData, split: str) -> list[Path]:
    """The triplets of a split, and the pairs of those without a negative."""
    named = [data.files.get(split), data.beside.get(f"{split}-{PAIRS}.jsonl")]
    return [path for path in dict.fromkeys(named) if path is not None]
