"""A look at an application, as its command does it: traces in MLflow, a file, and what is away."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.traces import feedback, index
from llmops.tasks.traces.feedback import Feedback
from llmops.tasks.traces.records import as_record
from llmops.tasks.traces.trace import Trace
from llmops.tasks.tracking.traces import trace_store
from llmops.tasks.yaml_files import write_yaml
from tests.commandline import Office, llmops, refused
from tests.traces.made import recorded

pytestmark = pytest.mark.slow
DAY = 86_400 * 10**9
OLD = ("How do I reset my password?", "Where is my invoice?", "How do I invite my team?")
NEW = ("Is breakfast served on Sundays?", "May dogs sleep in the hotel room?")


def monitor(office: Office, **more: object) -> Path:
    file = office.folder / "monitor.yaml"
    given = {"flow": "monitor", "app": f"{office.kb}-app", "embed": "hash", "reference": 3}
    file.write_text(write_yaml(given | more))
    return file


def asked(office: Office) -> list[Trace]:
    """Three weeks of questions of sixty people, and one of others."""
    made = []
    for number in range(240):
        age = 1 + number % 27
        week_before = age > 7
        question = (OLD if week_before else NEW)[number % 2]
        trace = recorded(
            question,
            app=f"{office.kb}-app",
            status="ok" if number % 10 else "refused",
            person=f"{office.kb}-{number % 60}-{week_before}",
        )
        moved = {"began_ns": trace.began_ns - age * DAY, "ended_ns": trace.ended_ns - age * DAY}
        spans = [
            each.model_copy(update={"start_ns": moved["began_ns"], "end_ns": moved["ended_ns"]})
            for each in trace.spans
        ]
        tags = {"conversation": f"c{number}", "spans": spans}
        made.append(trace.model_copy(update=moved | tags))
    return made


def kept(office: Office, traces: list[Trace]) -> None:
    from llmops.tasks.audit.people import pseudonym
    from llmops.tasks.ledger import open_ledger

    ledger = open_ledger(office.home)
    names = {each.person: pseudonym(ledger, f"app/{each.person}") for each in traces}
    traces = [each.model_copy(update={"person": names[each.person]}) for each in traces]
    index.enter(office.home, traces)
    with trace_store(office.home) as store:
        store.write(traces[0].app, [as_record(each) for each in traces])
    index.mark_stored(office.home, [each.id for each in traces])


def figures(outcome: Any) -> dict[str, Any]:
    return {kpi["name"]: kpi for kpi in outcome["kpis"]}


def test_a_week_of_traces_is_looked_at_and_kept(office: Office) -> None:
    from prefect.client.orchestration import get_client

    from llmops.tasks.tracking.store import opened, tracking_uri

    office.write("library.md", "# Library\n\nThe library opens at nine.\n")
    assert llmops("index", office.config(), "--json").code == 0
    traces = asked(office)
    kept(office, traces)
    feedback.rate(office.home, traces[1].id, "p1", Feedback("down"))
    file = monitor(office, knowledge_bases=[office.kb, "gone"])
    said = llmops("monitor", file, "--json")
    assert said.code == 0, said.err
    outcome = said.data
    drifts = {each["what"]: each["status"] for each in outcome["drifts"]}
    assert (outcome["status"], drifts["questions"]) == ("drifted", "drifted"), outcome["headline"]
    now = figures(outcome)
    assert now["requests"]["value"] == outcome["exchanges"] > 50
    assert now["up_share"]["value"] == 0.0
    assert 0 < now["refusal_rate"]["interval"][0] < 0.1 < now["refusal_rate"]["interval"][1]
    assert now[f"kb/{office.kb}/documents"]["value"] == 1
    assert now[f"kb/{office.kb}/orphans"]["value"] == 0
    assert any("no knowledge base 'gone'" in each for each in outcome["warnings"])
    assert NEW[0] in Path(outcome["report"]).read_text(encoding="utf-8")
    assert not list((office.home / "monitor" / outcome["app"]).glob("*/window-*"))

    early = f"{datetime.now(UTC) - timedelta(days=8):%Y-%m-%d}"
    before = llmops("monitor", file, "--json", "--set", f"until={early}").data
    assert (before["drifts"][0]["status"], before["until"][:10]) == ("same", early)
    assert f"kb/{office.kb}/orphans" not in figures(before)
    with opened(office.home, tracking_uri(office.home)) as client:
        points = client.get_metric_history(outcome["mlflow_run_id"], "requests/value")
        ends = [datetime.fromisoformat(each["until"]) for each in (outcome, before)]
        times = sorted(int(end.timestamp() * 1000) for end in ends)
        assert sorted(each.timestamp for each in points) == times
        for end in ends:
            folder = f"{end:%Y-%m-%dT%H%M}"
            files = client.list_artifacts(outcome["mlflow_run_id"], folder)
            names = {Path(each.path).name for each in files}
            assert {"report.html", "monitored.json", "kpis.png", "drift.png"} <= names
    with get_client(sync_client=True) as client:
        shown = client.read_latest_artifacts()
    (page,) = [each for each in shown if each.key == f"{outcome['app']}-monitor-look"]
    assert before["headline"] in str(page.data).replace("\\", "")


def test_whatever_is_away_a_look_says_what_it_can(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(office, asked(office)[:40])
    file = monitor(office)
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    said = llmops("monitor", file, "--json")
    assert said.code == 0, said.err
    outcome = said.data
    assert (outcome["status"], outcome["mlflow_run_id"]) == ("incomplete", None)
    assert {each["status"] for each in outcome["drifts"]} == {"unknown"}
    assert figures(outcome)["cost_per_request_usd"]["value"] == pytest.approx(0.0025)
    assert Path(outcome["report"]).is_file()
    told = "exchanges are without their texts: LLMOPS_MLFLOW_TRACKING_URI: MLflow does not answer"
    assert any(told in each for each in outcome["warnings"])
    people = llmops("monitor", file)
    assert people.code == 0
    assert "not everything could be read" in people.out
    assert f"report      {outcome['report'].rpartition('/')[0]}" in people.out


def test_any_application_is_monitored_from_a_file(office: Office) -> None:
    rows = [
        {
            "id": f"{number}",
            "at": (datetime.now(UTC) - timedelta(days=number % 20 + 0.5)).isoformat(),
            "question": OLD[number % 3],
            "answer": "See the page of your account.",
            "conversation": f"c{number}",
            "scores": {"polite": 1},
        }
        for number in range(200)
    ]
    lines = office.folder / "exchanges.jsonl"
    lines.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    file = monitor(office, traffic="exchanges.jsonl")
    outcome = llmops("monitor", file, "--json").data
    assert (outcome["status"], outcome["warnings"]) == ("ok", [])
    assert figures(outcome)["score/polite"]["value"] == 1
    night = office.folder / "night.yaml"
    listed = {"flow": "nightly", "name": f"{office.kb}-n", "monitor": ["monitor.yaml"]}
    night.write_text(write_yaml(listed | {"schedule": {"cron": "0 3 * * *"}}))
    (part,) = llmops("nightly", night, "--json").data["parts"]
    assert (part["flow"], part["status"], part["failed"]) == ("monitor", "ok", False)
    lines.write_text("{}\n")
    refused(2, r"exchanges.jsonl:1: the key 'id' is missing", "monitor", file)


def test_no_traffic_is_too_little_and_no_error(office: Office) -> None:
    said = llmops("monitor", monitor(office), "--json")
    assert (said.code, said.data["status"], said.data["exchanges"]) == (0, "too_little", 0)
    assert said.data["headline"] == f"{office.kb}-app: no request in 7 days"
    assert Path(said.data["report"]).is_file()
