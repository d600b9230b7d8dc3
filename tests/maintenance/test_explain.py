"""From an id back to its origin: live or retired, in one knowledge base or in several."""

import pytest
from sqlalchemy import update

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger.tables import documents
from llmops.tasks.maintenance.erase import erase
from llmops.tasks.maintenance.explain import explain
from llmops.tasks.schemas import doc_id
from tests.workshop import TEXTS, Workshop


def test_a_chunk_leads_to_document_source_versions_and_config(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    lance_shop.recorded(mlflow_run_id="m1", prefect_run_id="p1")
    row = lance_shop.rows()[0]
    found = explain(lance_shop.home, str(row["chunk_id"]))
    assert (found["kind"], found["id"], found["knowledge_base"], found["live"]) == (
        "chunk",
        row["chunk_id"],
        "shop",
        True,
    )
    chunk, document = found["chunk"], found["document"]
    assert {
        name: chunk[name] for name in ("text", "start", "end", "ordinal", "headings", "page")
    } == {name: row[name] for name in ("text", "start", "end", "ordinal", "headings", "page")}
    assert TEXTS[document["uri"]][chunk["start"] : chunk["end"]] == chunk["text"]
    assert (document["source"], document["uri"], document["labels"], document["flags"]) == (
        "memory",
        row["uri"],
        ["public"],
        [],
    )
    assert {"content_hash", "fetched_at", "versions", "media_type", "language"} <= document.keys()
    assert found["versions"] == [
        {
            "version": 1,
            "status": "live",
            "published_at": found["versions"][0]["published_at"],
            "prefect_run_id": "p1",
            "mlflow_run_id": "m1",
            "config_sha256": "c" * 64,
        }
    ]
    assert found["config"]["embed"]["name"] == "costly"


@pytest.mark.parametrize("name", ["d1.txt", doc_id("memory", "d1.txt")], ids=["uri", "id"])
def test_a_document_by_uri_or_id(lance_shop: Workshop, name: str) -> None:
    lance_shop.build(TEXTS)
    lance_shop.build({**TEXTS, "d1.txt": "Another harbour."})
    found = explain(lance_shop.home, name)
    assert (found["kind"], found["id"], "chunk" in found) == (
        "document",
        doc_id("memory", "d1.txt"),
        False,
    )
    assert [(one["from"], one["to"]) for one in found["document"]["versions"]] == [
        (1, 2),
        (2, None),
    ]
    assert [one["version"] for one in found["versions"]] == [1, 2]
    assert found["document"]["characters"] == len("Another harbour.")


def test_the_first_digits_of_an_id_are_enough_unless_several_begin_so(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    for whole in (str(lance_shop.rows()[0]["chunk_id"]), doc_id("memory", "d1.txt")):
        assert explain(lance_shop.home, whole[:8]) == explain(lance_shop.home, whole)
        for given in (whole[:7], whole + "0", whole[1:9]):
            with pytest.raises(UsageError, match="no chunk and no document"):
                explain(lance_shop.home, given)
    lance_shop.build({**TEXTS, "d1.txt": "Another harbour."})
    first, second = (doc_id("memory", name) for name in ("d1.txt", "d2.txt"))
    with lance_shop.ledger.write() as connection:
        connection.execute(
            update(documents).where(documents.c.doc_id == second).values(doc_id=first[:9] + "ffff")
        )
    with pytest.raises(UsageError, match=f"several ids begin with '{first[:9]}'") as raised:
        explain(lance_shop.home, first[:9])
    assert first in str(raised.value)


def test_what_was_retired_is_explained_too(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    old = next(row for row in lance_shop.rows() if row["uri"] == "d1.txt")
    lance_shop.build({key: text for key, text in TEXTS.items() if key != "d1.txt"})
    found = explain(lance_shop.home, str(old["chunk_id"]))
    assert (found["live"], found["chunk"]["text"], found["document"]["uri"]) == (
        False,
        old["text"],
        "d1.txt",
    )
    assert [(one["version"], one["status"]) for one in found["versions"]] == [(1, "published")]
    assert not explain(lance_shop.home, "d1.txt")["live"]


def test_what_is_in_several_places_is_listed(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    other = Workshop(lance_shop.folder, lance_shop.store, kb="second")
    other.build(TEXTS)
    for given in ("d1.txt", doc_id("memory", "d1.txt"), str(other.rows()[0]["chunk_id"])):
        with pytest.raises(UsageError, match="is in 2 knowledge bases: second, shop"):
            explain(lance_shop.home, given)
        assert explain(lance_shop.home, given, "second")["knowledge_base"] == "second"


def test_what_is_unknown_says_so_and_guesses(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    for given, says, hint in (
        ("d1.text", "no chunk and no document", "d1.txt"),
        ("0" * 32, "no chunk and no document", "kb documents"),
        ("", "no chunk", "uri"),
    ):
        with pytest.raises(UsageError, match=says) as raised:
            explain(lance_shop.home, given)
        assert hint in raised.value.hint
    with pytest.raises(UsageError, match="no knowledge base 'nope'"):
        explain(lance_shop.home, "d1.txt", "nope")
    erase(lance_shop.handle, "d1.txt")
    with pytest.raises(UsageError, match="was erased from 'shop'"):
        explain(lance_shop.home, "d1.txt")


def test_only_a_name_that_resembles_is_suggested(lance_shop: Workshop) -> None:
    names = ("a", "b", "install")
    lance_shop.build({f"guide/en/{name}.md": f"The {name} of the lighthouse." for name in names})
    with pytest.raises(UsageError) as close:
        explain(lance_shop.home, "guide/instal.md")
    assert close.value.hint == "did you mean guide/en/install.md?"
    with pytest.raises(UsageError) as none:
        explain(lance_shop.home, "guide/en/nothing.md")
    assert "did you mean" not in none.value.hint
