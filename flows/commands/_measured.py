"""How measurements look on a terminal: values with their intervals, arms side by side. Nothing is
wider than 80 columns need be.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmops.flows.commands._grid import grid
from llmops.flows.commands._tables import Facts, printable

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.knowledge.handle import Version
    from llmops.tasks.retrieval.measure import Measurement

logger = logging.getLogger(__name__)


def record(
    home: Path, version: "Version", measured: "Measurement", sha256: str, golden: str
) -> None:
    """Add the measurement to the curves of the knowledge base in MLflow, if MLflow takes it: what
    was measured is shown all the same.
    """
    from llmops.tasks.errors import LlmopsError
    from llmops.tasks.tracking import QualityRecord, record_quality

    point = QualityRecord(
        knowledge_base=version.kb,
        version=version.version,
        measured=measured.to_json()["modes"]["hybrid"],
        questions=len(measured.questions),
        golden_sha256=sha256,
        golden=golden,
        numbers={"documents": {"total": version.documents}, "chunks": {"total": version.chunks}},
    )
    try:
        record_quality(home, point)
    except LlmopsError as error:
        logger.warning("not recorded in MLflow: %s", error)


def measurement(console: "Console", found: Facts) -> None:
    """A line per metric with value and interval in each mode, then the worst questions."""
    modes = found["modes"]
    cells = [
        [name, *[interval(values[name]) for values in modes.values()]]
        for name in next(iter(modes.values()))
    ]
    console.print(
        f"{found['knowledge_base']}, version {found['version']}, {found['questions']} questions"
    )
    grid(console, ["", *modes], cells)
    if found["worst"]:
        console.print("\nWorst questions")
        for question in found["worst"]:
            console.print(
                f"  {printable(question['question'])}\n    expected "
                f"{printable(', '.join(question['expected']))}; "
                f"got {printable(', '.join(question['got'][:3])) or 'nothing'}",
                markup=False,
            )


def comparison(console: "Console", found: Facts) -> None:
    """An arm after the other: a line per metric with value, interval and the difference to the
    first arm.
    """
    arms = found["arms"]
    metrics = [name for name in arms[0]["metrics"] if not name.startswith("precision")]
    console.print(
        f"{found['questions']} questions of {found['golden']}, {found['mode']} search", markup=False
    )
    for arm in arms:
        console.print(
            f"\n{printable(arm['name'])}: {arm['chunks']:,} chunks", markup=False, style="bold"
        )
        cells = [
            [
                f"  {name}",
                interval(arm["metrics"][name]),
                _gain((arm["difference"] or {}).get(name)),
            ]
            for name in metrics
        ]
        grid(console, ["", "value [95 %]", "difference" if arm["difference"] else ""], cells)
    console.print("\n" + verdict(arms, metrics, found["best"], f"ndcg@{found['k']}"), markup=False)
    console.print(f"  mlflow      {found['links']['mlflow']}", markup=False)


def verdict(arms: Sequence[Facts], metrics: Sequence[str], best: str, metric: str) -> str:
    """What the comparison comes to, in a sentence or two."""
    if all(
        arm["metrics"][name]["value"] == arms[0]["metrics"][name]["value"]
        for arm in arms
        for name in metrics
    ):
        return "All arms are equal in every metric."
    values = [arm["metrics"][metric]["value"] for arm in arms]
    top = (
        f"All arms have the same {metric}."
        if len(set(values)) == 1
        else f"Highest {metric}: {printable(best)}."
    )
    sure = any(_differs((arm["difference"] or {}).get(name)) for arm in arms for name in metrics)
    first = printable(arms[0]["name"])
    return f"{top}\nDifferences are to {first}" + (
        "; *: the interval excludes 0." if sure else "; none is beyond chance."
    )


def _differs(difference: Facts | None) -> bool:
    return (
        difference is not None and not difference["interval"][0] <= 0 <= difference["interval"][1]
    )


def _gain(difference: Facts | None) -> str:
    if difference is None:
        return ""
    low, high = difference["interval"]
    return (
        f"{difference['value']:+.3f} [{low:+.3f}, "
        f"{high:+.3f}]{' *' if _differs(difference) else ''}"
    )


def interval(value: Facts) -> str:
    """`0.912 [0.880, 0.940]`."""
    low, high = value["interval"] or (None, None)
    return f"{value['value']:.3f}" + (
        f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    )
