"""Why a document is not found."""

from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.quarantine import Failure, put
from llmops.tasks.knowledge.suppressed import suppress
from llmops.tasks.knowledge.versions import remember_config
from llmops.tasks.maintenance.left_out import AbsentDocument, explained
from tests.workshop import TEXTS, Workshop


@pytest.fixture
def shelf(lance_shop: Workshop, tmp_path: Path) -> Workshop:
    """A base of the files of a folder, without those of `drafts/` and above 1,000 bytes."""
    folder = tmp_path / "docs"
    (folder / "drafts").mkdir(parents=True)
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    lance_shop.build(TEXTS)
    lance_shop.recorded(
        config={
            **lance_shop.live.config,
            "folder": str(tmp_path),
            "sources": [
                {
                    "name": "files",
                    "options": {
                        "id": "memory",
                        "path": "docs",
                        "include": ["**/*.txt"],
                        "exclude": ["drafts/**"],
                        "max_bytes": 1_000,
                    },
                }
            ],
        }
    )
    return lance_shop


def left_out(shop: Workshop, name: str) -> AbsentDocument:
    found = explained(shop.home, name)
    assert found["kind"] == "absent"
    return found


def test_a_file_is_found_by_its_path(shelf: Workshop, tmp_path: Path) -> None:
    found = explained(shelf.home, str(tmp_path / "docs" / "d1.txt"))
    assert found["kind"] == "document"
    assert found["document"]["uri"] == "d1.txt"


@pytest.mark.parametrize(
    ("name", "size", "why"),
    [
        ("drafts/new.txt", 10, "the pattern 'drafts/**' of exclude leaves it out"),
        ("new.md", 10, "no pattern of include takes it: **/*.txt"),
        (".new.txt", 10, "it is hidden, and no pattern of include names hidden files"),
        ("large.txt", 1_001, "it has 1,001 bytes, and max_bytes is 1,000"),
    ],
)
def test_a_source_says_which_pattern_or_limit_leaves_a_file_out(
    shelf: Workshop, tmp_path: Path, name: str, size: int, why: str
) -> None:
    (tmp_path / "docs" / name).write_text("x" * size)
    for given in (name, str(tmp_path / "docs" / name)):
        found = left_out(shelf, given)
        assert (found["why"], found["uri"], found["source"]) == ("left_out", name, "memory")
        assert found["message"] == f"the source 'memory' does not take it: {why}"


def test_a_file_that_came_after_the_last_build(
    shelf: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs" / "late.txt").write_text("A late boat.")
    found = left_out(shelf, "late.txt")
    assert (found["why"], found["hint"]) == ("not_built_yet", "build again: llmops index CONFIG")
    config = tmp_path / "a base.yaml"
    remember_config(shelf.handle, str(config))
    monkeypatch.chdir(tmp_path)
    assert left_out(shelf, "late.txt")["hint"] == "build again: llmops index 'a base.yaml'"


def failure(uri: str, error: str = "DocumentError", reason: str = "it is damaged") -> Failure:
    return Failure(source="memory", uri=uri, stage="parse", error=error, reason=reason)


def test_what_is_in_quarantine_says_why_and_what_to_do(shelf: Workshop) -> None:
    put(shelf.handle, [failure("bad.pdf")], "s")
    found = left_out(shelf, "bad.pdf")
    item = found["item"]
    assert item is not None
    assert found["why"] == "quarantined"
    assert found["message"].endswith(
        "at the stage parse: it is damaged (builds try it again when the document, its parser or "
        "the config has changed)"
    )
    assert f"llmops quarantine retry {item['id']}" in found["hint"]


def test_a_row_of_a_file_in_quarantine_is_found_by_the_file(shelf: Workshop) -> None:
    put(shelf.handle, [failure("rows.jsonl#7")], "s")
    assert left_out(shelf, "rows.jsonl")["uri"] == "rows.jsonl#7"


def test_a_near_duplicate_names_the_better_one(shelf: Workshop) -> None:
    reason = "a near duplicate (0.93) of d1.txt, which is kept"
    put(shelf.handle, [failure("twin.txt", "NearDuplicate", reason)], "s")
    found = left_out(shelf, "twin.txt")
    assert (found["why"], found["message"]) == ("duplicate", f"it is {reason}")


def test_what_was_erased_is_said_also_of_its_file(shelf: Workshop, tmp_path: Path) -> None:
    (tmp_path / "docs" / "gone.txt").write_text("A boat that went.")
    with shelf.ledger.write() as connection:
        suppress(connection, shelf.kb, {"gone.txt": {"documents": 1}})
    found = left_out(shelf, str(tmp_path / "docs" / "gone.txt"))
    assert (found["why"], found["uri"]) == ("erased", "gone.txt")
    assert "--lift" in found["hint"]


def test_a_live_document_says_that_its_newer_form_is_in_quarantine(shelf: Workshop) -> None:
    put(shelf.handle, [failure("d1.txt")], "s")
    found = explained(shelf.home, "d1.txt")
    assert found["kind"] == "document"
    assert found["quarantine"] is not None
    assert found["quarantine"]["reason"] == "it is damaged"


def test_what_nobody_knows_stays_a_mistake(shelf: Workshop) -> None:
    with pytest.raises(UsageError, match="is no chunk and no document"):
        explained(shelf.home, "never.txt")
