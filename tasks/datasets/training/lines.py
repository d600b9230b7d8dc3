"""What the steps of the finetune flow have done, each as a line of a log."""

from collections.abc import Mapping, Sequence

from llmops.tasks.datasets.training.cleaning import Checked, LeftOut
from llmops.tasks.datasets.training.collecting import Collected, CollectPart
from llmops.tasks.datasets.training.exporting import ExportedFormat, SplitRows
from llmops.tasks.datasets.training.publishing import PublishedDataset
from llmops.tasks.knowledge.lines import count


def cut(parts: Sequence[CollectPart]) -> str:
    return f"{count(len({part.collector for part in parts}), 'source')} in {len(parts):,} parts"


def _into(rows: int, reasons: Mapping[str, int]) -> str:
    told = ", ".join(f"{why} {number:,}" for why, number in reasons.items())
    return f", {rows:,} into quarantine ({told})" if rows else ""


def collected(part: Collected) -> str:
    paid = f", {part.cost_usd:.4f} USD" if part.cost_usd else ""
    rejected = _into(part.rejected.rows, part.rejected.reasons)
    return f"{part.title}: {count(part.rows, 'row')}{rejected}{paid}"


def checked(done: Checked) -> str:
    return f"{count(done.shard.rows, 'row')} can be used" + _into(
        done.rejected.rows, done.rejected.reasons
    )


def scrubbed(done: Checked) -> str:
    actions = ", ".join(f"{kind} {number:,}" for kind, number in done.actions.items())
    replaced = f"in {done.scrubbed:,} of them something was replaced" if done.scrubbed else "clean"
    return (
        f"{count(done.shard.rows, 'row')}, {replaced}{f' ({actions})' if actions else ''}"
        f"{_into(done.rejected.rows, done.rejected.reasons)}"
    )


def left(how: str, done: LeftOut) -> str:
    counts = ", ".join(f"{why} {number:,}" for why, number in done.counts.items() if number)
    return f"{count(done.rows.rows, 'row')} {how}; left out: {counts or 'none'}"


def split(rows: SplitRows) -> str:
    return ", ".join(f"{name} {side.rows:,}" for name, side in rows.sides())


def exported(done: ExportedFormat) -> str:
    report = done.report
    lost = sum(report.left_out.values())
    left_out = f", {lost:,} left out" if lost else ""
    return f"{report.format}: {count(report.records, 'record')}{left_out}"


def published(done: PublishedDataset) -> str:
    name = f"version {done.manifest.version}"
    made = "is there" if done.new else "says the same already"
    return f"{name} {made}: {count(done.manifest.rows.left, 'row')}"
