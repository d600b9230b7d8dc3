"""What stands between a candidate and its readers: expectations, the golden set, the number of
versions kept.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from llmops.tasks.knowledge.versions import rollback
from llmops.tasks.knowledge.views import history
from llmops.tasks.ledger.leases import hold
from llmops.tasks.yaml_files import write_yaml
from tests.commandline import llmops
from tests.laboratory import Laboratory

pytestmark = pytest.mark.slow

COLOURS = [
    "amber",
    "crimson",
    "indigo",
    "olive",
    "teal",
    "scarlet",
    "ivory",
    "mauve",
    "ochre",
    "russet",
    "saffron",
    "umber",
]


def colours(lab: Laboratory) -> Path:
    """A document per colour, and a golden set that asks for each."""
    for colour in COLOURS:
        lab.write(
            f"{colour}.txt",
            f"The {colour} lantern hangs in the {colour} room. Nothing else is {colour}.",
        )
    file = lab.folder / "golden.jsonl"
    file.write_text(
        "".join(
            json.dumps(
                {
                    "id": colour,
                    "question": f"Where does the {colour} lantern hang?",
                    "relevant": [{"uri": f"{colour}.txt"}],
                }
            )
            + "\n"
            for colour in COLOURS
        )
    )
    return file


def test_a_worse_candidate_is_rejected_and_the_worst_questions_are_listed(lab: Laboratory) -> None:
    gate = {
        "golden": str(colours(lab)),
        "k": 1,
        "metrics": {"recall": {"min": 0.5, "margin": 0.05}},
    }
    first = lab.build(gate=gate)
    assert (first.status, first.gate["verdict"]) == ("published", "passed")
    assert first.gate["metrics"]["recall@1"]["candidate"] == 1.0
    for colour in COLOURS[:8]:
        lab.write(f"{colour}.txt", "This page was moved.")
    second = lab.build(gate=gate)
    assert (second.status, second.exit_code, second.gate["verdict"], second.version) == (
        "blocked",
        3,
        "rejected",
        first.version,
    )
    assert "version 2 did not go live, gate rejected: " in llmops("kb", "log", lab.kb).out
    assert {one["id"] for one in second.worst} <= set(COLOURS[:8])
    assert len(second.worst) >= 8
    assert "amber lantern" in lab.search("Where does the amber lantern hang?", 1)[0]
    assert lab.verified()
    for colour in COLOURS[:8]:
        lab.write(
            f"{colour}.txt",
            f"The {colour} lantern hangs in the {colour} room, as ever. Nothing else is {colour}.",
        )
    third = lab.build(gate=gate)
    assert (third.status, third.gate["verdict"]) == ("published", "passed")
    assert [row["status"] for row in history(lab.handle)] == [
        "live",
        "rejected",
        "published",
    ]


def test_a_gate_that_is_added_or_asks_something_new_is_asked_of_what_is_live(
    lab: Laboratory,
) -> None:
    golden = colours(lab)
    rules = {"k": 1, "metrics": {"recall": {"min": 0.5, "margin": 0.05}}}
    gate = {"golden": str(golden), **rules}
    first, added = lab.build(), lab.build(gate=gate)
    assert (first.gate["verdict"], added.status, added.exit_code) == ("skipped", "unchanged", 0)
    assert added.gate["verdict"] == "passed"
    assert added.gate["metrics"]["recall@1"] == {
        "candidate": 1.0,
        "live": 1.0,
        "difference": 0.0,
        "interval": [0.0, 0.0],
    }
    assert added.gate["reason"].startswith("version 1, which is live, was measured: recall@1 is 1.")
    golden.write_text(re.sub(r"\w+\.txt", "amber.txt", golden.read_text()))
    harder = lab.build(gate=gate)
    assert (harder.status, harder.gate["verdict"], harder.version) == ("unchanged", "rejected", 1)
    assert [each for each in harder.warnings if "asked of what is live, says rejected" in each]
    colours(lab)
    lab.write("amber.txt", "The amber lantern hangs in the amber room, as ever.")
    assert lab.build(gate=gate).gate["verdict"] == "passed"
    again = lab.build(gate=gate)
    assert (again.status, again.gate["verdict"]) == ("unchanged", "skipped")
    assert "went live by this gate" in again.gate["reason"]


def test_rows_that_fail_an_expectation_go_to_quarantine_and_a_failed_table_blocks(
    lab: Laboratory,
) -> None:
    for number in range(30):
        lab.write(f"d{number}.txt", f"Document number {number} is long enough to be kept in here.")
    lab.write("short.txt", "Too short.")
    suite = lab.folder / "suite.yaml"
    suite.write_text(
        write_yaml(
            {
                "documents": [
                    {
                        "type": "expect_column_value_lengths_to_be_between",
                        "column": "text",
                        "min_value": 20,
                    }
                ]
            }
        )
    )
    outcome = lab.build(expectations=str(suite))
    assert (outcome.status, outcome.documents["quarantined"], outcome.documents["total"]) == (
        "published",
        1,
        30,
    )
    assert "short.txt" not in lab.visible()
    suite.write_text(
        write_yaml(
            {"documents": [{"type": "expect_table_row_count_to_be_between", "min_value": 100}]}
        )
    )
    lab.write("another.txt", "One more document that is long enough to be kept.")
    blocked = lab.build(expectations=str(suite))
    assert (blocked.status, blocked.exit_code, blocked.version) == ("blocked", 3, outcome.version)
    assert "row count" in (blocked.reason or "")
    assert list((lab.home / "docs").glob("*.html"))


def test_only_so_many_versions_are_kept_and_rollback_knows_them(lab: Laboratory) -> None:
    for number in range(4):
        lab.write("a.txt", f"This is edition {number} of the text.")
        assert lab.build(limits={"keep_versions": 2}).status == "published"
    assert [row["status"] for row in history(lab.handle)] == [
        "live",
        "published",
        "expired",
        "expired",
    ]
    with hold(lab.home, lab.kb) as lease:
        assert rollback(lab.handle, lease, None) == (3, 4)
        assert "edition 2" in lab.search("edition of the text", 1)[0]
        with pytest.raises(Exception, match="not kept any more"):
            rollback(lab.handle, lease, 1)
    assert lab.verified()
    again = lab.build(limits={"keep_versions": 2})
    assert (again.status, again.version, again.previous_version) == ("published", 5, 3)
    assert "edition 3" in lab.search("edition of the text", 1)[0]


def test_a_golden_set_that_names_no_document_blocks_and_one_that_misses_some_warns(
    lab: Laboratory,
) -> None:
    golden = colours(lab)
    golden.write_text(golden.read_text().replace(".txt", ".md"))
    gate = {"golden": str(golden), "k": 1}
    blocked = lab.build(gate=gate)
    assert (blocked.exit_code, lab.paid()) == (3, 0)
    assert "no question of the golden set names a document" in (blocked.reason or "")
    golden.write_text(golden.read_text().replace("amber.md", "amber.txt"))
    outcome = lab.build(gate=gate)
    assert outcome.status == "published"
    assert any("the golden set names 11 documents" in warning for warning in outcome.warnings)


def test_pictures_are_recorded_but_no_fault_of_the_budget(lab: Laboratory) -> None:
    lab.write("a.txt", "One text among pictures.")
    for number in range(3):
        Image.new("L", (40, 40), 60 * number).save(lab.documents / f"p{number}.png")
    for status in ("published", "unchanged"):
        outcome = lab.build()
        assert (outcome.status, outcome.documents["quarantined"], lab.visible()) == (
            status,
            3,
            {"a.txt"},
        )


def test_pages_that_recognition_leaves_out_are_a_warning_or_a_quarantined_document(
    lab: Laboratory,
) -> None:
    pytest.importorskip("rapidocr")
    page = Image.new("RGB", (600, 200), "white")
    ImageDraw.Draw(page).text((20, 60), "Ducks swim here", fill="black", font_size=60)
    page.save(lab.documents / "fax.tif", save_all=True, append_images=[page])
    lab.write("a.txt", "One text beside a fax.")
    outcome = lab.build(parse={"ocr": {"most_pages": 1}})
    assert lab.visible() == {"a.txt", "fax.tif"}
    assert [warning for warning in outcome.warnings if "such as 1 of 'fax.tif'" in warning]
    strict = {"ocr": {"most_pages": 1, "unread_pages": "quarantine"}}
    outcome = lab.build(parse=strict, limits={"failure_budget": 0.6})
    assert (outcome.documents["quarantined"], lab.visible()) == (1, {"a.txt", "fax.tif"})


def test_a_wiped_store_is_rebuilt_by_the_next_build_and_nothing_is_paid_again(
    lab: Laboratory,
) -> None:
    for number in range(5):
        lab.write(f"d{number}.txt", f"Document number {number} speaks of lanterns.")
    lab.build()
    paid = lab.paid()
    for folder in (lab.home / "lancedb").glob(f"{lab.kb}*"):
        shutil.rmtree(folder)
    assert not lab.verified()
    assert (lab.build().status, lab.verified(), lab.paid()) == ("published", True, paid)
    assert lab.build().status == "unchanged"
    lab.write("d9.txt", "A new document among the old ones.")
    outcome = lab.build()
    assert (outcome.status, outcome.embeddings["computed"], lab.verified()) == (
        "published",
        1,
        True,
    )
