"""The form of an exported knowledge base: three Parquet files, and a manifest that is written last
and says what they hold.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llmops.tasks.errors import ConfigError, Damaged, Mistake, UsageError
from llmops.tasks.filters import Fields
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.stores import Store, rows_schema
from llmops.tasks.schemas import DOCUMENTS
from llmops.tasks.yaml_files import NoYaml, read_yaml

SCHEMA, BEFORE_RANKINGS = 2, 1
"""The latter where no ranking goes along, for releases that know none."""
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 16 * 2**20
BLOCK = 2**20
# what the ledger adds to a document: by which stages it went, so that the next build knows what
# need not be done again
LEDGER = pa.schema(
    [
        pa.field(name, pa.string(), nullable=False)
        for name in ("text_stage", "check_stage", "chunk_stage")
    ]
)

Count = Annotated[int, Field(ge=0, le=2**40)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ManifestPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ExportFile(ManifestPart):
    """One file: SHA-256 and length of its bytes, number of its rows."""

    sha256: Hash
    bytes: Count
    rows: Count


class ExportFiles(ManifestPart):
    """The files of an export. Their names are fixed: a manifest names no path."""

    documents: ExportFile
    chunks: ExportFile
    vectors: ExportFile

    def each(self) -> dict[str, ExportFile]:
        return {name: getattr(self, name) for name in type(self).model_fields}


class Counts(ManifestPart):
    documents: Count
    chunks: Count


class CarriedRanking(ManifestPart):
    """A trained ranking that may be live. `model`: SHA-256 of its file, None where the weight alone
    was learnt; `dataset`: of what it learnt from.
    """

    number: Annotated[int, Field(ge=1, le=2**31 - 1)]
    weight: float | None = Field(ge=0, le=1, allow_inf_nan=False)
    embedder: Annotated[str, Field(min_length=1, max_length=16)]
    dimension: Annotated[int, Field(ge=1, le=65_536)]
    model: Hash | None
    dataset: Hash
    parent: Annotated[int, Field(ge=1, le=2**31 - 1)] | None
    decision: dict[str, Any]


class Manifest(ManifestPart):
    """What `manifest.json` says. `model`: the embedder's fingerprint; `rows`: the revision of the
    store's rows; `ranking`: which of the `rankings` is live.
    """

    format: Literal["llmops-knowledge-base"] = "llmops-knowledge-base"
    schema_version: int = Field(ge=1)
    created_at: datetime = Field(strict=False)
    knowledge_base: Name
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    counts: Counts
    dimension: Annotated[int, Field(ge=1, le=65_536)]
    embedder: dict[str, Any]
    model: Annotated[str, Field(min_length=1, max_length=16)]
    fields: dict[str, str]
    weight: float | None = Field(ge=0, le=1)
    rows: Annotated[int, Field(ge=1, le=10_000)]
    config: dict[str, Any]
    files: ExportFiles
    rankings: list[CarriedRanking] = Field(default=[], max_length=10_000)
    ranking: int | None = None

    @field_validator("weight")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("a finite number is wanted")
        return value

    @property
    def facts(self) -> MetadataSchema:
        return MetadataSchema.model_validate(self.config.get("facts", {}))

    def spec(self, kind: Literal["embed", "store"]) -> Spec:
        return Spec.model_validate(self.config.get(kind))


def read_manifest(folder: Path) -> Manifest:
    """Raises UsageError where there is no such folder, Damaged for an export that is not whole or
    not one.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder", hint="give the folder that `llmops kb export` wrote"
        )
    file = folder / MANIFEST
    if not file.is_file():
        raise damaged(
            folder, "it has no manifest.json: it is not an export, or one that was not finished"
        )
    if file.stat().st_size > LARGEST_MANIFEST:
        raise damaged(file, "it is larger than any manifest")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        newer = (
            isinstance(content, dict)
            and isinstance(content.get("schema_version"), int)
            and content["schema_version"] > SCHEMA
        )
        if not newer:
            manifest = Manifest.model_validate_json(file.read_bytes())
            _consistent(manifest)
            return manifest
    except (ValueError, RecursionError) as error:
        raise damaged(file, _first(error)) from error
    raise Damaged(
        f"{file} was written by a newer version of llmops", hint="upgrade llmops-pipelines"
    )


def _consistent(manifest: Manifest) -> None:
    """Raise ValueError where one part of a manifest contradicts another."""
    files, counts = manifest.files, manifest.counts
    if (files.documents.rows, files.chunks.rows, files.vectors.rows) != (
        counts.documents,
        counts.chunks,
        counts.chunks,
    ):
        raise ValueError("the rows of the files are not what is counted")
    if dict(manifest.facts.fields) != manifest.fields:
        raise ValueError("the declared fields are not those of the config")
    if manifest.spec("embed") != Spec.model_validate(manifest.embedder):
        raise ValueError("the embedder is not that of the config")
    manifest.spec("store")
    numbers = [each.number for each in manifest.rankings]
    parents = {each.parent for each in manifest.rankings} - {None}
    if len(set(numbers)) < len(numbers) or not {manifest.ranking, *parents} <= {None, *numbers}:
        raise ValueError("the rankings refer to one that is not there, or one is there twice")
    live = next((each for each in manifest.rankings if each.number == manifest.ranking), None)
    if live is not None and (live.embedder, live.dimension) != (manifest.model, manifest.dimension):
        raise ValueError("the live ranking was trained for another embedder")
    if not isinstance(manifest.config.get("chunk", {}), dict | str):
        raise ValueError("config.chunk is neither a name nor a mapping")  # noqa: TRY004 - as every damage of a manifest


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    return f"{type(error).__name__}: {str(error)[:200]}"


def damaged(what: Path, why: str) -> Damaged:
    return Damaged(
        f"the export is damaged: {why}",
        where=str(what),
        hint="export it again; nothing was imported",
    )


def path_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.parquet"


def schemas(fields: Fields, dimension: int) -> dict[str, pa.Schema]:
    """The Arrow schema of each file."""
    plain = pa.schema([pa.field(field.name, field.type) for field in (*DOCUMENTS, *LEDGER)])
    rows = pa.schema([pa.field(field.name, field.type) for field in rows_schema(fields)])
    return {
        "documents": plain,
        "chunks": rows,
        "vectors": pa.schema(
            [
                pa.field("chunk_id", pa.string()),
                pa.field("vector", pa.list_(pa.float32(), dimension)),
            ]
        ),
    }


def digest_of(file: Path) -> tuple[str, int]:
    """SHA-256 and length of a file, read in blocks."""
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def batches(file: Path, rows: int, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a file as Arrow tables of at most so many rows."""
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=rows, columns=columns):
            yield pa.Table.from_batches([batch])


def store_spec(text: str) -> Spec:
    """The value of `--store`: a name, or a YAML mapping as in a config. Raises ConfigError."""
    try:
        spec = Spec.model_validate(read_yaml(text))
        spec.build(Store)
    except (NoYaml, ValidationError) as error:
        why = f"it is no YAML: {error}"
        if isinstance(error, ValidationError):
            wrong = [(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
            why = "; ".join(f"{place}: {said}".removeprefix(": ") for place, said in wrong)
        raise ConfigError(
            [
                Mistake(
                    f"got --store {text!r}: {why}",
                    hint="--store lancedb, or --store '{name: weaviate, url: …}'",
                    kind="usage",
                )
            ]
        ) from error
    return spec
