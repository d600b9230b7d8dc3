"""How well triage finds answers that people call bad, and how far people agree on that: the ratings
of FeedbackQA (Li et al. 2022), where two people rated each answer.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.feedback

`LLMOPS_BENCH_DATA` holds `feedbackqa` (a checkout of McGill-NLP/feedbackqa). Question, answer and
passage of each rated pair become a trace; the first rating is imported as somebody's feedback
(`down`: what they call so), the second is kept apart: an answer is bad where it says Bad. Triage
chooses as the feedback flow does, with and without the ratings as a signal; what it chose is
compared with a random sample of the same size. Intervals are Wilson's, at 95 %. New topics are left
out: they are not about bad answers. The answer is the passage itself, so that its support says
nothing here; an answer of a model would be another matter.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.command import data_folder
from llmops.tasks.plugins import Spec
from llmops.tasks.statistics.agreement import reliability
from llmops.tasks.statistics.intervals import wilson_interval
from llmops.tasks.traces import index
from llmops.tasks.traces.feedback import Feedback, rate
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.trace import TraceRecorder
from llmops.tasks.triage.choose import triage
from llmops.tasks.triage.look import look
from llmops.tasks.triage.signals import TriageRules

APP = "feedbackqa"
GRADES = ("Bad", "Could be Improved", "Acceptable", "Excellent")
SEED = 7
SIGNALS = {
    "no ratings": (),
    "ratings, down: Bad": ("Bad",),
    "ratings, down: Bad or Could be Improved": ("Bad", "Could be Improved"),
}
MOST = (100, 10_000)
"""Items that a run may add: as by default, and as many as have a reason."""


class Rated(NamedTuple):
    """A question and the answer that two people rated."""

    question: str
    answer: str
    uri: str
    ratings: tuple[str, str]


def rated(data: Path) -> list[Rated]:
    """All pairs of all domains and splits that are there."""
    files = (data / "feedbackqa" / "experiments" / "feedbackQA_data").glob("*/feedback_*.json")
    return [
        Rated(
            one["question"],
            one["passage"]["reference"]["section_content"] or "",
            f"{one['passage']['source']}/{one['passage']['passage_id']}",
            (one["rating"][0], one["rating"][1]),
        )
        for file in sorted(files)
        for one in json.loads(file.read_text("utf-8"))
    ]


def imported(home: Path, pairs: Sequence[Rated]) -> dict[str, Rated]:
    """The pairs as traces of a home, by the ids of the traces."""
    spool = TraceSpool(home, APP, 10**10)
    made: dict[str, Rated] = {}
    traces = []
    for number, pair in enumerate(pairs):
        recorder = TraceRecorder(APP, pair.question, trace_id=f"tr-{number:032x}")
        with recorder.span("retrieve", "RETRIEVER", {"query": pair.question}) as span:
            span.outputs = [{"page_content": pair.answer, "metadata": {"uri": pair.uri}}]
        traces.append(recorder.finish(pair.answer))
        made[recorder.id] = pair
    index.enter(home, traces)
    for trace in traces:
        spool.put(trace)
    return made


def rate_all(home: Path, by_id: Mapping[str, Rated], down: Sequence[str]) -> None:
    """The first rating of each as feedback."""
    for trace_id, pair in by_id.items():
        rate(home, trace_id, "", Feedback("down" if pair.ratings[0] in down else "up"))


def figures(chosen: Sequence[Rated], every: Sequence[Rated]) -> dict[str, object]:
    """Precision and recall of what was chosen, by the second rating."""
    right = sum(pair.ratings[1] == "Bad" for pair in chosen)
    bad = sum(pair.ratings[1] == "Bad" for pair in every)
    return {
        "chosen": len(chosen),
        "precision": round(right / len(chosen), 3) if chosen else None,
        "precision_interval": _interval(right, len(chosen)),
        "recall": round(right / bad, 3),
        "recall_interval": _interval(right, bad),
    }


def _interval(right: int, of: int) -> list[float] | None:
    if not of:
        return None
    return [round(end, 3) for end in wilson_interval(right, of)]


def agreement(pairs: Sequence[Rated]) -> dict[str, dict[str, object]]:
    """Of the two ratings: as grades, and only whether they say Bad."""
    graded = [[GRADES.index(pair.ratings[rater]) for pair in pairs] for rater in (0, 1)]
    bad = [[grade == 0 for grade in row] for row in graded]
    told: dict[str, dict[str, object]] = {}
    for name, found in (
        ("grades, ordinal alpha", reliability(graded, "ordinal")),
        ("grades, nominal alpha", reliability(graded)),
        ("Bad or not, alpha", reliability(bad)),
    ):
        told[name] = {
            "value": round(found.value or 0.0, 3),
            "interval": [round(found.low or 0.0, 3), round(found.high or 0.0, 3)],
            "equal": round(found.agreement, 3),
            "n": found.n,
        }
    return told


def tell(row: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    pairs = rated(data_folder())
    tell({"pairs": len(pairs), "bad": sum(pair.ratings[1] == "Bad" for pair in pairs)})
    for name, found in agreement(pairs).items():
        tell({"agreement": name, **found})
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        by_id = imported(home, pairs)
        look(home, APP, 30, Spec(name="minilm"), 0)
        for name, down in SIGNALS.items():
            if down:
                rate_all(home, by_id, down)
            for most in MOST:
                queue = f"q{len(down)}-{most}"
                done = triage(home, APP, queue, 30, TriageRules(topics=0, most=most), 1)
                chosen = [by_id[each.trace_id] for each in done.chosen]
                sample = random.Random(SEED).sample(pairs, len(chosen))
                tell({"signals": name, **figures(chosen, pairs), "reasons": done.by_reason()})
                tell({"signals": "a random sample as large", **figures(sample, pairs)})


if __name__ == "__main__":
    main()
