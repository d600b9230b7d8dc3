"""What the texts of the windows say: drift, new topics, and what people have to do."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from llmops.tasks.errors import LlmopsError
from llmops.tasks.monitoring.collecting import CollectedTraffic, MonitorSpec, window_of
from llmops.tasks.monitoring.drift import drifts
from llmops.tasks.monitoring.figures import LISTS, Drift, NewTopic, Recommendations
from llmops.tasks.monitoring.recommend import recommendations
from llmops.tasks.monitoring.vectors import RememberedEmbedder
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.traces.monitored import working_folder

T = TypeVar("T")


class Analysed(BaseModel):
    """`cost_usd`: of vectors; `whole`: whether nothing is missing that another look would find;
    `remarks`: why something is.
    """

    model_config = ConfigDict(frozen=True)
    drifts: tuple[Drift, ...] = ()
    new_topics: tuple[NewTopic, ...] = ()
    recommendations: Recommendations = Recommendations()
    cost_usd: float = 0.0
    whole: bool = True
    remarks: tuple[str, ...] = ()


def analyse(home: Path, spec: MonitorSpec, collected: CollectedTraffic) -> Analysed:
    """Both parts, with the same vectors; one that fails (an embedder or a store that does not
    answer) stops the other not, and is a remark.
    """
    current, *windows = [window_of(file) for file in collected.files]
    remarks: list[str] = []
    folder = working_folder(home, spec.app)
    nothing: tuple[tuple[Drift, ...], tuple[NewTopic, ...]] = (_unknown(collected), ())
    inner = spec.embed.build(Embedder)
    with RememberedEmbedder.of(home, spec.app, inner, folder) as embedder:
        drifted, topics = _tried(
            remarks,
            "drift",
            lambda: drifts(
                current,
                [window for window in windows if window],
                embedder,
                false_alarms_per_year=spec.false_alarms_per_year,
                looks_per_year=spec.looks_per_year,
            ),
            nothing,
        )
        found = _tried(
            remarks,
            "recommendations",
            lambda: recommendations(
                home,
                current,
                embedder,
                knowledge_bases=collected.knowledge_bases,
                since=collected.since,
            ),
            Recommendations(not_looked=dict.fromkeys(LISTS, "that could not be done now")),
        )
    return Analysed(
        drifts=drifted,
        new_topics=topics,
        recommendations=found,
        cost_usd=embedder.cost_usd,
        whole=not remarks,
        remarks=tuple(remarks),
    )


def _tried(remarks: list[str], what: str, work: Callable[[], T], instead: T) -> T:
    try:
        return work()
    except LlmopsError as error:
        remarks.append(f"{what}: {error}")
        return instead


def _unknown(collected: CollectedTraffic) -> tuple[Drift, ...]:
    """Where no texts could be compared."""
    reason = "the texts could not be compared"
    return tuple(
        Drift(what=what, status="unknown", n=collected.exchanges, n_before=0, reason=reason)
        for what in ("questions", "answers")
    )
