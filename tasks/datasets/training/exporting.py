"""From rows to the files of a target: one format at a time, and a report of what it would do."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.datasets.training.columns import keys_of, write_parquet
from llmops.tasks.datasets.training.lengths import Count, counter_of, tokens_in
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.shards import RowFiles
from llmops.tasks.datasets.training.spec import FileFormat, FinetuneSpec
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.exporters import Exporter, ExportRecord, Risk, Unfit
from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.retrieval.hybrid import Searcher

SPLITS = ("train", "validation", "test")


class DatasetFile(BaseModel):
    """A file of a data set. `format`: as the config calls it, which is the exporter's name where it
    has no id; `exporter`: that name, "" where an older version wrote it; `path`: in the folder of
    its version; `tokens`: of all its records, by the tokenizer of the config.
    """

    model_config = ConfigDict(frozen=True)
    format: str
    split: str
    path: str
    rows: int
    sha256: str
    bytes: int
    tokens: int
    kind: str = ""
    exporter: str = ""

    @property
    def made_by(self) -> str:
        return self.exporter or self.format


class TargetReport(BaseModel):
    """What a target gets, and what it would do without saying. `left_out`: rows that are no records
    of it, and records that are too long, by reason; `risks`: effect -> reason -> records;
    `longest`: tokens of the longest record.
    """

    model_config = ConfigDict(frozen=True)
    format: str
    records: int
    rows: int
    longest: int
    max_tokens: int | None = None
    left_out: dict[str, int] = Field(default_factory=dict)
    risks: dict[str, dict[str, int]] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class ExportedFormat(BaseModel):
    """A format, written."""

    model_config = ConfigDict(frozen=True)
    files: tuple[DatasetFile, ...]
    report: TargetReport


class SplitRows(BaseModel):
    """The rows of each side."""

    model_config = ConfigDict(frozen=True)
    train: RowFiles = RowFiles()
    validation: RowFiles = RowFiles()
    test: RowFiles = RowFiles()

    def sides(self) -> Iterator[tuple[str, RowFiles]]:
        yield from ((name, getattr(self, name)) for name in SPLITS)


class HomeSearch:
    """An `ExportContext`: searches the live versions of a home."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._searcher = cache(self._opened)

    def _opened(self, knowledge_base: str) -> Searcher:
        return searcher(self._home, Handle(home=self._home, name=knowledge_base).published())

    def search(self, knowledge_base: str, question: str, k: int) -> list[Passage]:
        columns = ("text", "uri", "title", "doc_id", "chunk_id")
        found = self._searcher(knowledge_base).passages(question, k, columns=columns)
        return [Passage(**{name: str(row[name] or "") for name in columns}) for row in found]


class _Open(NamedTuple):
    file: IO[bytes]
    path: Path


class _Written:
    """The files of one format while they are written, and what is counted meanwhile."""

    def __init__(self, folder: Path, count: Count, *, as_columns: bool) -> None:
        self._folder, self._count, self._as_columns = folder, count, as_columns
        self._open: dict[tuple[str, str], _Open] = {}
        self.rows, self.tokens = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        self.keys: dict[tuple[str, str], set[str]] = {}
        self.left_out, self.risks = Counter[str](), Counter[Risk]()
        self.longest = 0

    def put(self, split: str, record: ExportRecord, tokens: int) -> None:
        key = (split, record.kind)
        if key not in self._open:
            path = self._folder / f"{'-'.join(filter(None, key))}.jsonl"
            self._open[key] = _Open(path.open("wb"), path)
            self.keys[key] = set()
        line = json.dumps(record.content, ensure_ascii=False, separators=(", ", ": "))
        self._open[key].file.write(line.encode() + b"\n")
        self.rows[key] += 1
        self.tokens[key] += tokens
        self.longest = max(self.longest, tokens)
        if self._as_columns:
            self.keys[key].update(keys_of(record.content))

    def tokens_of(self, record: ExportRecord) -> int:
        return tokens_in(record.content, self._count)

    def close(self) -> dict[tuple[str, str], Path]:
        for each in self._open.values():
            each.file.close()
        return {key: each.path for key, each in self._open.items()}


def export(spec: FinetuneSpec, target: Spec, rows: SplitRows) -> ExportedFormat:
    """Write one format of all sides into the folder of the run. Raises Unavailable where the disk
    is full, LlmopsError where a knowledge base cannot be searched.
    """
    exporter = target.build(Exporter)
    folder = spec.work / "export" / target.id
    folder.mkdir(parents=True, exist_ok=True)
    count, context = counter_of(spec.tokenizer), HomeSearch(spec.home)
    written = _Written(folder, count, as_columns="parquet" in spec.files)
    try:
        for split, files in rows.sides():
            for row in files.read():
                _put(exporter, written, split, row, context)
    finally:
        paths = written.close()
    made = tuple(_finished(exporter, target, written, paths, spec.files))
    names = {key: path.name for key, path in paths.items()}
    if "jsonl" not in spec.files:
        names = {key: Path(name).with_suffix(".parquet").name for key, name in names.items()}
    for name, text in exporter.beside(spec.name, names).items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return ExportedFormat(files=made, report=_report(exporter, target.id, written))


def _put(exporter: Exporter, written: _Written, split: str, row: Row, context: HomeSearch) -> None:
    try:
        records = list(exporter.records(row, context))
    except Unfit as reason:
        written.left_out[str(reason)] += 1
        return
    for record in records:
        tokens = written.tokens_of(record)
        if exporter.max_tokens is not None and tokens > exporter.max_tokens:
            written.left_out[
                f"longer than {exporter.max_tokens:,} tokens: the target would cut it"
            ] += 1
            continue
        written.risks.update(exporter.risks(record))
        written.put(split, record, tokens)


def _finished(
    exporter: Exporter,
    target: Spec,
    written: _Written,
    paths: Mapping[tuple[str, str], Path],
    formats: Iterable[FileFormat],
) -> Iterator[DatasetFile]:
    """Also as Parquet where that is wanted; JSON lines go where they are not."""
    for key, path in sorted(paths.items(), key=lambda item: (SPLITS.index(item[0][0]), item[0])):
        made = {"jsonl": path}
        if "parquet" in formats:
            made["parquet"] = path.with_suffix(".parquet")
            columns = exporter.columns(key[1])
            write_parquet(
                made["parquet"],
                columns,
                written.keys[key],
                lambda path=path: _records(path),  # type: ignore[misc]
            )
        if "jsonl" not in formats:
            made.pop("jsonl").unlink()
        for file in made.values():
            digest, size = digest_of(file)
            yield DatasetFile(
                format=target.id,
                exporter=target.name,
                split=key[0],
                kind=key[1],
                path=f"{target.id}/{file.name}",
                rows=written.rows[key],
                sha256=digest,
                bytes=size,
                tokens=written.tokens[key],
            )


def _records(path: Path) -> Iterator[Mapping[str, object]]:
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def digest_of(path: Path) -> tuple[str, int]:
    """(SHA-256, bytes) of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return digest, path.stat().st_size


def _report(exporter: Exporter, name: str, written: _Written) -> TargetReport:
    risks: dict[str, dict[str, int]] = {}
    for risk, count in sorted(written.risks.items()):
        risks.setdefault(risk.effect, {})[risk.why] = count
    return TargetReport(
        format=name,
        records=sum(written.rows.values()),
        rows=sum(count for (_, kind), count in written.rows.items() if not kind),
        longest=written.longest,
        max_tokens=exporter.max_tokens,
        left_out=dict(sorted(written.left_out.items())),
        risks=risks,
        warnings=tuple(exporter.warnings(written.rows)),
    )
