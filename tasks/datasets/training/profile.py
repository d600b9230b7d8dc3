"""What is in a data set, counted in one pass: where rows come from, in which languages they are,
how long, how good people found them.
"""

from collections import Counter

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.datasets.training import contents
from llmops.tasks.datasets.training.exporting import SplitRows
from llmops.tasks.datasets.training.lengths import counter_of, tokens_in
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.texts.language import detect

LOOKED_AT = 20_000
"""Rows of which languages are told: of more, every n-th."""
EDGES = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
UNSAID = "not said"


class RowProfile(BaseModel):
    """Counts of rows. `tokens`: of conversations, `answers`: of answers alone, by the last of EDGES
    that is not above; `languages`: of `looked_at` rows.
    """

    model_config = ConfigDict(frozen=True)
    sources: dict[str, int] = Field(default_factory=dict)
    licences: dict[str, int] = Field(default_factory=dict)
    languages: dict[str, int] = Field(default_factory=dict)
    scores: dict[str, int] = Field(default_factory=dict)
    tokens: dict[int, int] = Field(default_factory=dict)
    answers: dict[int, int] = Field(default_factory=dict)
    groups: int = 0
    pairs: int = 0
    with_tools: int = 0
    turns: dict[int, int] = Field(default_factory=dict)
    looked_at: int = 0


def profile(rows: SplitRows, tokenizer: str) -> RowProfile:
    """The counts over all sides."""
    total = sum(files.rows for _, files in rows.sides())
    step = max(1, -(-total // LOOKED_AT))
    counted = _Counted(tokenizer)
    for number, row in enumerate(row for _, files in rows.sides() for row in files.read()):
        counted.add(row, language=number % step == 0)
    return counted.profile()


class _Counted:
    """What is known so far."""

    def __init__(self, tokenizer: str) -> None:
        self._count = counter_of(tokenizer)
        self._texts = {name: Counter[str]() for name in ("sources", "licences", "languages")}
        self._scores = Counter[str]()
        self._numbers = {name: Counter[int]() for name in ("tokens", "answers", "turns")}
        self._groups = set[int]()
        self._pairs = self._tools = self._looked = 0

    def add(self, row: Row, *, language: bool) -> None:
        self._texts["sources"][str(row.lineage.get("collector") or UNSAID)] += 1
        self._texts["licences"][str(row.lineage.get("licence") or UNSAID)] += 1
        self._groups.add(hash(row.group))
        self._pairs += row.chosen is not None
        self._tools += bool(row.tools)
        self._scores[_score(row)] += 1
        answer = contents.answers(row)[0]
        whole = [each.model_dump(mode="json") for each in (*contents.prompt(row), *answer)]
        self._numbers["tokens"][_edge(tokens_in(whole, self._count))] += 1
        said = "\n".join(map(contents.text, answer))
        self._numbers["answers"][_edge(self._count(said))] += 1
        self._numbers["turns"][len(whole)] += 1
        if language:
            self._looked += 1
            asked = contents.said(contents.prompt(row)[-1:])
            self._texts["languages"][detect(f"{asked}\n{said}") or "not sure"] += 1

    def profile(self) -> RowProfile:
        texts = {name: dict(counts.most_common()) for name, counts in self._texts.items()}
        numbers = {name: dict(sorted(counts.items())) for name, counts in self._numbers.items()}
        return RowProfile(
            **texts,
            **numbers,
            scores=dict(sorted(self._scores.items())),
            groups=len(self._groups),
            pairs=self._pairs,
            with_tools=self._tools,
            looked_at=self._looked,
        )


def _score(row: Row) -> str:
    if row.chosen is not None:
        return "pair"
    return UNSAID if row.score is None else f"{row.score:.1f}"


def _edge(tokens: int) -> int:
    return max(edge for edge in EDGES if edge <= tokens)
