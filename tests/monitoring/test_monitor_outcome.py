"""What a look came to, in a word and in a line; its windows, read and written; its reports."""

import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from llmops.tasks.errors import ConfigError
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.runs import save_outcome, saved_outcome
from llmops.tasks.ledger.tables import knowledge_bases
from llmops.tasks.monitoring.analysing import Analysed
from llmops.tasks.monitoring.bases import BaseLook
from llmops.tasks.monitoring.collecting import (
    CollectedTraffic,
    MonitorSpec,
    collect,
    dropped,
    window_of,
)
from llmops.tasks.monitoring.figures import (
    BadPassage,
    Drift,
    NewTopic,
    Recommendations,
    UnansweredQuestion,
)
from llmops.tasks.monitoring.monitor_outcome import MonitorOutcome, Status, monitor_outcome
from llmops.tasks.monitoring.reports import KEPT, write_report
from llmops.tasks.plugins import Spec
from llmops.tasks.traces import index
from llmops.tasks.traces.deletion import delete_trace
from llmops.tasks.traces.monitored import REMARK, names_one, report_folder, working_folder
from llmops.tasks.traces.trace import new_id
from tests.shelf import empty_store
from tests.traces.made import recorded

MONDAY = datetime(2026, 11, 30, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def spec(traffic: Path | None = None, **more: object) -> MonitorSpec:
    given = {
        "app": "desk",
        "knowledge_bases": None,
        "days": 7,
        "reference": 2,
        "embed": Spec(name="hash"),
        "false_alarms_per_year": 0.1,
        "looks_per_year": 52,
        "traffic": traffic,
        "until": MONDAY,
    }
    return MonitorSpec.model_validate(given | more)


def exchanges(folder: Path, *days_ago: float, **more: object) -> Path:
    file = folder / "exchanges.jsonl"
    rows = [
        {"id": str(n), "at": (MONDAY - ago * DAY).isoformat(), "question": f"{n}?", **more}
        for n, ago in enumerate(days_ago)
    ]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def collected(exchanges: int = 10, *, whole: bool = True) -> CollectedTraffic:
    return CollectedTraffic(
        since=MONDAY - 7 * DAY,
        until=MONDAY,
        folder=Path(),
        files=(),
        exchanges=exchanges,
        reference_windows=2,
        kpis=(),
        knowledge_bases=(),
        whole=whole,
        remarks=() if whole else ("MLflow is away",),
    )


def drift(status: str) -> Drift:
    return Drift.model_validate({"what": "questions", "status": status, "n": 1, "n_before": 1})


TOPIC = NewTopic(words=("vat",), questions=3, conversations=3, covered=0, examples=("VAT?",))
UNANSWERED = UnansweredQuestion(question="VAT?", asked=3, conversations=2, why="refused")
IDS = {"knowledge_base": "kb", "chunk_id": "c", "doc_id": "d", "uri": "u", "excerpt": "e"}
BAD = BadPassage.model_validate(IDS | {"found": 9, "rated": 5, "down": 5, "p": 0.01})


@pytest.mark.parametrize(
    ("traffic", "drifts", "topics", "status", "headline"),
    [
        (
            collected(),
            [drift("same")],
            [],
            "ok",
            "desk: 10 requests in 7 days; nothing has drifted",
        ),
        (
            *(collected(), [drift("drifted")], [TOPIC], "drifted"),
            "desk: 10 requests in 7 days; questions unlike those of before; 1 new topic",
        ),
        (collected(1), [], [TOPIC, TOPIC], "drifted", "desk: 1 request in 7 days; 2 new topics"),
        (
            *(collected(), [drift("unknown")], [], "too_little"),
            "desk: 10 requests in 7 days; too few to tell a change",
        ),
        (collected(0), [drift("unknown")], [], "too_little", "desk: no request in 7 days"),
        (
            *(collected(whole=False), [drift("same")], [], "incomplete"),
            "desk: 10 requests in 7 days; not everything could be read",
        ),
    ],
)
def test_a_look_in_a_word_and_in_a_line(
    traffic: CollectedTraffic,
    drifts: Sequence[Drift],
    topics: Sequence[NewTopic],
    status: Status,
    headline: str,
) -> None:
    analysed = Analysed(drifts=tuple(drifts), new_topics=tuple(topics))
    outcome = monitor_outcome(spec(), traffic, BaseLook(), analysed, "run", 1.0)
    assert (outcome.status, outcome.headline) == (status, headline)
    assert outcome.failed is None
    assert outcome.warnings == list(traffic.remarks)
    assert MonitorOutcome.model_validate(outcome.public()) == outcome


def test_what_people_have_to_do_is_in_the_line() -> None:
    found = Recommendations(unanswered=(UNANSWERED,) * 2, bad_passages=(BAD,))
    analysed = Analysed(recommendations=found, remarks=("it is away",), whole=False)
    outcome = monitor_outcome(spec(), collected(), BaseLook(remarks=("gone",)), analysed, None, 1)
    assert outcome.headline == (
        "desk: 10 requests in 7 days; not everything could be read; 2 questions without an answer "
        "in the documents; 1 passage marked bad"
    )
    assert outcome.warnings == ["gone", "it is away"]


def test_windows_are_read_into_files_that_go(tmp_path: Path) -> None:
    passages = [{"uri": "a.md", "text": "A."}]
    file = exchanges(tmp_path, 0.5, 6.9, 7.1, 20.9, 21.1, -1, passages=passages)
    found = collect(tmp_path, spec(file), "run")
    windows = [[each.id for each in window_of(each)] for each in found.files]
    assert windows == [["1", "0"], ["2"], ["3"]]
    assert (found.exchanges, found.reference_windows) == (2, 2)
    assert [len(each.passages) for each in window_of(found.files[0])] == [1, 1]
    assert [len(each.passages) for each in window_of(found.files[1])] == [0]
    dropped(found)
    assert not found.folder.exists()


def test_what_a_look_that_was_killed_has_left_goes_after_a_day(tmp_path: Path) -> None:
    file = exchanges(tmp_path, 1)
    killed, running = (collect(tmp_path, spec(file), name).folder for name in ("a", "b"))
    os.utime(killed, (0, 0))
    collect(tmp_path, spec(file), "c")
    assert [killed.exists(), running.exists()] == [False, True]


def test_knowledge_bases_of_a_file_are_those_that_are_here(tmp_path: Path) -> None:
    file = exchanges(tmp_path, 1, 2, knowledge_base="theirs")
    assert collect(tmp_path, spec(file), "run").knowledge_bases == ()
    with open_ledger(tmp_path).write() as connection:
        connection.execute(insert(knowledge_bases), [{"name": "theirs", "created_at": now()}])
    assert collect(tmp_path, spec(file), "run").knowledge_bases == ("theirs",)
    named = spec(file, knowledge_bases=("a", "b"))
    assert collect(tmp_path, named, "run").knowledge_bases == ("a", "b")


def test_an_application_without_traffic_is_a_remark(tmp_path: Path) -> None:
    index.enter(tmp_path, [recorded()])
    (said,) = collect(tmp_path, spec(), "run").remarks
    told = "no traces of 'desk' are here; applications that have some: helpdesk"
    assert said == f"{told}; did you mean helpdesk?"
    quiet = collect(tmp_path, spec(exchanges(tmp_path, 99)), "run")
    assert (quiet.exchanges, quiet.remarks) == (
        0,
        ("exchanges.jsonl has no exchange in these windows",),
    )


def test_a_broken_file_stops_a_look(tmp_path: Path) -> None:
    file = exchanges(tmp_path, 1)
    file.write_text(file.read_text() + "{}\n")
    with pytest.raises(ConfigError, match=r"exchanges.jsonl:2"):
        collect(tmp_path, spec(file), "run")


def outcome(*trace_ids: str, at: datetime = MONDAY) -> MonitorOutcome:
    said = UNANSWERED.model_copy(update={"trace_ids": trace_ids})
    topic = TOPIC.model_copy(update={"trace_ids": trace_ids[:1]})
    analysed = Analysed(recommendations=Recommendations(unanswered=(said,)), new_topics=(topic,))
    made = monitor_outcome(spec(), collected(), BaseLook(), analysed, "run", 1)
    return made.model_copy(update={"until": at})


def test_the_newest_reports_are_kept(tmp_path: Path) -> None:
    for week in range(KEPT + 3):
        write_report(tmp_path, outcome(at=MONDAY + week * 7 * DAY).monitored, "<p>")
    names = sorted(each.name for each in report_folder(tmp_path, "desk").iterdir())
    assert len(names) == 2 * KEPT
    assert names[0] == "2026-12-21T0600.html"
    early = write_report(tmp_path, outcome(at=MONDAY - 99 * DAY).monitored, "<p>early")
    assert early.read_text() == "<p>early"


@pytest.mark.slow
def test_who_is_deleted_is_quoted_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmops.tasks.tracking import LiveRecord, attach_live, record_live
    from llmops.tasks.tracking.live import LOOKED
    from llmops.tasks.tracking.store import opened, tracking_uri

    shutil.copy(empty_store(), tmp_path / "mlflow.db")
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    asked = recorded(app="desk")
    index.enter(tmp_path, [asked])
    mine, other = outcome(new_id(), asked.id), outcome(new_id(), at=MONDAY + DAY)
    files = [write_report(tmp_path, each.monitored, "<p>VAT?") for each in (mine, other)]
    for key, each in (("mine", mine), ("other", other)):
        save_outcome(open_ledger(tmp_path), key, "desk", dict(each.public()))
        record = LiveRecord(app="desk", about="monitor", numbers={"n": 1}, headline="")
        run = record_live(tmp_path, record)
        content = each.monitored.model_dump_json().encode()
        attach_live(tmp_path, run, key, {LOOKED: content, "report.html": b"VAT?"})
    (vectors := working_folder(tmp_path, "desk") / "vectors-x.npz").parent.mkdir(parents=True)
    vectors.touch()
    gone = delete_trace(tmp_path, asked.id)
    assert (gone.ok, gone.places["reports"]) == (True, 3)
    assert REMARK in gone.remarks
    assert [file.exists() for file in files] == [False, True]
    assert not files[0].with_suffix(".json").exists()
    assert not vectors.exists()
    with opened(tmp_path, tracking_uri(tmp_path)) as client:
        assert [each.path for each in client.list_artifacts(run)] == ["other"]
    left = saved_outcome(open_ledger(tmp_path), "mine")
    assert left is not None
    assert "VAT" not in json.dumps(left)
    assert MonitorOutcome.model_validate(left).headline == mine.headline
    assert saved_outcome(open_ledger(tmp_path), "other") == other.public()


def test_a_text_names_a_trace_or_not() -> None:
    first, second = new_id(), new_id()
    assert names_one(f'["{first}"]', {first})
    assert names_one(f"tr-tr-{first} {second}", {second})
    assert not names_one(f"{first}{second}tr-", {new_id()})
    assert not names_one("", {first})
