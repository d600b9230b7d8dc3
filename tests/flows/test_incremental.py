"""The table "incremental ingestion": what is paid, what a reader sees, and what is deleted, counted
on the real flow.
"""

import os
import random
import shutil

import pytest

from llmops.tasks.knowledge import quarantine
from tests.laboratory import Laboratory

pytestmark = pytest.mark.slow

WORDS = [
    "river",
    "stone",
    "lamp",
    "winter",
    "garden",
    "copper",
    "signal",
    "paper",
    "morning",
    "engine",
    "salt",
    "harbour",
    "violet",
    "thread",
    "ladder",
    "mirror",
]


def prose(seed: int, sentences: int) -> str:
    chance = random.Random(seed)
    return " ".join(
        f"{' '.join(chance.choices(WORDS, k=chance.randint(6, 14)))} {chance.randint(0, 9999)}.".capitalize()  # noqa: E501
        for _ in range(sentences)
    )


def test_a_first_build_publishes_and_a_second_one_costs_nothing(lab: Laboratory) -> None:
    for number in range(10):
        lab.write(f"d{number}.txt", prose(number, 12))
    first = lab.build()
    paid = lab.paid()
    second = lab.build()
    assert (first.status, first.documents["new"], first.documents["total"]) == ("published", 10, 10)
    assert first.embeddings == {"computed": paid, "reused": 0}
    assert (second.status, second.version, second.documents["unchanged"]) == (
        "unchanged",
        first.version,
        10,
    )
    assert lab.paid() == paid
    assert lab.verified()


