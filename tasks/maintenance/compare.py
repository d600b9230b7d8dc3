"""Knowledge bases side by side on one golden set: what a chunker or an embedder is worth, with
intervals.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, TypedDict

from pydantic import BaseModel, ConfigDict

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.handle import Version
from llmops.tasks.pictures import BLACK, BLUE, GREY, figure, plain, png
from llmops.tasks.retrieval.measure import Measurement
from llmops.tasks.statistics.intervals import share_interval
from llmops.tasks.statistics.paired import paired_difference

LEVEL = 0.95
SHOWN = ("recall", "ndcg", "mrr")


class MeasuredBase(BaseModel):
    """A knowledge base that was measured: one arm of a comparison. `changes`: what a grid set,
    empty where the knowledge base was there already.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    version: Version
    measured: Measurement
    changes: Mapping[str, Any] = {}
    embeddings: int = 0
    seconds: float = 0.0


class Interval(TypedDict):
    value: float
    interval: list[float]


class ArmRow(TypedDict):
    """An arm in the object of `kb compare`. `difference`: to the first arm, None for that one."""

    name: str
    knowledge_base: str
    version: int
    changes: dict[str, object]
    chunk: object
    embed: object
    store: str | None
    documents: int | None
    chunks: int | None
    embeddings_computed: int
    build_seconds: float
    metrics: dict[str, Interval]
    difference: dict[str, Interval] | None


def compare(arms: Sequence[MeasuredBase]) -> list[ArmRow]:
    """A row per arm, in order: values with intervals, and differences to the first arm, paired by
    question.

    The intervals of the differences hold for all arms together at 95 % (Bonferroni). Raises
    UsageError for fewer than two arms, ValueError when they were not measured on the same questions
    at the same k.
    """
    if len(arms) < 2:
        raise UsageError(
            "two knowledge bases or more are wanted", hint="llmops kb compare A B --golden FILE"
        )
    first = arms[0].measured
    if any((arm.measured.k, arm.measured.questions) != (first.k, first.questions) for arm in arms):
        raise ValueError(
            "arms must be measured on the same questions in the same order, at the same k"
        )
    level = 1 - (1 - LEVEL) / (len(arms) - 1)
    return [_row(arm, None if arm is arms[0] else first, level) for arm in arms]


def _row(arm: MeasuredBase, reference: Measurement | None, level: float) -> ArmRow:
    config, clusters = arm.version.config, [asked.cluster for asked in arm.measured.questions]
    metrics: dict[str, Interval] = {}
    difference: dict[str, Interval] = {}
    for name, own in arm.measured.first.values.items():
        metrics[name] = {"value": fmean(own), "interval": list(share_interval(own, clusters))}
        if reference is not None:
            effect = paired_difference(own, reference.first.values[name], clusters, level)
            difference[name] = {"value": effect.difference, "interval": [effect.low, effect.high]}
    return {
        "name": arm.name,
        "knowledge_base": arm.version.kb,
        "version": arm.version.version,
        "changes": dict(arm.changes),
        "chunk": config.get("chunk"),
        "embed": config.get("embed"),
        "store": config.get("store", {}).get("name"),
        "documents": arm.version.documents,
        "chunks": arm.version.chunks,
        "embeddings_computed": arm.embeddings,
        "build_seconds": round(arm.seconds, 2),
        "metrics": metrics,
        "difference": difference or None,
    }


def best(rows: Sequence[ArmRow], metric: str) -> str:
    """The name of the arm with the highest value; of equals the one with fewest chunks, then the
    first.
    """
    chosen = min(rows, key=lambda row: (-row["metrics"][metric]["value"], row["chunks"] or 0))
    return chosen["name"]


def plot(rows: Sequence[ArmRow], k: int, questions: int) -> bytes:
    """A PNG: for each metric, a point per arm with its interval; under each name the number of
    chunks.
    """
    picture = figure(11, 1.6 + 0.45 * len(rows))
    places = range(len(rows))[::-1]
    axes = picture.subplots(1, len(SHOWN), sharey=True)
    for axis, name in zip(axes, SHOWN, strict=True):
        own = [row["metrics"][f"{name}@{k}"] for row in rows]
        values = [metric["value"] for metric in own]
        lows, highs = zip(*(metric["interval"] for metric in own), strict=True)
        axis.hlines(places, lows, highs, color=GREY, linewidth=2)
        axis.scatter(values, places, color=[BLACK, *[BLUE] * (len(rows) - 1)], zorder=3)
        axis.axvline(values[0], color=BLACK, linestyle=":", linewidth=1)
        axis.set_title(f"{name}@{k}")
        plain(axis)
    axes[0].set_yticks(
        places, [f"{row['name']}\n{row['chunks']:,} chunks" for row in rows], fontsize=9
    )
    axes[0].set_ylim(-0.6, len(rows) - 0.4)
    picture.suptitle(
        f"{questions} questions, 95 % intervals; dotted: {rows[0]['name']}", fontsize=10
    )
    return png(picture)
