"""What the steps of a run came to, and the outcome of it all."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from llmops.tasks.datasets.training.card import CardFacts, card
from llmops.tasks.datasets.training.cleaning import Checked, LeftOut
from llmops.tasks.datasets.training.collecting import Collected, CollectPart, counted
from llmops.tasks.datasets.training.conflicts import length_bias
from llmops.tasks.datasets.training.exporting import ExportedFormat, SplitRows, digest_of
from llmops.tasks.datasets.training.outcome import FinetuneOutcome, Status, warnings_of
from llmops.tasks.datasets.training.plots import plots
from llmops.tasks.datasets.training.profile import profile
from llmops.tasks.datasets.training.publishing import (
    CARD,
    DatasetManifest,
    PublishedDataset,
    RowCounts,
    content_of,
    next_version,
    publish,
    write_lineage,
)
from llmops.tasks.datasets.training.quarantine import FOLDER, RejectedRows, together
from llmops.tasks.datasets.training.shards import RowFiles
from llmops.tasks.datasets.training.spec import FinetuneSpec
from llmops.tasks.errors import Blocked
from llmops.tasks.traces.published import LINEAGE


@dataclass
class FinetuneSteps:
    """Filled as the flow goes: None, or nothing, for what it did not come to."""

    parts: list[CollectPart] = field(default_factory=list)
    collected: list[Collected] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    consistent: LeftOut = field(default_factory=LeftOut)
    scrubbed: list[Checked] = field(default_factory=list)
    unique: LeftOut = field(default_factory=LeftOut)
    clean: LeftOut = field(default_factory=LeftOut)
    split: SplitRows = field(default_factory=SplitRows)
    exported: list[ExportedFormat] = field(default_factory=list)
    published: PublishedDataset | None = None
    error: Blocked | None = None
    began: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Measure a step."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = round(time.perf_counter() - began, 2)

    def must_have_rows(self) -> None:
        """Raises Blocked where nothing is left."""
        if not self.clean.rows.rows:
            counts = self.counts()
            raise Blocked(
                f"nothing is left to train on: {counts.collected} rows were collected",
                hint=f"{_what_to_do(counts)}; nothing was published",
            )

    def stopped(self, error: Blocked) -> None:
        self.error = error

    def rejections(self) -> list[RejectedRows]:
        return [
            *(each.rejected for each in self.collected),
            *(each.rejected for each in self.checked),
            self.consistent.rejected,
            *(each.rejected for each in self.scrubbed),
        ]

    def counts(self) -> RowCounts:
        """What became of the rows. `collected` counts those that a source could not give, too."""
        unreadable = sum(each.rejected.rows for each in self.collected)
        twice = self.unique.counts
        return RowCounts(
            collected=sum(each.rows for each in self.collected) + unreadable,
            rejected=sum(each.rows for each in self.rejections()),
            scrubbed=sum(each.scrubbed for each in self.scrubbed),
            duplicates=sum(n for kind, n in twice.items() if kind != "near"),
            near_duplicates=twice.get("near", 0),
            contaminated=sum(self.clean.counts.values()),
            **{side: files.rows for side, files in self.split.sides()},
        )

    def sources(self) -> dict[str, int]:
        """Rows by their collector."""
        found: dict[str, int] = {}
        for each in self.collected:
            found[each.title] = found.get(each.title, 0) + each.rows
        return found

    def remarks(self) -> dict[str, int]:
        """What milder expectations say, by how many rows."""
        return added(each.remarks for each in self.checked)


def _what_to_do(counts: RowCounts) -> str:
    if not counts.collected:
        return (
            "`collect` found no row: nobody has reviewed or liked an answer yet, or not within "
            "`since`; review or rate some (llmops review list APP), then run this again"
        )
    if counts.rejected:
        return "`rejected` says why"
    return "`rows` says what became of them"


def added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts of the same things, together."""
    found = Counter[str]()
    for each in counts:
        found.update(each)
    return dict(sorted(found.items()))


