"""What the steps of a build have done, each as a line of a log."""

from collections.abc import Sequence

from llmops.tasks.knowledge.build import Batch, Part
from llmops.tasks.knowledge.changes import Staged
from llmops.tasks.knowledge.outcome import Expectations
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.retrieval.gate import GateResult

COUNTED = ("new", "changed", "renamed", "vanished", "quarantined", "unchanged")


def count(number: int, what: str) -> str:
    """`1 document`, `1,200 documents`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def planned(plan: Plan) -> str:
    counts = plan.counts(0)
    told = [f"{counts[name]:,} {name}" for name in COUNTED if counts[name]]
    return f"{count(counts['listed'], 'document')} listed: {', '.join(told) or 'none'}"


def unanswerable(warnings: Sequence[str]) -> str:
    return "; ".join(warnings) or "the golden set names documents that will be there"


def cut(parts: Sequence[Part]) -> str:
    rows = sum(part.rows for part in parts)
    return f"{count(rows, 'document')} in {count(len(parts), 'part')}"


def collected(batch: Batch) -> str:
    part, read = batch.part, batch.documents.rows
    failed = f", {part.rows - read:,} not" if read < part.rows else ""
    return f"{part.source}: {count(read, 'document')} read{failed}"


def kept(how: str, before: Sequence[Batch], after: Sequence[Batch]) -> str:
    left = sum(batch.documents.rows for batch in after)
    lost = sum(batch.documents.rows for batch in before) - left
    into = f", {lost:,} into quarantine" if lost else ""
    return f"{count(left, 'document')} {how}{into}"


def chunked(batch: Batch) -> str:
    chunks = batch.chunks.rows if batch.chunks else 0
    return f"{count(chunks, 'chunk')} of {count(batch.documents.rows, 'document')}"


def checked(found: tuple[list[Batch], Expectations]) -> str:
    batches, expectations = found
    rows = sum(batch.documents.rows for batch in batches)
    warned = f", {count(len(expectations.warnings), 'warning')}" if expectations.warnings else ""
    return f"{count(rows, 'document')} met the expectations of the whole{warned}"


def embedded(batch: Batch) -> str:
    chunks = batch.chunks.rows if batch.chunks else 0
    paid = f", {batch.tokens:,} tokens" if batch.tokens else ""
    cost = f", {batch.cost_usd:.4f} USD" if batch.cost_usd else ""
    return f"{batch.computed:,} of {count(chunks, 'chunk')} embedded, the others known{paid}{cost}"


def compared(staged: Staged) -> str:
    return (
        f"{count(len(staged.new), 'document')} new, {len(staged.edited):,} changed; "
        f"{count(staged.added, 'chunk')} more, {staged.retired:,} fewer"
    )


def staged(part: Staged) -> str:
    return f"{count(part.added, 'chunk')} written, {part.retired:,} retired"


def retired(documents: int, chunks: int) -> str:
    if not documents:
        return "no document leaves"
    return f"{count(documents, 'document')} gone, {count(chunks, 'chunk')} taken out"


def gated(result: GateResult) -> str:
    return f"{result.verdict}: {result.reason}"
