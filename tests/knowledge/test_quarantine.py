"""When a document that could not be processed is tried again."""

from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import DocumentError, TransientDocumentError, UnforeseenDocumentError
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.quarantine import (
    Failure,
    QuarantineItem,
    held,
    items,
    one_document,
    put,
    release,
    restamp,
)
from llmops.tasks.ledger import open_ledger
from tests.ledgers import with_ledger

FIRST = Failure(
    source="files",
    uri="a.md",
    stage="collect",
    error="KeyError",
    reason="KeyError: 'x'",
    revision="1",
    unforeseen=True,
    content_hash="c",
)
BY_REVISION = FIRST.model_copy(update={"content_hash": ""})


@pytest.fixture
def kb(tmp_path: Path) -> Handle:
    open_ledger(with_ledger(tmp_path))
    return Handle(home=tmp_path, name="kb")


def recorded(kb: Handle, *failures: Failure, stages: str = "stages") -> QuarantineItem:
    """What is in quarantine after one build for each failure."""
    for failure in failures:
        put(kb, [failure], stages)
    [item] = items(kb.ledger, "kb")
    return item


@pytest.mark.parametrize(
    ("error", "retryable", "unforeseen"),
    [
        (DocumentError("it is empty"), False, False),
        (TransientDocumentError("it is locked"), True, False),
        (UnforeseenDocumentError("the parser crashed"), False, True),
        (KeyError("x"), False, True),
    ],
)
def test_only_an_error_that_says_nothing_of_the_document_is_unforeseen(
    error: Exception, retryable: bool, unforeseen: bool
) -> None:
    failures: list[Failure] = []
    with one_document(failures, source="s", uri="u", stage="parse", revision="1", content_hash="c"):
        raise error
    [failure] = failures
    assert (failure.retryable, failure.unforeseen) == (retryable, unforeseen)
    assert (failure.revision, failure.content_hash) == ("1", "c")


def test_what_nobody_foresaw_is_tried_once_more(kb: Handle) -> None:
    first = recorded(kb, FIRST)
    assert (first["retryable"], first["attempts"]) == (True, 1)
    assert first["next_try"] == "the next build tries it once more"
    second = recorded(kb, FIRST)
    assert (second["retryable"], second["attempts"]) == (False, 2)
    assert second["next_try"].startswith("it failed twice in the same way; builds try it")


@pytest.mark.parametrize("first", [FIRST, BY_REVISION])
def test_another_try_that_somebody_asked_for_is_one(kb: Handle, first: Failure) -> None:
    item = recorded(kb, first, first)
    release(kb.ledger, [item["id"]])
    [released] = items(kb.ledger, "kb")
    assert released["retryable"]
    assert not recorded(kb, first)["retryable"]


@pytest.mark.parametrize(
    ("first", "change"),
    [
        (FIRST, {"content_hash": "other"}),
        (FIRST, {"error": "MemoryError"}),
        (FIRST, {"stage": "chunk"}),
        (BY_REVISION, {"revision": "2"}),
    ],
)
def test_what_fails_in_another_way_is_tried_once_more(
    kb: Handle, first: Failure, change: dict[str, Any]
) -> None:
    assert recorded(kb, first, first, first.model_copy(update=change))["retryable"]


def test_other_stages_are_another_try(kb: Handle) -> None:
    recorded(kb, FIRST, FIRST)
    assert recorded(kb, FIRST, stages="other")["retryable"]


def test_a_file_that_was_only_touched_has_failed_already(kb: Handle) -> None:
    touched = FIRST.model_copy(update={"revision": "2"})
    assert not recorded(kb, FIRST, touched)["retryable"]


def test_a_finding_about_the_document_is_not_tried_again(kb: Handle) -> None:
    found = FIRST.model_copy(update={"unforeseen": False, "error": "DocumentError"})
    item = recorded(kb, found)
    assert not item["retryable"]
    assert item["next_try"].startswith("builds try it again when the document")
    late = found.model_copy(update={"retryable": True})
    assert recorded(kb, late, late)["next_try"] == "the next build tries it again"


def test_a_new_revision_is_remembered(kb: Handle) -> None:
    recorded(kb, BY_REVISION, BY_REVISION)
    [key] = (item["id"] for item in items(kb.ledger, "kb"))
    with kb.ledger.write() as connection:
        restamp(connection, "kb", dict.fromkeys(held(kb), "2"))
    again = BY_REVISION.model_copy(update={"revision": "2"})
    assert (recorded(kb, again)["retryable"], recorded(kb, again)["id"]) == (False, key)
