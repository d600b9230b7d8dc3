"""Cleaners that compare documents, on the real flow: builds one after the other end where one build
of everything ends.
"""

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from llmops.tasks.knowledge.quarantine import items
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import documents
from tests.flows.test_incremental import prose
from tests.killer import killed_build
from tests.laboratory import Laboratory

pytestmark = pytest.mark.slow

NEAR: dict[str, Any] = {"clean": ["unicode", "whitespace", "near_duplicates"]}
LINES: dict[str, Any] = {
    "clean": ["unicode", {"name": "boilerplate", "min_documents": 4}, "whitespace"]
}
BOTH: dict[str, Any] = {
    "clean": ["whitespace", {"name": "boilerplate", "min_documents": 4}, "near_duplicates"],
    "limits": {"max_delete_fraction": 1},
}
GUIDE = prose(1, 30)
FOOTER = "\n\nThe makers of lamps and ladders, open from nine to five.\n"


def listed(lab: Laboratory) -> dict[str, tuple[str, str]]:
    return {
        item["uri"]: (item["error"], item["reason"])
        for item in items(open_ledger(lab.home), lab.kb)
    }


def state(lab: Laboratory) -> dict[str, tuple[str, str]]:
    """The live documents: uri -> (hash of the text, metadata)."""
    query = select(documents).where(documents.c.kb == lab.kb, documents.c.valid_to.is_(None))
    with open_ledger(lab.home).read() as connection:
        return {row.uri: (row.text_hash, row.metadata) for row in connection.execute(query)}


def pages(lab: Laboratory, count: int, ending: str = "", first: int = 0) -> None:
    for number in range(first, first + count):
        lab.write(f"d{number}.txt", prose(100 + number, 6) + ending)


def test_the_best_of_near_duplicates_is_kept_and_lists_the_others_which_are_no_failures(
    lab: Laboratory,
) -> None:
    pages(lab, 4)
    lab.write("guide.txt", GUIDE)
    lab.write("copy.txt", GUIDE + " And one more word.")
    outcome = lab.build(**NEAR, limits={"failure_budget": 0})
    assert (outcome.status, outcome.documents["duplicates"], outcome.documents["quarantined"]) == (
        "published",
        1,
        0,
    )
    assert (outcome.documents["new"], outcome.documents["total"]) == (5, 5)
    assert lab.visible() == {"copy.txt", "d0.txt", "d1.txt", "d2.txt", "d3.txt"}
    error, reason = listed(lab)["guide.txt"]
    assert error == "NearDuplicate"
    assert reason.startswith("a near duplicate (0.9")
    assert reason.endswith("of copy.txt, which is kept")
    assert state(lab)["copy.txt"][1] == '{"duplicates": ["guide.txt"]}'
    paid = lab.paid()
    again = lab.build(**NEAR)
    assert (
        again.status,
        again.documents["duplicates"],
        again.documents["unchanged"],
        lab.paid(),
    ) == ("unchanged", 1, 5, paid)
    assert lab.verified()


@pytest.mark.parametrize("how", ["vanishes", "changes"])
def test_when_the_kept_one_is_gone_the_best_of_the_others_comes_in(
    lab: Laboratory, how: str
) -> None:
    pages(lab, 8)
    lab.write("a.txt", GUIDE)
    lab.write("b.txt", GUIDE + " One.")
    lab.write("best.txt", GUIDE + " One two three.")
    assert lab.build(**NEAR).documents["duplicates"] == 2
    if how == "vanishes":
        (lab.documents / "best.txt").unlink()
    else:
        lab.write("best.txt", prose(77, 9))
    outcome = lab.build(**NEAR)
    assert (outcome.status, outcome.documents["duplicates"], outcome.documents["new"]) == (
        "published",
        1,
        1,
    )
    assert {"b.txt"} == lab.visible() & {"a.txt", "b.txt"}
    assert set(listed(lab)) == {"a.txt"}
    assert "of b.txt" in listed(lab)["a.txt"][1]
    assert lab.build(**NEAR).status == "unchanged"
    assert lab.verified()


def test_a_better_document_replaces_a_live_one_without_asking_for_a_deletion(
    lab: Laboratory,
) -> None:
    lab.write("short.txt", GUIDE)
    lab.build(**NEAR)
    lab.write("long.txt", GUIDE + " Longer.")
    outcome = lab.build(**NEAR, limits={"max_delete_fraction": 0})
    assert (outcome.status, outcome.documents["vanished"], outcome.documents["retired"]) == (
        "published",
        0,
        1,
    )
    assert (lab.visible(), outcome.documents["total"]) == ({"long.txt"}, 1)
    assert lab.verified()


def test_a_better_document_that_cannot_be_embedded_replaces_nothing(lab: Laboratory) -> None:
    pages(lab, 20)
    lab.write("short.txt", GUIDE)
    lab.build(**NEAR)
    lab.write("long.txt", GUIDE + " POISON that no embedder takes.")
    lab.write("middle.txt", GUIDE + " More.")
    outcome = lab.build(**NEAR, limits={"failure_budget": 0.2})
    assert "short.txt" in lab.visible()
    assert any("brought in by the next build" in warning for warning in outcome.warnings)
    after = lab.build(**NEAR, limits={"failure_budget": 0.2})
    assert lab.visible() & {"short.txt", "middle.txt", "long.txt"} == {"middle.txt"}, after
    assert {uri: error for uri, (error, _) in listed(lab).items()} == {
        "short.txt": "NearDuplicate",
        "long.txt": "ValueError",
    }
    assert lab.build(**NEAR).status == "unchanged"
    lab.write("long.txt", GUIDE + " The longest that any embedder takes.")
    lab.build(**NEAR)
    assert lab.visible() & {"short.txt", "middle.txt", "long.txt"} == {"long.txt"}
    assert lab.verified()


