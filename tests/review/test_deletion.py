"""What people said of answers goes with the answers, and what somebody wrote goes with them: from
the ledger, MLflow, and the files that were written.
"""

import json
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.review import preferences, reviews, sessions, written_files
from llmops.tasks.review.assess import bring
from llmops.tasks.review.items import Draft, ItemId, ask_a_person, item
from llmops.tasks.review.leases import save_draft
from llmops.tasks.review.preferences import VotedAnswer, prefer
from llmops.tasks.review.reviewing import Review, submit
from llmops.tasks.traces import deletion, index, reading, written
from llmops.tasks.traces.probing import probe
from llmops.tasks.traces.records import as_record
from llmops.tasks.tracking.trace_records import Rating
from llmops.tasks.tracking.traces import trace_store
from tests.review.made import APP, reviewer
from tests.traces.made import recorded

pytestmark = pytest.mark.slow
OF_ANN, BY_ANN = "zanzibarquestion", "madagascarcorrection"


def answered(home: Path, person: str, question: str) -> str:
    trace = recorded(f"{question}?", f"{question} is so", person=person)
    index.enter(home, [trace])
    with trace_store(home) as store:
        store.write(APP, [as_record(trace)])
    index.mark_stored(home, [trace.id])
    return trace.id


def said(home: Path, trace_id: str, who: str, word: str) -> ItemId:
    """A review with an earlier number, a note, a draft and a vote."""
    what = ask_a_person(home, APP, "", trace_id, who, f"{word} note")
    submit(home, APP, what, who, Review("good", comment=f"{word} first"))
    submit(home, APP, what, who, Review("bad", f"{word} correction", comment=f"{word} comment"))
    save_draft(home, what, who, Draft(comment=f"{word} draft"))
    side = VotedAnswer(
        messages=(),
        answer=f"{word} answer",
        prompt="prompts:/x/1",
        model="small",
        knowledge_base="handbook",
        version=1,
    )
    other = side.model_copy(update={"answer": f"{word} other answer"})
    prefer(home, APP, who, f"{word} question", side, [other], f"{word} vote", trace_id)
    return what


def rows_of(path: Path, home: Path, rows: list[tuple[str, str, str]]) -> Path:
    """A registered file: a line of each (trace, reviewer, text), and one of somebody's own."""
    lines = [
        json.dumps({"id": n, "answer": text, "lineage": {"trace_id": trace, "reviewers": [who]}})
        for n, (trace, who, text) in enumerate(rows)
    ]
    path.write_text("\n".join([*lines, '{"id": "own"}', ""]))
    row = {"path": str(path), "app": APP, "queue": APP, "kind": "rows", "sha256": "", "rows": 9}
    with open_ledger(home).write() as connection:
        connection.execute(insert(written_files).values(**row, written_at=now()))
    return path


def ids_in(path: Path) -> list[object]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_nothing_of_a_person_is_left_and_the_verdicts_of_nobody_stand(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ann, bob = reviewer(home, "ann"), reviewer(home, "bob")
    mine, other = answered(home, ann, OF_ANN), answered(home, bob, "of somebody else")
    said(home, mine, bob, OF_ANN)
    theirs = said(home, other, ann, BY_ANN)
    with open_ledger(home).write() as connection:
        token = {"hash": "h", "key_id": "", "name": "ann", "created_at": now(), "expires_at": now()}
        connection.execute(insert(sessions).values(**token))
    rows = [(mine, bob, OF_ANN), (other, ann, BY_ANN), (other, bob, "stays")]
    file = rows_of(tmp_path / "golden.jsonl", home, rows)
    assert bring(home, APP) == 4
    assert bring(home, APP) == 0
    ratings = reading.rated(home, other)[1]
    assert ("review", "bad", f"{BY_ANN} comment") in [
        (each.name, each.value, each.rationale) for each in ratings
    ]
    assert len(probe(home, [BY_ANN])) > 3
    assert deletion.of_person(home, f"{APP}/ann")["reviews"] == 2

    deleted = deletion.delete_person(home, f"{APP}/ann")
    assert deleted.ok
    assert deleted.places["written_files"] == 2
    assert probe(home, [OF_ANN, BY_ANN]) == []
    assert OF_ANN not in file.read_text()
    assert ids_in(file) == [2, "own"]
    left = item(home, APP, theirs)
    assert (left.state, left.verdict, left.note, left.asked_by) == ("done", "bad", "", "")
    stays = reading.rated(home, other)[1]
    assert [(each.name, each.value, each.rationale) for each in stays] == [("review", "bad", "")]
    with open_ledger(home).read() as connection:
        assert connection.execute(select(sessions)).all() == []
        assert connection.scalar(select(func.count()).select_from(preferences)) == 0
        assert connection.scalars(select(reviews.c.trace_id).distinct()).all() == [other]
        assert connection.scalars(select(written_files.c.rows)).all() == [2]


def test_a_file_that_cannot_be_reached_is_told_until_it_can(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    trace = answered(home, "", "what")
    (tmp_path / "share").mkdir()
    file = rows_of(tmp_path / "share" / "rows.jsonl", home, [(trace, "", "text")])
    file.parent.rename(away)
    first = deletion.delete_trace(home, trace)
    assert [each.split(":")[0] for each in first.unreached] == [str(file)]
    away.rename(file.parent)
    assert deletion.delete_trace(home, trace).places["written_files"] == 1
    assert ids_in(file) == ["own"]
    file.unlink()
    assert deletion.delete_trace(home, trace).ok


def test_rows_that_quote_something_leave_the_files(tmp_path: Path) -> None:
    rows = [("", "", "the secret recipe"), ("", "", "else")]
    file = rows_of(tmp_path / "rows.jsonl", tmp_path, rows)
    assert written.redact(tmp_path, lambda line: "recipe" in line) == (1, [])
    assert ids_in(file) == [1, "own"]


def test_a_review_is_one_assessment_however_often_it_changes(tmp_path: Path) -> None:
    ann = reviewer(tmp_path, "ann")
    trace = answered(tmp_path, "", "what")
    what = ask_a_person(tmp_path, APP, "", trace, "")

    def assessed() -> set[tuple[str, object, bool]]:
        bring(tmp_path, APP)
        ratings: list[Rating] = list(reading.rated(tmp_path, trace)[1])
        return {(each.name, each.value, each.expectation) for each in ratings}

    submit(tmp_path, APP, what, ann, Review("good"))
    assert assessed() == {("review", "good", False)}
    submit(tmp_path, APP, what, ann, Review("bad", "so"))
    submit(tmp_path, APP, what, ann, Review("discard"), adjudicates=True)
    assert assessed() == {
        ("review", "bad", False),
        ("correction", "so", True),
        ("review", "discard", False),
    }
    submit(tmp_path, APP, what, ann, Review("withdrawn"))
    assert assessed() == {("review", "discard", False)}
