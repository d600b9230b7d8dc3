"""Exports that are damaged or forged: refused with their reason, and nothing has changed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from llmops.tasks.errors import LlmopsError
from llmops.tasks.filters.metadata import MetadataSchema, owner_columns
from llmops.tasks.knowledge.caches import find_embeddings
from llmops.tasks.knowledge.changes import row_hash
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import knowledge_bases, leases
from llmops.tasks.maintenance.import_checks import chunk_of
from llmops.tasks.maintenance.importing import bring_in
from llmops.tasks.maintenance.portable import digest_of
from llmops.tasks.plugins import Spec
from llmops.tasks.schemas import sha256
from tests.ledgers import with_ledger
from tests.maintenance.test_export import exported
from tests.workshop import TEXTS, Workshop


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export that is as it should be: every test damages a copy of its own."""
    shop = Workshop(tmp_path_factory.mktemp("shop"), Spec(name="lancedb"))
    shop.build(TEXTS)
    return exported(shop)


def rewritten(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """A manifest that says something else."""
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(change(manifest) or manifest))


def altered(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """A file with other rows, and a manifest that agrees with it."""

    def alter(folder: Path) -> None:
        file = folder / f"{name}.parquet"
        table = change(pq.read_table(file))
        pq.write_table(table, file)
        digest, size = digest_of(file)
        rewritten(
            folder,
            lambda manifest: manifest["files"][name].update(
                sha256=digest, bytes=size, rows=table.num_rows
            ),
        )

    return alter


def replaced(column: str, value: Any) -> Callable[[Any], Any]:
    def replace(table: Any) -> Any:
        values = table[column].to_pylist()
        return table.set_column(
            table.column_names.index(column),
            table.schema.field(column),
            pa.array([value, *values[1:]], table.schema.field(column).type),
        )

    return replace


def forged(**values: Any) -> Callable[[Path], None]:
    """The first chunk with other values, and with the hash that goes with them."""

    def forge(folder: Path) -> None:
        facts = MetadataSchema.model_validate(
            json.loads((folder / "manifest.json").read_text())["config"]["facts"]
        )
        owners = {
            row["doc_id"]: owner_columns(facts, row)
            for row in pq.read_table(folder / "documents.parquet").to_pylist()
        }

        def change(table: Any) -> Any:
            first, *others = table.to_pylist()
            first |= values
            return pa.Table.from_pylist(
                [
                    first | {"row_hash": row_hash(chunk_of(first) | owners[first["doc_id"]])},
                    *others,
                ],
                schema=table.schema,
            )

        altered("chunks", change)(folder)

    return forge


def both(*changes: Callable[[Path], Any]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for one in changes:
            one(folder)

    return change


def set_in(*path: str, to: Any) -> Callable[[Path], None]:
    def change(manifest: dict[str, Any]) -> None:
        *parents, last = path
        for parent in parents:
            manifest = manifest[parent]
        manifest[last] = to

    return lambda folder: rewritten(folder, change)


def flipped(folder: Path) -> None:
    content = bytearray((folder / "chunks.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "chunks.parquet").write_bytes(content)


def cut(folder: Path) -> None:
    file = folder / "vectors.parquet"
    file.write_bytes(file.read_bytes()[:-10])


def nonsense(folder: Path) -> None:
    (folder / "vectors.parquet").write_bytes(b"PAR1 nothing PAR1")
    digest, size = digest_of(folder / "vectors.parquet")
    rewritten(
        folder, lambda manifest: manifest["files"]["vectors"].update(sha256=digest, bytes=size)
    )


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a flipped bit": (flipped, "content is not what the manifest says"),
    "a cut file": (cut, "content is not what the manifest says"),
    "no parquet": (nonsense, "no Parquet file"),
    "a missing file": (
        lambda folder: (folder / "documents.parquet").unlink(),
        "the file is missing",
    ),
    "no JSON": (lambda folder: (folder / "manifest.json").write_text("{"), "damaged"),
    "no object": (lambda folder: (folder / "manifest.json").write_text("[1]"), "damaged"),
    "deep JSON": (lambda folder: (folder / "manifest.json").write_text("[" * 100_000), "damaged"),
    "no UTF-8": (lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe"), "damaged"),
    "another format": (set_in("format", to="zip"), "format"),
    "a newer one": (set_in("schema_version", to=99), "newer version"),
    "a huge number": (set_in("counts", "chunks", to=10**30), "counts.chunks"),
    "a negative number": (set_in("counts", "documents", to=-1), "counts.documents"),
    "a text for a number": (set_in("counts", "chunks", to="24"), "counts.chunks"),
    "a wrong count": (set_in("counts", "chunks", to=3), "not what is counted"),
    "a wrong row count": (set_in("files", "chunks", "rows", to=3), "not what is counted"),
    "a path as name": (set_in("knowledge_base", to="../../etc"), "knowledge_base"),
    "a path as file": (
        set_in("files", "../x", to={"sha256": "0" * 64, "bytes": 1, "rows": 1}),
        "files",
    ),
    "a path as hash": (set_in("files", "chunks", "sha256", to="../../x"), "sha256"),
    "another key": (set_in("run", to="rm"), "run"),
    "another dimension": (set_in("dimension", to=7), "the embedder"),
    "a huge dimension": (set_in("dimension", to=10**9), "dimension"),
    "another model": (set_in("model", to="x"), "the embedder"),
    "a weight of 7": (set_in("weight", to=7.0), "weight"),
    "no config": (set_in("config", to={}), "damaged"),
    "a wrong config": (set_in("config", "embed", to=[1]), "damaged"),
    "wrong options": (
        lambda folder: (
            set_in("config", "embed", to={"name": "costly", "bill": 5})(folder),
            set_in("embedder", to={"name": "costly", "bill": 5})(folder),
        ),
        "its config is none",
    ),
    "other fields": (set_in("fields", to={"year": "text"}), "declared fields"),
    "another dimension of vectors": (
        altered(
            "vectors",
            lambda table: table.set_column(
                1, "vector", pa.array([[1.0] * 5] * table.num_rows, pa.list_(pa.float32(), 5))
            ),
        ),
        "its columns",
    ),
    "no number in a vector": (
        altered("vectors", replaced("vector", [float("nan")] * 384)),
        "not finite",
    ),
    "a vector of length 2": (
        altered("vectors", replaced("vector", [2.0] + [0.0] * 383)),
        "not of length 1",
    ),
    "a huge vector": (altered("vectors", replaced("vector", [3e38] * 384)), "not of length 1"),
    "a zero vector": (altered("vectors", replaced("vector", [0.0] * 384)), "zero"),
    "vectors in another order": (
        altered("vectors", lambda table: table.take([*range(table.num_rows)][::-1])),
        "not of the same chunks",
    ),
    "a document twice": (
        altered("documents", lambda table: table.take([0, *range(table.num_rows - 1)])),
        "there twice",
    ),
    "an id of another": (
        altered("documents", replaced("uri", "../../../etc/passwd")),
        "not its own",
    ),
    "metadata that is no JSON": (altered("documents", replaced("metadata", "{")), "cannot be read"),
    "metadata that is a list": (
        altered("documents", replaced("metadata", "[1]")),
        "no JSON object",
    ),
    "metadata that is a number": (
        altered("documents", replaced("metadata", "1")),
        "no JSON object",
    ),
    "metadata that is deep": (
        altered("documents", replaced("metadata", "[" * 100_000)),
        "cannot be read",
    ),
    "metadata that is a deep object": (
        altered("documents", replaced("metadata", '{"a":' * 100_000)),
        "cannot be read",
    ),
    "metadata that is nothing": (altered("documents", replaced("metadata", None)), "empty values"),
    "flags that are no texts": (
        altered("documents", replaced("metadata", '{"flags": [[1]]}')),
        "cannot be read",
    ),
    "a hash that is none": (
        altered("documents", replaced("content_hash", "x" * 100_000)),
        "no SHA-256",
    ),
    "a language that is none": (
        altered("documents", replaced("language", "x" * 9)),
        "too long in language",
    ),
    "a stage that is none": (
        altered("documents", replaced("text_stage", "x" * 17)),
        "too long in text_stage",
    ),
    "another text of a document": (
        altered("documents", replaced("text", "Forged.")),
        "is not what stands at",
    ),
    "a document without text": (
        altered(
            "documents",
            lambda table: table.set_column(
                table.column_names.index("text"), "text", pa.nulls(table.num_rows, pa.string())
            ),
        ),
        "empty values",
    ),
    "another text": (altered("chunks", replaced("text", "Forged.")), "is not what its hash"),
    "another text with its hash": (forged(text="Forged."), "is not what stands at"),
    "another text in older rows": (
        both(set_in("rows", to=1), altered("chunks", replaced("text", "Forged."))),
        "is not what its hash.*revision 1 of the rows",
    ),
    "another hash in newer rows": (
        both(set_in("rows", to=99), altered("chunks", replaced("row_hash", "0" * 16))),
        "revision 99",
    ),
    "a start before the text": (forged(start=-1), "is not what stands at"),
    "an end before the start": (forged(start=5, end=4, text=""), "is not what stands at"),
    "an end after the text": (forged(end=10**6), "is not what stands at"),
    "a negative ordinal": (forged(ordinal=-1), "ordinal -1"),
    "an ordinal twice": (forged(ordinal=1), "ordinal 1"),
    "negative tokens": (forged(tokens=-1), "tokens -1"),
    "a chunker that is a list": (set_in("config", "chunk", to=[1, 2]), "config.chunk"),
    "a chunker that is nothing": (set_in("config", "chunk", to=None), "config.chunk"),
    "a path as id": (altered("chunks", replaced("chunk_id", "../../x")), "not of the same chunks"),
    "a path as id everywhere": (
        lambda folder: [
            altered(name, replaced("chunk_id", "../../x"))(folder) for name in ("chunks", "vectors")
        ],
        "chunk id",
    ),
    "an orphan": (altered("chunks", replaced("doc_id", "0" * 32)), "belongs to no document"),
    "a column less": (altered("chunks", lambda table: table.drop_columns(["labels"])), "labels"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_is_refused_and_nothing_has_changed(
    whole: Path, tmp_path: Path, name: str
) -> None:
    folder = shutil.copytree(whole, tmp_path / "out")
    damage, says = DAMAGE[name]
    damage(folder)
    home = with_ledger(tmp_path / "other")
    with pytest.raises(LlmopsError, match=says) as raised:
        bring_in(home, folder, None, None)
    assert raised.value.exit_code == 1
    with open_ledger(home).read() as connection:
        assert (
            connection.execute(select(knowledge_bases)).all()
            == connection.execute(select(leases)).all()
            == []
        )
    assert not (home / "lancedb").exists()
    assert not (home / "lake").exists()


def test_paid_embeddings_are_never_replaced(lance_shop: Workshop) -> None:
    """An export may hold any vector for any text: the home's own stay."""
    lance_shop.build(TEXTS)
    keys = [sha256(str(row["text"])) for row in lance_shop.rows()]
    before = find_embeddings(lance_shop.ledger, lance_shop.model.fingerprint(), keys)
    folder = exported(lance_shop)
    altered(
        "vectors",
        lambda table: table.set_column(
            1,
            table.schema.field(1),
            pa.array([[1.0] + [0.0] * 383] * table.num_rows, table.schema.field(1).type),
        ),
    )(folder)
    bring_in(lance_shop.home, folder, "forged", None)
    assert len(before) == len(set(keys))
    assert find_embeddings(lance_shop.ledger, lance_shop.model.fingerprint(), keys) == before