def test_documents_for_other_readers_are_no_duplicates(lab: Laboratory) -> None:
    secret = {
        "name": "memory",
        "id": "secret",
        "documents": {"guide": GUIDE + " Secret."},
        "labels": ["board"],
    }
    public = {"name": "memory", "id": "public", "documents": {"guide": GUIDE, "copy": GUIDE}}
    outcome = lab.build(**NEAR, sources=[secret, public])
    assert (outcome.documents["total"], outcome.documents["duplicates"]) == (2, 1)
    assert all(
        "Secret" not in metadata and "secret" not in metadata for _, metadata in state(lab).values()
    )


def test_lines_become_boilerplate_and_cease_to_be_so_and_only_those_documents_are_paid(
    lab: Laboratory,
) -> None:
    pages(lab, 3, FOOTER)
    lab.write("own.txt", prose(50, 8))
    lab.write("other.txt", prose(51, 8))
    first = lab.build(**LINES)
    assert not any("nine to five" in text for text in lab.search("open from nine to five", 10))
    assert first.documents["total"] == 5
    paid = lab.paid()
    pages(lab, 4, first=10)  # now 3 of 9 documents have the line, no longer half of them
    outcome = lab.build(**LINES)
    assert (outcome.status, outcome.documents["new"], outcome.documents["unchanged"]) == (
        "published",
        4,
        5,
    )
    assert sum("nine to five" in text for text in lab.search("open from nine to five", 10)) == 3
    new = [text for text in lab.bills()[paid:] if "The makers of lamps" in text]
    assert len(new) == 3
    pages(lab, 6, FOOTER, first=20)
    assert lab.build(**LINES).status == "published"
    assert not any("nine to five" in text for text in lab.search("open from nine to five", 10))
    assert lab.verified()


def test_any_way_of_bringing_documents_in_ends_where_one_build_of_all_ends(
    lab: Laboratory, tmp_path: Path
) -> None:
    chance = random.Random(5)
    texts = {
        f"t{number}": prose(number % 4, 14) + " Edited a little." * (number // 4)
        for number in range(12)
    }
    for step in range(3):
        for name in chance.sample(sorted(texts), 5):
            file = lab.documents / f"{name}.txt"
            if file.exists() and chance.random() < 0.4:
                file.unlink()
            else:
                lab.write(
                    f"{name}.txt",
                    texts[chance.choice(sorted(texts))] + (FOOTER if chance.random() < 0.6 else ""),
                )
        lab.write("always.txt", prose(60 + step, 5) + FOOTER)
        assert lab.build(**BOTH).status == "published", step
        assert lab.build(**BOTH).status == "unchanged", step
        (tmp_path / f"fresh{step}").mkdir()
        fresh = Laboratory(tmp_path / f"fresh{step}")
        for file in lab.documents.iterdir():
            fresh.write(file.name, file.read_text())
        fresh.build(**BOTH)
        assert (state(lab), listed(lab)) == (state(fresh), listed(fresh)), step
    assert lab.verified()


@pytest.mark.parametrize(
    "place",
    [
        "llmops.tasks.knowledge.corpus:sketch",
        "llmops.tasks.knowledge.sketches:judged",
        "llmops.tasks.plugins.stores.lancedb:LanceDBCollection.seal",
    ],
)
def test_a_build_killed_between_survey_and_publish_changes_nothing_and_a_rerun_ends_where_it_would_have(  # noqa: E501
    lab: Laboratory, tmp_path: Path, place: str
) -> None:
    pages(lab, 5, FOOTER)
    lab.write("a.txt", GUIDE)
    lab.build(**BOTH)
    before = state(lab)
    lab.write("b.txt", GUIDE + " Better.")
    pages(lab, 7, first=20)
    killed_build(lab.home, lab.config(**BOTH), place, "after")
    assert (state(lab), lab.verified()) == (before, True)
    assert lab.build(**BOTH).status == "published"
    (tmp_path / "fresh").mkdir()
    fresh = Laboratory(tmp_path / "fresh")
    for file in lab.documents.iterdir():
        fresh.write(file.name, file.read_text())
    fresh.build(**BOTH)
    assert (state(lab), listed(lab)) == (state(fresh), listed(fresh))
    assert lab.build(**BOTH).status == "unchanged"


def test_without_the_cleaner_all_documents_are_there_again(lab: Laboratory) -> None:
    lab.write("a.txt", GUIDE)
    lab.write("b.txt", GUIDE + " More.")
    assert lab.build(**NEAR).documents["total"] == 1
    plain = lab.build()
    assert (plain.documents["total"], "duplicates" in plain.documents, listed(lab)) == (
        2,
        False,
        {},
    )
