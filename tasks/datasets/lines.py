"""What the steps of the feedback flow have done, each as a line of a log."""

from llmops.tasks.datasets.outcome import ReviewCounts, TriageCounts
from llmops.tasks.datasets.project import Projected
from llmops.tasks.knowledge.lines import count


def looked(new: int, waiting: int, topics: int) -> str:
    later = f", {waiting:,} wait for later runs" if waiting else ""
    return f"{count(new, 'new trace')} looked at{later}; {count(topics, 'new topic')}"


def triaged(counts: TriageCounts) -> str:
    reasons = ", ".join(f"{name} {number:,}" for name, number in counts.reasons.items())
    left = f"; {counts.left:,} come with later runs" if counts.left else ""
    return f"{count(counts.added, 'answer')} put into the queue: {reasons or 'none'}{left}"


def exchanged(put: int, taken: int) -> str:
    return f"{count(put, 'item')} put into MLflow's queue, {count(taken, 'answer')} there so far"


def standing(counts: ReviewCounts) -> str:
    states = ", ".join(f"{number:,} {state}" for state, number in counts.states.items())
    alpha = "" if counts.agreement is None else f"; agreement (alpha) {counts.agreement:.2f}"
    return f"queue {counts.queue}: {states or 'empty'}{alpha}"


def written(done: Projected) -> str:
    files = [f"{each.kind}: {each.rows:,} rows, {each.status}" for each in done.files]
    again = f"; {count(done.outdated, 'correction')} asked about again" if done.outdated else ""
    return f"{count(sum(done.settled.values()), 'answer')} settled; {', '.join(files)}{again}"
