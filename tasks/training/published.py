"""The published data set that a trainer learns from: which version, which format, which files."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from llmops.tasks.datasets.training.exporting import DatasetFile, digest_of
from llmops.tasks.datasets.training.publishing import REPORT, manifest_at, versions
from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.plugins.trainers import DatasetTrainer, TrainingData
from llmops.tasks.training.model_outcome import TrainedOn
from llmops.tasks.training.spec import TrainSpec


class LearntFrom(NamedTuple):
    """As a trainer gets it, and as an outcome tells it."""

    data: TrainingData
    told: TrainedOn


def learnt_from(home: Path, name: str, trainer: DatasetTrainer) -> LearntFrom:
    """The files of the newest version, or of the one that the trainer names. Raises UsageError
    where there is none, Damaged where a file is not what was published.
    """
    folder, version = version_of(home, trainer.dataset or name, trainer.version)
    manifest = manifest_at(folder)
    there = [each for each in manifest.files if each.path.endswith(".jsonl")]
    wanted = (trainer.format,) if trainer.format else trainer.formats
    first = next((file for name in wanted for file in there if file.made_by == name), None)
    mine = [each for each in there if first is not None and each.format == first.format]
    main = [each for each in mine if each.kind in trainer.parts and each.split != "test"]
    if first is None or not any(each.split == "train" for each in main):
        known = ", ".join(sorted({each.made_by for each in there})) or "none in JSON lines"
        raise UsageError(
            f"{manifest.name} v{version} has no rows to train on in {' or '.join(wanted)}; it has "
            f"{known}",
            hint="name the format under export in its config, with write: [jsonl]",
        )
    for each in mine:
        _unchanged(folder, each)
    data = TrainingData(
        sha256=manifest.content_sha256,
        files={each.split: folder / each.path for each in main if not each.kind},
        name=f"{manifest.name}-v{version}",
        format=first.made_by,
        beside={path.name: path for path in sorted((folder / first.format).iterdir())},
        tokens=_by_split(main, "tokens"),
        longest=_longest(folder, first.format),
    )
    told = TrainedOn(
        name=manifest.name,
        version=version,
        sha256=manifest.content_sha256,
        format=first.format,
        rows=_by_split(main, "rows"),
        tokens=dict(data.tokens),
    )
    return LearntFrom(data, told)


def _by_split(files: Sequence[DatasetFile], field: Literal["rows", "tokens"]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for each in files:
        counts[each.split] += getattr(each, field)
    return dict(counts)


def version_of(home: Path, name: str, version: int | None) -> tuple[Path, int]:
    """The folder of a version. Raises UsageError where there is none."""
    folder = home / "datasets" / name
    known = versions(folder)
    if not known or (version is not None and version not in known):
        said = f"v{version} of the data set {name!r}" if version else f"data set {name!r}"
        there = f"there are v{', v'.join(map(str, known))}" if known else "none is published"
        raise UsageError(
            f"there is no {said}: {there}",
            hint="llmops finetune makes one; train.dataset and train.version say which",
        )
    number = version or known[-1]
    return folder / f"v{number}", number


def waiting_for(home: Path, spec: TrainSpec) -> str:
    """Why a training cannot be planned before the data set has its first version; "" where it
    can.
    """
    trainer = spec.of_dataset()
    if trainer is None or versions(home / "datasets" / (trainer.dataset or spec.name)):
        return ""
    return (
        "what the training costs is not known before the data set has its first version: make that "
        "without --train, and plan again"
    )


def _unchanged(folder: Path, file: DatasetFile) -> None:
    path = folder / file.path
    if not path.is_file() or digest_of(path)[0] != file.sha256:
        raise Damaged(
            f"{path} is not the file that was published",
            hint="an erasure may have blacked something out: run llmops finetune again, which "
            "makes a version without it",
        )


def _longest(folder: Path, format_name: str) -> int:
    """Tokens of the longest record, as the trainer report has it."""
    try:
        reports = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{folder / REPORT} cannot be read: {error!s:.200}") from error
    return next((int(each["longest"]) for each in reports if each["format"] == format_name), 0)
