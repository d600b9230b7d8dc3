"""What of a knowledge base is named to somebody who holds some labels, and to nobody else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.filters.metadata import Access, MetadataSchema
from llmops.tasks.knowledge import quarantine, seen
from llmops.tasks.knowledge.quarantine import Failure
from llmops.tasks.knowledge.seen import Sight
from llmops.tasks.ledger.tables import documents, versions
from llmops.tasks.maintenance.versions import document_diff
from llmops.tasks.plugins import Spec
from tests.workshop import Workshop

OPEN = MetadataSchema()
BY_SOURCE = MetadataSchema(sources={"memory": ("hr",)})
BY_DOCUMENT = MetadataSchema(access=Access(field="readers"))
FIRST = {"a.txt": "The lamp is lit.", "b.txt": "Boats pass the harbour.", "c.txt": "Salt."}
SECOND = {"a.txt": "The lamp is out.", "b.txt": "Boats pass the harbour.", "d.txt": "Ropes."}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    found = Workshop(tmp_path_factory.mktemp("shop"), Spec(name="lancedb"))
    found.embedder = Spec(name="hash")
    found.build(FIRST)
    found.build(SECOND)
    return found


@pytest.fixture
def ruled(shop: Workshop, request: pytest.FixtureRequest) -> Iterator[Workshop]:
    """The same, the live version having the rules that the test names."""
    before = shop.live.config
    facts = request.param.model_dump(mode="json")
    shop.recorded(config={**before, "facts": facts})
    yield shop
    shop.recorded(config=before)


@pytest.mark.parametrize(
    ("rules", "labels", "whole", "by_source", "named"),
    [
        ([OPEN], [], True, True, True),
        ([BY_SOURCE], [], False, False, False),
        ([BY_SOURCE], ["hr"], True, True, True),
        ([BY_SOURCE, OPEN], [], False, False, False),
        ([BY_DOCUMENT], [], False, False, False),
        ([BY_DOCUMENT], ["board"], False, False, True),
        ([], ["board"], False, False, False),
    ],
)
def test_rules_and_labels_decide_what_is_named(
    rules: list[MetadataSchema], labels: list[str], whole: bool, by_source: bool, named: bool
) -> None:
    sight = Sight(frozenset(labels), tuple(rules))
    assert sight.whole is whole
    assert sight.source("memory") is by_source
    assert sight.document("memory", '{"readers": ["board"]}') is named


def test_labels_that_cannot_be_read_open_nothing() -> None:
    assert not Sight(frozenset({"board"}), (BY_DOCUMENT,)).document("memory", '{"readers": 7}')


def test_the_changes_of_a_version_are_named(shop: Workshop) -> None:
    there, back = (seen.changes(shop.handle, *pair, ()) for pair in ((1, 2), (2, 1)))
    uris = [[each.uri for each in part.documents] for part in there[2:]]
    assert uris == [["d.txt"], ["a.txt"], ["c.txt"]]
    assert (back.added, back.changed, back.retired) == (there.retired, there.changed, there.added)


@pytest.mark.parametrize("ruled", [BY_SOURCE], indirect=True)
def test_changes_that_labels_do_not_open_are_counted_and_not_named(ruled: Workshop) -> None:
    hidden = seen.changes(ruled.handle, 1, 2, ())
    assert [(part.documents, part.hidden) for part in hidden[2:]] == [((), 1)] * 3
    assert [part.hidden for part in seen.changes(ruled.handle, 1, 2, ["hr"])[2:]] == [0, 0, 0]


def test_a_version_that_is_not_kept_is_not_compared(shop: Workshop) -> None:
    shop.recorded(1, status="expired")
    try:
        with pytest.raises(UsageError, match="not kept: it is expired"):
            seen.changes(shop.handle, 1, 2, ())
    finally:
        shop.recorded(1, status="published")


def test_documents_come_in_parts_and_by_what_they_are_called(shop: Workshop) -> None:
    first = seen.page(shop.handle, 2, (), size=2)
    rest = seen.page(shop.handle, 2, (), after=first.next, size=2)
    assert [each.uri for each in (*first.documents, *rest.documents)] == ["a.txt", "b.txt", "d.txt"]
    assert (first.next, rest.next) == (rest.documents[0].doc_id, "")
    assert seen.page(shop.handle, 2, (), after="f" * 32) == ((), "")
    assert [each.uri for each in seen.page(shop.handle, 1, (), text="C.T").documents] == ["c.txt"]
    assert seen.page(shop.handle, 1, (), text="%").documents == ()


@pytest.mark.parametrize("ruled", [BY_DOCUMENT, BY_SOURCE], indirect=True)
def test_a_list_looks_at_so_many_at_once_and_goes_on(
    ruled: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where hardly anything may be named, nobody waits until all of it was looked through; where
    it goes on is said by an id, never by a name.
    """
    monkeypatch.setattr(seen, "LOOKED_AT", 2)
    parts: list[seen.DocumentPage] = []
    after = ""
    for _ in range(5):
        found = seen.page(ruled.handle, 2, ["hr"] if len(parts) % 2 else [], after=after)
        parts.append(found)
        after = found.next
        assert "." not in after
        if not after:
            break
    assert 1 < len(parts) < 5


