"""What a build does with one document, by what its source says and what the ledger knows: no build
is run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from llmops.tasks.knowledge.build import Build, Fingerprints, Specs
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.planner import Planner, parts, without_suppressed
from llmops.tasks.knowledge.quarantine import Failure, put
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.tables import documents
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.sources import Item, Listing, Problem, Raw, Source
from llmops.tasks.schemas import doc_id
from tests.ledgers import with_ledger

FINGERPRINTS = Fingerprints(parse="p", clean=("c",), check="e", chunk=("k",), model="m")
OTHER_CHUNKS = FINGERPRINTS.model_copy(update={"chunk": ("other",)})
OTHER_TEXT = FINGERPRINTS.model_copy(update={"clean": ("other",)})


class Listed(Source):
    """Hashes by uri, as a source knows them without reading."""

    hashes: Mapping[str, str] = {}

    def scan(self, found: Callable[[Item | Problem], None]) -> str:
        raise NotImplementedError

    def read(self, item: Item) -> Raw:
        raise NotImplementedError

    def content_hash(self, item: Item) -> str | None:
        return self.hashes.get(item.uri)


@dataclass(frozen=True)
class Case:
    """A live document a.md of revision 1 and content `same`, and what is listed in its place."""

    revision: str | None = "1"
    content: str = "same"
    fingerprints: Fingerprints = FINGERPRINTS
    full: bool = False
    fresh: bool = False
    complete: bool = True
    quarantined: str = ""
    quarantined_content: str = ""
    unforeseen: bool = False
    uri: str = "a.md"


HELD = Case(revision="3", content="other", quarantined="2")


def live(connection: Connection) -> None:
    stages = FINGERPRINTS.of("text/markdown")
    row = {
        "kb": "kb",
        "doc_id": doc_id("files", "a.md"),
        "valid_from": 1,
        "valid_to": None,
        "source": "files",
        "uri": "a.md",
        "title": None,
        "media_type": "text/markdown",
        "language": None,
        "content_hash": "same",
        "text_hash": "t",
        "revision": "1",
        "text_stage": stages.text,
        "check_stage": stages.check,
        "chunk_stage": stages.chunk,
        "metadata": "{}",
        "fetched_at": now(),
        "characters": 9,
        "chunks": 1,
        "shard": "s",
        "shard_sha256": "0",
        "shard_row": 0,
    }
    connection.execute(documents.insert().values(row))


def planned(home: Path, case: Case) -> Plan:
    ledger = open_ledger(with_ledger(home))
    build = Build(
        handle=Handle(home=home, name="kb"),
        version=2,
        live=1,
        collection="c",
        fresh=case.fresh,
        full=case.full,
        specs=Specs(
            chunk=Spec(name="sentence"), embed=Spec(name="hash"), store=Spec(name="lancedb")
        ),
        fingerprints=case.fingerprints,
        began=datetime(2026, 1, 1, tzinfo=UTC),
    )
    with ledger.write() as connection:
        live(connection)
    if case.quarantined or case.quarantined_content:
        failure = Failure(
            source="files",
            uri=case.uri,
            stage="parse",
            error="DocumentError",
            reason="why",
            revision=case.quarantined,
            content_hash=case.quarantined_content,
            unforeseen=case.unforeseen,
        )
        put(build.handle, [failure], case.fingerprints.all)
    items = [] if case.revision is None else [Item(uri=case.uri, revision=case.revision)]
    planner = Planner(build)
    source = Listed(hashes={case.uri: case.content})
    why = "" if case.complete else "a folder could not be read"
    planner.add("files", source, Listing(items=items, complete=case.complete, why_incomplete=why))
    return planner.finish()


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        (Case(), None),
        (replace(HELD, quarantined_content="other"), None),
        (replace(HELD, quarantined_content="other", full=True), "changed"),
        (replace(HELD, quarantined_content="older"), "changed"),
        (replace(HELD, quarantined_content="other", unforeseen=True), "changed"),
        (replace(HELD, quarantined="3", unforeseen=True), "changed"),
        (replace(HELD, revision="", quarantined="", quarantined_content="other"), None),
        (Case(revision="2"), None),
        (Case(revision="2", content="other"), "changed"),
        (Case(revision="", content="other"), "changed"),
        (Case(full=True), "reprocess"),
        (Case(fingerprints=OTHER_CHUNKS), "reprocess"),
        (Case(fingerprints=OTHER_TEXT), "reprocess"),
        (Case(fresh=True), "reprocess"),
        (Case(uri="b.md", content="other"), "new"),
        (Case(uri="b.md"), "renamed"),
        (Case(uri="b.md", complete=False), "new"),
        (Case(revision="2", content="other", quarantined="2"), None),
        (Case(revision="3", content="other", quarantined="2"), "changed"),
        (Case(revision="2", content="other", quarantined="2", full=True), "changed"),
        (Case(revision="2", content="other", quarantined="2", fresh=True), "changed"),
    ],
)
def test_what_becomes_of_a_document(tmp_path: Path, case: Case, kind: str | None) -> None:
    plan = planned(tmp_path, case)
    mine = [todo for todo in plan.todo if todo.uri == case.uri]
    assert [todo.kind for todo in mine] == ([] if kind is None else [kind])
    assert all(todo.carried is (case.fresh or case.fingerprints != FINGERPRINTS) for todo in mine)


@pytest.mark.parametrize(
    ("case", "touched", "unchanged", "held"),
    [
        (Case(), False, 1, []),
        (Case(revision="2"), True, 1, []),
        (Case(revision="2", content="other", quarantined="2"), False, 0, ["a.md"]),
        (Case(full=True), False, 0, []),
    ],
)
def test_what_stays_is_counted(
    tmp_path: Path, case: Case, touched: bool, unchanged: int, held: list[str]
) -> None:
    plan = planned(tmp_path, case)
    assert bool(plan.touched) is touched
    assert (plan.unchanged, plan.held, plan.uris, plan.live) == (unchanged, held, ["a.md"], 1)


def test_a_file_in_quarantine_that_was_only_touched_is_not_looked_into_again(
    tmp_path: Path,
) -> None:
    plan = planned(tmp_path, replace(HELD, quarantined_content="other"))
    assert (plan.held, plan.restamped) == (["a.md"], {doc_id("files", "a.md"): "3"})


@pytest.mark.parametrize(
    ("case", "vanished", "renamed"),
    [
        (Case(revision=None), ["a.md"], []),
        (Case(revision=None, complete=False), [], []),
        (Case(uri="b.md"), [], ["a.md"]),
        (Case(uri="b.md", content="other"), ["a.md"], []),
        (Case(uri="b.md", complete=False), [], []),
        (Case(revision=None, complete=False, fresh=True), [], []),
    ],
)
def test_what_is_listed_no_more(
    tmp_path: Path, case: Case, vanished: list[str], renamed: list[str]
) -> None:
    plan = planned(tmp_path, case)
    assert (list(plan.vanished.values()), list(plan.renamed.values())) == (vanished, renamed)
    assert (len(plan.notes) == 1) is not case.complete
    carried = [todo for todo in plan.todo if todo.uri == "a.md"]
    assert [(todo.kind, todo.item, todo.carried) for todo in carried] == (
        [("reprocess", None, True)] if case.fresh else []
    )


def test_suppressed_documents_count_as_listed_and_are_said() -> None:
    plan = without_suppressed(Plan(listed={"files": 2}), {"files": 3})
    assert (plan.listed, plan.notes) == ({"files": 5}, ["3 suppressed documents skipped"])
    assert without_suppressed(plan, {"files": 0}) is plan


def a_build(home: Path) -> Build:
    return Build(
        handle=Handle(home=home, name="kb"),
        version=2,
        live=1,
        collection="c",
        fresh=False,
        specs=Specs(
            chunk=Spec(name="sentence"), embed=Spec(name="hash"), store=Spec(name="lancedb")
        ),
        fingerprints=FINGERPRINTS,
        began=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_parts_are_of_one_source_and_of_equal_size(tmp_path: Path) -> None:
    plan = planned(tmp_path, Case(revision="2", content="other"))
    todo = plan.todo[0]
    many = [todo.model_copy(update={"uri": f"{n}.md", "source": f"s{n % 2}"}) for n in range(40)]
    build = a_build(tmp_path)
    cuts = parts(build, plan.model_copy(update={"todo": many}))
    assert [(part.source, part.rows) for part in cuts] == [
        *[("s0", 10), ("s0", 10)],
        *[("s1", 10), ("s1", 10)],
    ]
    assert sum(len(part.todos(build.lake)) for part in cuts) == 40


def test_parts_hold_no_more_than_so_many_bytes(tmp_path: Path) -> None:
    todo = planned(tmp_path, Case(revision="2", content="other")).todo[0]
    assert todo.item is not None
    megabytes = (3, 3, 3, 20, 1, 7, 1)
    many = [
        todo.model_copy(
            update={"uri": f"{n}.md", "item": todo.item.model_copy(update={"size": size << 20})}
        )
        for n, size in enumerate(megabytes)
    ]
    cuts = parts(a_build(tmp_path), Plan(todo=many))
    assert [part.rows for part in cuts] == [2, 1, 1, 2, 1]