def test_one_word_costs_a_few_embeddings(lab: Laboratory) -> None:
    text = prose(1, 330)
    lab.write("long.txt", text)
    chunks = lab.build().chunks["total"]
    middle = text.index(" ", len(text) // 2)
    lab.write("long.txt", text[:middle] + " inserted" + text[middle:])
    inserted = lab.build()
    lab.write("long.txt", text[:middle] + " inserted" + text[middle:] + " appended.")
    appended = lab.build()
    assert chunks >= 90
    assert 1 <= inserted.embeddings["computed"] <= 4
    assert inserted.chunks["kept"] >= chunks - 4
    assert 1 <= appended.embeddings["computed"] <= 2
    assert lab.verified()


def test_a_rename_and_a_touch_cost_nothing(lab: Laboratory) -> None:
    lab.write("old.txt", prose(2, 40))
    lab.write("other.txt", prose(3, 5))
    lab.build()
    paid = lab.paid()
    shutil.move(lab.documents / "old.txt", lab.documents / "new.txt")
    (lab.documents / "other.txt").touch()
    outcome = lab.build()
    assert (
        outcome.documents["renamed"],
        outcome.documents["new"],
        outcome.documents["retired"],
    ) == (1, 0, 0)
    assert outcome.documents["unchanged"] == 1
    assert lab.paid() == paid
    assert lab.visible() == {"new.txt", "other.txt"}


def test_one_bad_document_goes_to_quarantine_and_its_replay_pays_only_for_it(
    lab: Laboratory,
) -> None:
    for number in range(30):
        lab.write(f"d{number}.txt", prose(number, 3))
    lab.write("bad.txt", "This one says POISON and cannot be embedded.")
    outcome = lab.build()
    paid = lab.paid()
    assert (outcome.status, outcome.documents["quarantined"], outcome.documents["total"]) == (
        "published",
        1,
        30,
    )
    held = lab.build()
    assert (held.status, held.documents["quarantined"], lab.paid()) == ("unchanged", 1, paid)
    lab.write("bad.txt", "This one is mended and can be embedded.")
    mended = lab.build()
    assert (mended.status, mended.documents["new"], mended.documents["quarantined"]) == (
        "published",
        1,
        0,
    )
    assert lab.paid() == paid + mended.embeddings["computed"] == paid + 1


def test_what_nobody_foresaw_is_tried_once_more_and_then_held(lab: Laboratory) -> None:
    lab.write("good.txt", prose(1, 3))
    lab.write("bad.txt", "This one says POISON, which is an error that nobody foresaw.")
    limits = {"failure_budget": 1.0}
    well = {"name": "costly", "bill": str(lab.bill), "poison": "nothing of the kind"}
    first = lab.build(limits=limits)
    assert [each.next_try for each in first.quarantine] == ["the next build tries it once more"]
    assert lab.build(limits=limits, embed=well).documents["quarantined"] == 0
    assert lab.visible() == {"good.txt", "bad.txt"}

    lab.write("bad.txt", "Another text that says POISON.")
    for attempts in (1, 2):
        assert lab.build(limits=limits).documents["quarantined"] == 1
        [item] = quarantine.items(lab.handle.ledger, lab.kb)
        assert (item["attempts"], item["retryable"]) == (attempts, attempts == 1)
    for moment in (1, 1, 2):  # of the same bytes
        os.utime(lab.documents / "bad.txt", (moment, moment))
        assert lab.build(limits=limits, embed=well).documents["quarantined"] == 1
    assert quarantine.items(lab.handle.ledger, lab.kb) == [item]
    quarantine.release(lab.handle.ledger, [item["id"]])
    assert lab.build(limits=limits, embed=well).documents["quarantined"] == 0


def test_a_bad_edit_leaves_the_last_good_form_live(lab: Laboratory) -> None:
    for number in range(25):
        lab.write(f"d{number}.txt", prose(number, 3))
    lab.write("guide.txt", "The lantern must be trimmed at dusk.")
    first = lab.build()
    lab.write("guide.txt", "POISON instead of a lantern.")
    second = lab.build()
    assert (second.status, second.version, second.documents["quarantined"]) == (
        "unchanged",
        first.version,
        1,
    )
    assert "lantern" in lab.search("lantern at dusk", 1)[0]
    assert "guide.txt" in lab.visible()


def test_an_embedder_that_is_down_loses_nothing_and_the_next_run_publishes(lab: Laboratory) -> None:
    from llmops.tasks.errors import Unavailable

    lab.write("a.txt", prose(4, 6))
    first = lab.build()
    lab.write("a.txt", prose(5, 6))
    with pytest.raises(Unavailable, match="does not answer"):
        lab.build(embed={"name": "costly", "bill": str(lab.bill), "down": True})
    assert lab.live() == first.version
    assert lab.build().status == "published"
    assert lab.verified()


def test_an_empty_listing_never_deletes(lab: Laboratory) -> None:
    lab.write("a.txt", prose(6, 4))
    first = lab.build()
    (lab.documents / "a.txt").unlink()
    for allow in (False, True):
        outcome = lab.build(allow_deletes=allow)
        assert (outcome.status, outcome.exit_code, outcome.version) == ("blocked", 3, first.version)
        assert "empty listing never deletes" in (outcome.reason or "")
    assert lab.visible() == {"a.txt"}


def test_many_vanished_documents_block_until_they_are_allowed_once(lab: Laboratory) -> None:
    for number in range(10):
        lab.write(f"d{number}.txt", prose(number, 2))
    lab.build()
    for number in range(3):
        (lab.documents / f"d{number}.txt").unlink()
    blocked = lab.build()
    assert (blocked.exit_code, blocked.documents["vanished"], blocked.documents["retired"]) == (
        3,
        3,
        0,
    )
    assert "--allow-deletes" in (blocked.hint or "")
    assert len(lab.visible()) == 10
    allowed = lab.build(allow_deletes=True)
    assert (allowed.status, allowed.documents["retired"], len(lab.visible())) == ("published", 3, 7)
    assert lab.verified()


def test_an_incomplete_listing_retires_nothing(lab: Laboratory) -> None:
    pages = {f"p{number}": prose(number, 2) for number in range(10)}
    lab.build(sources=[{"name": "memory", "documents": pages}])
    fewer = {uri: text for uri, text in pages.items() if uri != "p3"}
    outcome = lab.build(sources=[{"name": "memory", "documents": fewer, "complete": False}])
    assert (outcome.status, outcome.documents["vanished"]) == ("unchanged", 0)
    assert any("not complete" in warning for warning in outcome.warnings)
    assert "p3" in lab.visible()


def test_the_same_text_in_two_documents_is_paid_once_and_removed_alone(lab: Laboratory) -> None:
    for number in range(9):
        lab.write(f"d{number}.txt", prose(number, 2))
    lab.write("one.txt", "The identical notice about the harbour.")
    lab.write("two.txt", "The identical notice about the harbour.")
    lab.build()
    assert lab.bills().count("The identical notice about the harbour.") == 1
    (lab.documents / "one.txt").unlink()
    lab.build()
    assert "two.txt" in lab.visible()
    assert "one.txt" not in lab.visible()
    assert lab.verified()


def test_another_chunk_size_and_another_embedder_are_planned_paid_and_switched(
    lab: Laboratory,
) -> None:
    for number in range(5):
        lab.write(f"d{number}.txt", prose(number, 20))
    first = lab.build()
    smaller = lab.build(chunk={"name": "sentence", "size": 20, "overlap": 0})
    assert smaller.status == "published"
    assert smaller.chunks["total"] > first.chunks["total"]
    assert smaller.documents["unchanged"] == 5
    other = lab.build(embed={"name": "hash"}, chunk={"name": "sentence", "size": 20, "overlap": 0})
    assert (other.status, other.chunks["total"]) == ("published", smaller.chunks["total"])
    assert lab.verified()
    assert len(lab.visible()) == 5


def test_too_many_failures_end_the_run_before_anything_is_paid(lab: Laboratory) -> None:
    for number in range(8):
        lab.write(f"d{number}.txt", prose(number, 2))
    for number in range(2):
        (lab.documents / f"rubbish{number}.md").write_bytes(bytes(range(256)) * 40)
    outcome = lab.build()
    assert (outcome.status, outcome.exit_code, outcome.version) == ("failed", 4, None)
    assert "failure_budget" in (outcome.reason or "")
    assert lab.paid() == 0
    assert lab.build(limits={"failure_budget": 0.5}).status == "published"
