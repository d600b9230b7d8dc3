"""The artifacts of a run, made inside a real flow on a real server and read back through its
API.
"""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from llmops.flows import server
from tests import forks
from tests.laboratory import with_database

EVIL = (
    "a|b\n<script>alert(1)</script> [x](javascript:alert(1)) ![i](http://evil.example/i) <img "
    "src=x> `c`"
)
OUTCOME: dict[str, Any] = {
    "flow": "index",
    "knowledge_base": "handbook",
    "status": "blocked",
    "reason": f"rejected: {EVIL}",
    "version": 3,
    "candidate": 4,
    "documents": {"listed": 40, "new": 1, "retired": 0},
    "chunks": {"added": 5000},
    "embeddings": {"computed": 3},
    "tokens": 512,
    "cost_usd": 0.0,
    "seconds": 2.4,
    "warnings": [EVIL],
    "gate": {
        "verdict": "rejected",
        "metrics": {"recall@5": {"candidate": 0.9, "live": None, "interval": [-0.1, 0.1]}},
    },
    "worst": [
        {"id": "q1", "question": EVIL, "expected": ["a.md", "b.md"], "got": [], "score": 0.25}
    ],
    "links": {
        "mlflow": "http://127.0.0.1:5000/#/experiments/1/runs/r_1",
        "data docs": "file:///home/docs/x.html",
    },
}
FLOW = """
import json, sys
from pathlib import Path
from llmops.flows import server
server.connect(Path(sys.argv[1]))
outcome, rows = json.loads(sys.argv[2])
from prefect import flow
from prefect.runtime import flow_run
from llmops.tasks import artifacts as report
@flow
def run() -> str:
    report.plan(outcome["knowledge_base"], outcome["documents"], rows)
    report.outcome(outcome)
    return f"{flow_run.id} {flow_run.ui_url}"
print(run())
"""


def artifacts(home: Path, outcome: dict[str, Any], rows: list[dict[str, str]]) -> dict[str, Any]:
    """The artifacts by key."""
    done = forks.run("-c", FLOW, home, json.dumps([outcome, rows]), timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    found = server.find(home)
    assert found
    run, url = done.stdout.split()
    assert url == f"{found.ui}/v2/flow-runs/flow-run/{run}"
    body = json.dumps({"artifacts": {"flow_run_id": {"any_": [run]}}}).encode()
    request = urllib.request.Request(
        f"{found.url}/artifacts/filter", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return {artifact["key"]: artifact for artifact in json.load(response)}


@pytest.mark.slow
def test_a_run_leaves_at_most_six_artifacts_that_show_odd_text_as_text(
    tmp_path: Path, prefect_database: Path
) -> None:
    with_database(tmp_path, prefect_database)
    try:
        rows = [
            {"what": "new", "uri": EVIL, "source": "files"},
            {"what": "changed", "uri": "x" * 900, "source": "files"},
        ]
        found = artifacts(tmp_path, OUTCOME, rows)
        quiet = {
            **OUTCOME,
            "worst": [],
            "links": {},
            "warnings": [],
            "status": "published",
            "reason": None,
        }
        published = artifacts(tmp_path, quiet, [])
    finally:
        server.stop(tmp_path)
    assert set(found) == {
        "handbook-plan",
        "handbook-outcome",
        "handbook-worst-questions",
        "handbook-mlflow-run",
    }
    table = json.loads(found["handbook-plan"]["data"])
    assert table[0]["uri"].replace("\u2060", "") == " ".join(EVIL.split())
    assert not {"<script", "<img", "]("} & {
        part for part in ("<script", "<img", "](") if part in table[0]["uri"]
    }
    assert (len(table[1]["uri"]), found["handbook-plan"]["description"]) == (
        501,
        "Documents: 40 listed, 1 new",
    )
    worst = json.loads(found["handbook-worst-questions"]["data"])[0]
    assert (worst["expected"], worst["got"], worst["score"]) == ("a.md, b.md", "", 0.25)
    assert found["handbook-outcome"]["data"].startswith(
        "# handbook v4\\: blocked, gate rejected\n\n**Why:** rejected\\: a\\|b &lt;script&gt;"
    )
    assert OUTCOME["links"]["mlflow"] in found["handbook-mlflow-run"]["data"]
    assert found["handbook-mlflow-run"]["description"] == "handbook v4\\: blocked, gate rejected"
    assert set(published) == {"handbook-plan", "handbook-outcome"}
    assert json.loads(published["handbook-plan"]["data"])[0]["what"] == "nothing"


def test_the_outcome_in_words() -> None:
    from llmops.tasks.artifacts import (
        markdown,
    )  # not at the top: it imports Prefect, which reads its settings then

    found = markdown(OUTCOME)
    assert found.startswith(
        "# handbook v4\\: blocked, gate rejected\n\n**Why:** rejected\\: a\\|b &lt;script&gt;"
    )
    assert "| chunks | added | 5,000 |" in found
    assert "| recall\\@5 | 0.900 |  |  | -0.100 … 0.100 |" in found
    assert "- mlflow: <http://127.0.0.1:5000/#/experiments/1/runs/r_1>" in found
    assert "<script" not in found
    assert "retired" not in found  # nothing was
    assert ("USD" in found, "512 tokens · 2.4 s" in found) == (False, True)
    said = {**OUTCOME, "reason": "the gate says: too few", "cost_usd": 0.5}
    said["gate"] = {"verdict": "rejected", "reason": "too few"}
    assert markdown(said).count("too few") == 1
    assert "512 tokens · 0.5000 USD · 2.4 s" in markdown(said)


def test_text_stays_on_one_line_and_has_no_markup() -> None:
    from llmops.tasks.artifacts import (
        text,
    )  # not at the top: it imports Prefect, which reads its settings then

    assert text("a\r\n\n| b") == "a \\| b"
    assert text("*_`[x](y)<b>&") == "\\*\\_\\`\\[x\\]\\(y\\)&lt;b&gt;&amp;"
    assert len(text("y" * 900)) == 501


def test_only_web_addresses_become_links() -> None:
    from llmops.tasks.artifacts import (
        link,
    )  # not at the top: it imports Prefect, which reads its settings then

    assert link("https://x.example/a_b#/c") == "<https://x.example/a_b#/c>"
    assert link("javascript:alert(1)") == "javascript\\:alert\\(1\\)"
    assert link("https://x.example/> [y](z)") == "https\\://x.example/&gt; \\[y\\]\\(z\\)"