def rows_in(checked: Sequence[Checked]) -> RowFiles:
    """The rows that are left, in their order."""
    return RowFiles(shards=tuple(each.shard for each in checked if each.shard.rows))


def finished(spec: FinetuneSpec, steps: FinetuneSteps) -> PublishedDataset:
    """Write card, pictures, lineage and manifest beside the files, and publish."""
    files = tuple(file for each in steps.exported for file in each.files)
    reports = tuple(each.report for each in steps.exported)
    counts, version, folder = steps.counts(), next_version(spec), spec.work / "export"
    rejected = together(spec.work / "rejected.jsonl", steps.rejections())
    facts = CardFacts(
        rejected=rejected.reasons,
        remarks=steps.remarks(),
        scrubbed=added(each.actions for each in steps.scrubbed),
        contaminated=steps.clean.counts,
        overlaps=steps.clean.examples,
        bias=length_bias(row for _, files in steps.split.sides() for row in files.read()),
    )
    told = profile(steps.split, spec.tokenizer)
    text = card(spec, version, counts, told, facts, files, reports)
    (folder / CARD).write_text(text, encoding="utf-8")
    for name, picture in plots(told, counts).items():
        (folder / name).write_bytes(picture)
    write_lineage(folder / LINEAGE, steps.split)
    manifest = DatasetManifest(
        name=spec.name,
        version=version,
        content_sha256=content_of(files, spec.config_sha256),
        config_sha256=spec.config_sha256,
        rows=counts,
        files=files,
        beside=_beside(spec, {file.path for file in files}),
    )
    return publish(spec, manifest, reports)


def _beside(spec: FinetuneSpec, files: set[str]) -> Mapping[str, str]:
    """The hashes of what lies beside the files."""
    folder = spec.work / "export"
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    return {
        name: digest_of(path)[0]
        for name, path in found.items()
        if path.is_file() and name not in files
    }


def planned(spec: FinetuneSpec, steps: FinetuneSteps, run_id: str | None) -> FinetuneOutcome:
    """What a run would collect."""
    found = counted(spec, steps.parts)
    told = "asks a model for its rows, which are not counted before they are paid for"
    return FinetuneOutcome(
        name=spec.name,
        status="planned",
        version=None,
        rows=RowCounts(collected=sum(found.rows.values())),
        sources=found.rows,
        seconds=round(time.perf_counter() - steps.began, 2),
        prefect_run_id=run_id,
        warnings=[f"{name} {told}" for name in found.unknown],
    )


def outcome_of(spec: FinetuneSpec, steps: FinetuneSteps, run_id: str | None) -> FinetuneOutcome:
    """The outcome. The rejected rows lie in quarantine then."""
    published = steps.published
    version = published.manifest.version if published else None
    name = f"v{version}" if published else "blocked"
    rejected = together(spec.datasets / FOLDER / f"{name}.jsonl", steps.rejections())
    reports = tuple(each.report for each in steps.exported)
    status: Status = "blocked"
    if published is not None:
        status = "published" if published.new else "unchanged"
    return FinetuneOutcome(
        name=spec.name,
        status=status,
        version=version,
        rows=steps.counts(),
        files=published.manifest.files if published else (),
        targets=reports,
        folder=str(published.folder) if published else None,
        content_sha256=published.manifest.content_sha256 if published else None,
        quarantine=str(rejected.path) if rejected.path else None,
        rejected=rejected.reasons,
        sources=steps.sources(),
        cost_usd=sum(each.cost_usd for each in steps.collected),
        seconds=round(time.perf_counter() - steps.began, 2),
        steps=steps.seconds,
        reason=steps.error.message if steps.error else None,
        hint=steps.error.hint if steps.error else None,
        prefect_run_id=run_id,
        warnings=warnings_of(published, reports, steps.remarks()) if published else [],
    )
