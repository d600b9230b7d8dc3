"""Export and import: the same knowledge base in another home or another store, nothing embedded,
nothing believed unchecked.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from llmops.tasks.audit import log
from llmops.tasks.errors import ConfigError, Damaged, UsageError
from llmops.tasks.knowledge import rankings
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.rankings import NewRanking
from llmops.tasks.knowledge.reading import embedder_of, searcher
from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.maintenance.export import export
from llmops.tasks.maintenance.importing import bring_in
from llmops.tasks.maintenance.portable import digest_of, store_spec
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.trainers.retrieval.adapter import to_bytes
from llmops.tasks.retrieval.hybrid import Mode
from llmops.tasks.traces.trained import rankings_of_documents
from tests.sabotage import Killed, armed, tampered
from tests.workshop import TEXTS, Workshop

MODES: tuple[Mode, ...] = ("hybrid", "vector", "text")
QUESTIONS = ["boat with lamps", "lighthouse of harbour 3", "salt"]
LANCE = Spec(name="lancedb")


def exported(shop: Workshop, folder: str = "out") -> Path:
    export(shop.handle, shop.folder / folder)
    return shop.folder / folder


def imported(
    shop: Workshop,
    folder: Path,
    store: Spec | None = LANCE,
    name: str | None = None,
    home: str = "other",
) -> Workshop:
    """The workshop of another home that holds it."""
    other = Workshop(shop.folder, store or shop.store, kb=name or shop.kb)
    other.home = shop.folder / home
    bring_in(other.home, folder, name, store)
    return other


def found(shop: Workshop, mode: Mode, question: str) -> pd.DataFrame:
    return searcher(shop.home, shop.live).search(question, 100, mode)


def same_answers(one: Workshop, other: Workshop) -> None:
    """The same chunks with the same scores in the same order; what differs by rounding alone may
    change places in another store.
    """
    for mode in MODES:
        for question in QUESTIONS:
            here, there = found(one, mode, question), found(other, mode, question)
            scores = dict(zip(here["chunk_id"], here["score"], strict=True))
            assert {*there["chunk_id"]} == scores.keys(), (mode, question)
            ordered, given = (
                np.array([scores[key] for key in there["chunk_id"]]),
                there["score"].to_numpy(float),
            )
            assert np.allclose(ordered, given, atol=1e-5), (mode, question)
            assert (np.diff(ordered) <= 1e-5).all(), (mode, question)
            if one.store == other.store:
                assert [*here["chunk_id"]] == [*there["chunk_id"]], (mode, question)


def test_an_import_gives_the_same_answers_and_embeds_nothing(shop: Workshop) -> None:
    shop.build(TEXTS)
    paid = shop.paid()
    other = imported(shop, exported(shop))
    assert other.rows() == shop.rows()
    assert (other.live.version, other.live.documents, other.live.chunks) == (
        1,
        shop.live.documents,
        shop.live.chunks,
    )
    assert other.paid() == paid
    same_answers(shop, other)
    assert other.verified(thorough=True)["ok"]


def test_a_build_goes_on_from_an_import(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    lance_shop.build({**TEXTS, "d0.txt": "A new boat."})
    other = imported(lance_shop, exported(lance_shop))
    paid = other.paid()
    assert other.build({**TEXTS, "d0.txt": "A new boat."}) == 1
    collection = other.live.collection
    assert other.build({**TEXTS, "d0.txt": "A new boat.", "d7.txt": "A ferry."}) == 2
    assert (other.live.collection, other.paid()) == (collection, paid + 1)
    other.build({**TEXTS, "d0.txt": "A new boat.", "d7.txt": "A ferry."}, full=True)
    assert other.paid() == paid + 1


@pytest.mark.slow
def test_two_stores_and_back(shop: Workshop, tmp_path: Path) -> None:
    """From LanceDB to the store at hand, and back."""
    (tmp_path / "origin").mkdir()
    origin = Workshop(tmp_path / "origin", LANCE, kb=shop.kb)
    origin.build(TEXTS)
    there = imported(origin, exported(origin), shop.store, name=f"{shop.kb}-x")
    try:
        assert there.rows() == origin.rows()
        same_answers(origin, there)
        back = imported(there, exported(there, "out2"), LANCE, name=f"{shop.kb}-y", home="third")
        same_answers(origin, back)
        assert back.verified(thorough=True)["ok"]
    finally:
        there.drop()


def test_the_files_are_plain_and_the_manifest_says_what_they_are(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    answer = export(lance_shop.handle, lance_shop.folder / "deep" / "out")
    folder = Path(answer["folder"])
    assert sorted(file.name for file in folder.iterdir()) == [
        "chunks.parquet",
        "documents.parquet",
        "manifest.json",
        "vectors.parquet",
    ]
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in ("documents", "chunks", "vectors"):
        assert (
            manifest["files"][name]["sha256"]
            == digest_of(folder / f"{name}.parquet")[0]
            == answer["files"][f"{name}.parquet"]
        )
    texts = pq.read_table(folder / "documents.parquet").to_pylist()
    assert {row["uri"]: row["text"] for row in texts} == TEXTS
    chunks = pq.read_table(folder / "chunks.parquet")
    assert {"text", "labels", "flags", "field_year", "row_hash"} <= set(chunks.column_names)
    assert manifest["counts"] == {"documents": 6, "chunks": len(chunks)}
    assert (manifest["fields"], manifest["weight"]) == ({"year": "integer"}, None)
    assert "folder" not in manifest["config"]


@pytest.mark.slow
def test_secrets_stay_names(lance_shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_POISON", "hunter2")
    lance_shop.embedder = Spec(
        name="costly", options={"bill": str(lance_shop.bill), "poison": "${SECRET_POISON}"}
    )
    lance_shop.build(TEXTS)
    folder = exported(lance_shop)
    assert b"hunter2" not in b"".join(file.read_bytes() for file in folder.iterdir())
    assert "${SECRET_POISON}" in (folder / "manifest.json").read_text()
    answer = bring_in(lance_shop.home / "b", folder, None, None)
    assert "SECRET_POISON" in answer["warnings"][0]
    monkeypatch.delenv("SECRET_POISON")
    with pytest.raises(ConfigError, match="SECRET_POISON is not set"):
        bring_in(lance_shop.home / "c", folder, None, None)


def test_an_export_goes_into_an_empty_folder_only(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    folder = exported(lance_shop)
    with pytest.raises(UsageError, match="not empty"):
        exported(lance_shop)
    (folder / "manifest.json").unlink()
    with pytest.raises(UsageError) as raised:
        exported(lance_shop)
    assert "not finished" in raised.value.hint
    with pytest.raises(UsageError, match="is a file"):
        exported(lance_shop, "bill.jsonl")
    with pytest.raises(UsageError, match="cannot be created"):
        exported(lance_shop, "bill.jsonl/inside")
    with pytest.raises(UsageError, match="no knowledge base"):
        export(Handle(home=lance_shop.home, name="nope"), lance_shop.folder / "new")


def test_a_base_that_is_not_whole_is_not_exported(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    tampered(lance_shop, gone=[row["chunk_id"] for row in lance_shop.rows()[:2]])
    with pytest.raises(Damaged, match="the ledger says") as raised:
        exported(lance_shop)
    assert "kb verify" in raised.value.hint
    assert not any((lance_shop.folder / "out").iterdir())


def test_an_unfinished_export_is_no_import(
    lance_shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    lance_shop.build(TEXTS)
    with monkeypatch.context() as patched:
        armed(patched, "llmops.tasks.maintenance.export:write_atomically", "before", 1, Killed)
        with pytest.raises(Killed):
            exported(lance_shop)
    with pytest.raises(Damaged, match="not finished"):
        imported(lance_shop, lance_shop.folder / "out")


def test_wrong_requests_end_with_2(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    folder = exported(lance_shop)
    for says, arguments in {
        "exists already": (folder, None, None),
        "is not a folder": (folder / "nope", "b", None),
        "allowed: lower-case": (folder, "../x", None),
    }.items():
        with pytest.raises(UsageError, match=says):
            bring_in(lance_shop.home, *arguments)
    for text, says in {
        "nope": "unknown name",
        "{": "no YAML",
        "{name: lancedb, uri: /x, uri: /y}": "the key 'uri' stands here twice",
        "{name: lancedb, uri: [1]}": "uri",
        "5": "--store '5'",
    }.items():
        with pytest.raises(ConfigError, match=says):
            store_spec(text)
    assert store_spec("{name: lancedb, uri: /x}").options == {"uri": "/x"}


def test_an_import_connects_only_where_the_user_says(lance_shop: Workshop) -> None:
    lance_shop.store = Spec(name="lancedb", options={"uri": str(lance_shop.folder / "elsewhere")})
    lance_shop.build(TEXTS)
    folder, home = exported(lance_shop), lance_shop.folder / "other"
    with pytest.raises(UsageError, match="a store with options of its own: lancedb with uri"):
        bring_in(home, folder, None, None)
    other = imported(lance_shop, folder, lance_shop.store)
    assert other.live.collection != lance_shop.live.collection
    assert other.rows() == lance_shop.rows()
    assert lance_shop.verified()["ok"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "when"),
    [("unload", "before"), ("unload", "after"), ("_publish", "before"), ("_rows", "after")],
)
def test_an_interrupted_import_leaves_nothing_that_is_served_and_runs_again(
    lance_shop: Workshop, place: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lance_shop.build(TEXTS)
    folder, home = exported(lance_shop), lance_shop.folder / "other"
    with monkeypatch.context() as patched:
        armed(patched, f"llmops.tasks.maintenance.importing:{place}", when, 1, Killed)
        with pytest.raises(Killed):
            imported(lance_shop, folder)
    with pytest.raises(UsageError, match="has been published"):
        Handle(home=home, name=lance_shop.kb).published()
    assert [*(home / "lancedb").glob("*.lance")] == []
    assert imported(lance_shop, folder).rows() == lance_shop.rows()


def ranked(shop: Workshop) -> list[int]:
    """Two rankings that may be live, of which the second is, and one that may not."""
    model = embedder_of(shop.live)
    turn = np.eye(model.dimension, dtype=np.float32)[::-1].copy()
    told = {
        "figures": {"worst": [{"question": "Who pays Ada?"}], "better": 3},
        "learnt_from": {
            "traces": ["tr-1"],
            "people": ["p"],
            "documents": [uri_hash(shop.kb, uri) for uri in ("d0.txt", "gone.txt")],
        },
    }
    new = NewRanking(
        version=1,
        embedder=model.fingerprint(),
        dimension=model.dimension,
        weight=0.25,
        dataset_sha256="0" * 64,
        decision=told,
    )
    kept = []
    for status, content in (("promoted", None), ("rejected", None), ("promoted", to_bytes(turn))):
        kept.append(rankings.keep(shop.handle, new, status, content).number)
        if status == "promoted":
            rankings.promote(shop.handle, kept[-1])
    return kept


def test_rankings_go_along_with_the_one_that_is_live(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    plain = imported(lance_shop, exported(lance_shop, "plain"), home="plain")
    first, _, live = ranked(lance_shop)
    folder = exported(lance_shop)
    manifest = (folder / "manifest.json").read_text()
    assert all(word not in manifest for word in ("Ada", "tr-1", '"p"'))
    other = imported(lance_shop, folder, name="renamed")
    same_answers(lance_shop, other)
    assert found(plain, "hybrid", QUESTIONS[0])["score"].tolist() != (
        found(other, "hybrid", QUESTIONS[0])["score"].tolist()
    )
    there = rankings.listed(other.handle)
    assert [(each.number, each.status, each.weight) for each in there] == [
        (live, "promoted", 0.25),
        (first, "promoted", 0.25),
    ]
    assert rankings.rollback(other.handle) == (first, live)
    named = rankings_of_documents(other.home, "renamed", [uri_hash("renamed", "d0.txt")])
    assert named == [f"ranking {first} of renamed (live)", f"ranking {live} of renamed"]
    entry = log.entries(other.home, action="rank")[-1]
    assert (entry.after, entry.reason) == (str(live), f"imported from {lance_shop.kb}")


def test_without_rankings_an_export_is_as_it_was(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    manifest = json.loads((exported(lance_shop) / "manifest.json").read_text())
    assert manifest["schema_version"] == 1
    assert {"rankings", "ranking"}.isdisjoint(manifest)


@pytest.mark.parametrize("damage", ["missing", "changed", "no adapter", "another", "twice"])
def test_a_ranking_that_is_not_what_was_written_is_refused(
    lance_shop: Workshop, damage: str
) -> None:
    lance_shop.build(TEXTS)
    _, _, live = ranked(lance_shop)
    folder = exported(lance_shop)
    file, path = folder / f"ranking-{live}.safetensors", folder / "manifest.json"
    manifest = json.loads(path.read_text())
    match damage:
        case "missing":
            file.unlink()
        case "changed":
            file.write_bytes(file.read_bytes() + b" ")
        case "no adapter":
            file.write_bytes(b"{}")
            manifest["rankings"][-1]["model"] = digest_of(file)[0]
        case "another":
            manifest["ranking"] = 77
        case "twice":
            manifest["rankings"].append(manifest["rankings"][-1])
    path.write_text(json.dumps(manifest))
    with pytest.raises(Damaged, match="the export is damaged"):
        bring_in(lance_shop.folder / "other", folder, None, LANCE)
    assert not (lance_shop.folder / "other" / "lake").exists()
