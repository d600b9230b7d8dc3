"""What the steps of the score and monitor flows have done, each as a line of a log."""

from collections.abc import Sequence

from llmops.tasks.knowledge.lines import count
from llmops.tasks.monitoring.analysing import Analysed
from llmops.tasks.monitoring.bases import BaseLook
from llmops.tasks.monitoring.collecting import CollectedTraffic
from llmops.tasks.monitoring.live import Scored


def chosen(ids: Sequence[str]) -> str:
    return f"{count(len(ids), 'trace')} of the sample to be scored"


def scored(done: Scored) -> str:
    spent = done.spent
    paid = f", {count(spent.calls, 'call')}, {spent.cost_usd:.4f} USD" if spent.calls else ""
    stopped = f"; stopped: {done.stopped}" if done.stopped else ""
    return f"{done.traces:,} of {count(done.chosen, 'trace')} scored{paid}{stopped}"


def collected(traffic: CollectedTraffic) -> str:
    windows = count(traffic.reference_windows, "window")
    part = "" if traffic.whole else "; a part is missing, and comes with a later look"
    return (
        f"{count(traffic.exchanges, 'exchange')} from {traffic.since:%Y-%m-%d %H:%M} to "
        f"{traffic.until:%Y-%m-%d %H:%M} UTC, {windows} before it with any to compare with{part}"
    )


def bases(look: BaseLook) -> str:
    told = "; ".join(look.remarks)
    return f"{count(len(look.kpis), 'figure')} of knowledge bases{f'; {told}' if told else ''}"


def analysed(done: Analysed) -> str:
    drifts = [f"{each.what} {each.status}" for each in done.drifts]
    found = done.recommendations
    counts = {
        "new topic": len(done.new_topics),
        "unanswered question": len(found.unanswered),
        "bad passage": len(found.bad_passages),
        "unused document": sum(found.unused_count.values()) if found.unused else 0,
    }
    told = [*drifts, *(count(number, what) for what, number in counts.items())]
    return ", ".join(told) + "".join(f"; {remark}" for remark in done.remarks)