@pytest.mark.parametrize("ruled", [BY_SOURCE], indirect=True)
def test_documents_that_labels_do_not_open_are_in_no_list(ruled: Workshop) -> None:
    """Also not in that of an earlier version, which let everybody read them."""
    assert seen.page(ruled.handle, 1, ()) == seen.page(ruled.handle, 2, ()) == ((), "")
    assert len(seen.page(ruled.handle, 2, ["hr"]).documents) == 3


def test_what_changed_in_a_document_is_shown_line_by_line(shop: Workshop) -> None:
    key = next(each.doc_id for each in seen.page(shop.handle, 2, ()).documents)
    rows = seen.document_of(shop.handle, key, (1, 2), ())
    lines = document_diff(shop.handle, rows[1], rows[2])
    assert lines == [("gone", "The lamp is lit."), ("new", "The lamp is out.")]
    assert document_diff(shop.handle, None, rows[2]) == [("new", "The lamp is out.")]


@pytest.mark.parametrize("ruled", [BY_SOURCE], indirect=True)
def test_a_document_that_labels_do_not_open_is_as_if_it_were_not(ruled: Workshop) -> None:
    with ruled.ledger.read() as connection:
        key = connection.scalar(documents.select().with_only_columns(documents.c.doc_id).limit(1))
    told = []
    for doc_id in (key, "f" * 32):
        with pytest.raises(UsageError) as error:
            seen.document_of(ruled.handle, str(doc_id), (1, 2), ())
        told.append(str(error.value))
    assert told[0] == told[1]


def failure(uri: str, error: str = "DocumentError", reason: str = "it is damaged") -> Failure:
    return Failure(source="memory", uri=uri, stage="parse", error=error, reason=reason)


def test_the_quarantine_names_what_labels_open(shop: Workshop) -> None:
    twin = failure("f.txt", "NearDuplicate", "a near duplicate (0.91) of a.txt, which is kept")
    quarantine.put(shop.handle, [failure("a.txt"), failure("e.txt"), twin], "stages")
    everything = seen.quarantined(shop.handle, (), OPEN)
    assert {each["uri"] for each in everything.items} == {"a.txt", "e.txt", "f.txt"}
    assert any("of a.txt" in each["reason"] for each in everything.items)
    hidden = seen.quarantined(shop.handle, (), BY_SOURCE)
    assert (hidden.items, hidden.hidden) == ((), 3)
    one = seen.quarantined(shop.handle, (), OPEN, most=1)
    assert (len(one.items), one.more, one.hidden) == (1, 2, 0)


def test_where_nothing_was_published_the_config_s_rules_decide(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    quarantine.put(shop.handle, [failure("a.txt")], "stages")
    assert seen.quarantined(shop.handle, ()).hidden == 1
    assert seen.quarantined(shop.handle, (), BY_SOURCE).hidden == 1
    assert len(seen.quarantined(shop.handle, (), OPEN).items) == 1
    with shop.ledger.read() as connection:
        assert connection.execute(versions.select()).all() == []


@pytest.mark.parametrize("ruled", [BY_DOCUMENT], indirect=True)
def test_the_reason_of_a_near_duplicate_does_not_name_what_is_hidden(ruled: Workshop) -> None:
    twin = failure("b.txt", "NearDuplicate", "a near duplicate (0.91) of a.txt, which is kept")
    quarantine.put(ruled.handle, [twin], "stages")
    shown = seen.quarantined(ruled.handle, ()).items
    assert [each["reason"] for each in shown if each["uri"] == "b.txt"] == [
        "a near duplicate of another document, which is kept"
    ]
