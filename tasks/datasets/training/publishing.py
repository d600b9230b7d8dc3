"""A version of a data set: a folder with files, manifest, card and lineage, that appears as a whole
or not at all. What is equal to the newest version is no new one.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.datasets.training.exporting import DatasetFile, SplitRows, TargetReport
from llmops.tasks.datasets.training.spec import FinetuneSpec
from llmops.tasks.errors import Blocked, Damaged, disk_trouble
from llmops.tasks.plugins import canonical
from llmops.tasks.schemas import sha256
from llmops.tasks.traces.published import LINEAGE

MANIFEST, CARD, REPORT = "manifest.json", "README.md", "trainers.json"
FOLDER = re.compile(r"v(\d+)")
TEXTS = ("quote", "passages", "comment")
"""Of a lineage, what quotes: a list of what a data set holds needs none of it."""


class RowCounts(BaseModel):
    """Of a run. `rejected`: by the source, a check, an expectation, the scan after scrubbing, or
    because what they are made of was erased; `scrubbed`: rows in which something was replaced.
    """

    model_config = ConfigDict(frozen=True)
    collected: int = 0
    rejected: int = 0
    scrubbed: int = 0
    duplicates: int = 0
    near_duplicates: int = 0
    contaminated: int = 0
    train: int = 0
    validation: int = 0
    test: int = 0

    @property
    def left(self) -> int:
        return self.train + self.validation + self.test


class DatasetManifest(BaseModel):
    """What is in a version. `content_sha256`: of all its files and of the config that made them:
    equal rows and an equal config give an equal one, on every machine.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    version: int
    content_sha256: str
    config_sha256: str
    rows: RowCounts
    files: tuple[DatasetFile, ...]
    beside: dict[str, str] = Field(default_factory=dict)


class PublishedDataset(BaseModel):
    """`new`: this run made it."""

    model_config = ConfigDict(frozen=True)
    folder: Path
    manifest: DatasetManifest
    new: bool


def content_of(files: tuple[DatasetFile, ...], config_sha256: str) -> str:
    """The hash of what a version says."""
    said = [[each.path, each.sha256] for each in files]
    return sha256(canonical([config_sha256, said]))


def versions(folder: Path) -> list[int]:
    """The versions of a data set, ascending."""
    names = [each.name for each in folder.glob("v*") if each.is_dir()]
    return sorted(int(known[1]) for name in names if (known := FOLDER.fullmatch(name)))


def manifest_at(folder: Path) -> DatasetManifest:
    """The manifest of a version. Raises Damaged where there is none that can be read."""
    try:
        return DatasetManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise Damaged(
            f"{folder / MANIFEST} cannot be read: {error!s:.200}",
            hint="move the folder away; the next run makes a new version",
        ) from error


def newest(folder: Path) -> DatasetManifest | None:
    """The manifest of the newest version; None before the first."""
    numbers = versions(folder)
    return manifest_at(folder / f"v{numbers[-1]}") if numbers else None


def next_version(spec: FinetuneSpec) -> int:
    return max(versions(spec.datasets), default=0) + 1


def write_lineage(path: Path, rows: SplitRows) -> None:
    """A line for every row: its id, side, group, and where it comes from, without texts."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_lines(rows))


def read_lineage(folder: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of a version: id, split, group and lineage. Raises Damaged."""
    try:
        with (folder / LINEAGE).open(encoding="utf-8") as lines:
            for each in map(json.loads, lines):
                yield {name: each[name] for name in ("id", "split", "group", "lineage")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = f"the lineage of a data set cannot be read: {error!s:.200}"
        raise Damaged(said, where=str(folder / LINEAGE), hint="run llmops finetune") from error


def _lines(rows: SplitRows) -> Iterator[str]:
    for side, files in rows.sides():
        for row in files.read():
            passages = row.lineage.get("passages")
            uris = (
                {"uris": sorted({str(each.get("uri", "")) for each in passages} - {""})}
                if isinstance(passages, list) and "uris" not in row.lineage
                else {}
            )
            kept = {name: value for name, value in row.lineage.items() if name not in TEXTS}
            line = {"id": row.id, "split": side, "group": row.group, "lineage": {**kept, **uris}}
            yield json.dumps(line, ensure_ascii=False) + "\n"


def publish(
    spec: FinetuneSpec, manifest: DatasetManifest, reports: tuple[TargetReport, ...]
) -> PublishedDataset:
    """Bring the folder `export` of the run to its place, at once. Raises Unavailable where the disk
    is full.
    """
    before = newest(spec.datasets)
    if before is not None and before.content_sha256 == manifest.content_sha256:
        folder = spec.datasets / f"v{before.version}"
        return PublishedDataset(folder=folder, manifest=before, new=False)
    staged, folder = spec.work / "export", spec.datasets / f"v{manifest.version}"
    said = [each.model_dump(mode="json") for each in reports]
    try:
        (staged / REPORT).write_text(_json(said), encoding="utf-8")
        (staged / MANIFEST).write_text(_json(manifest.model_dump(mode="json")), encoding="utf-8")
        for path in staged.rglob("*"):
            if path.is_file():
                _flushed(path)
        staged.rename(folder)
        _flushed(folder.parent)
    except OSError as error:
        if trouble := disk_trouble(error):
            raise trouble from error
        raise
    return PublishedDataset(folder=folder, manifest=manifest, new=True)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _flushed(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def card_of(folder: Path) -> str:
    """The card of a version, without its head and pictures: as a run shows it."""
    text = (folder / CARD).read_text(encoding="utf-8").partition("---\n")[2].partition("---\n")[2]
    return re.sub(r"!\[[^\]]*\]\([^)]*\)\n*", "", text)


@contextmanager
def one_at_a_time(spec: FinetuneSpec) -> Iterator[None]:
    """No other run of this data set meanwhile; what a run leaves goes at its end, and what a killed
    one left at the beginning of the next. Raises Blocked where one is at work.
    """
    spec.datasets.mkdir(parents=True, exist_ok=True)
    lock = FileLock(spec.datasets / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise Blocked(
            f"another run of the data set {spec.name!r} is at work", hint="wait for it to end"
        ) from error
    try:
        spec.clear()
        yield
    finally:
        spec.clear()
        lock.release()
