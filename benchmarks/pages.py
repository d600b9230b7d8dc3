"""The pages of Prefect and MLflow, photographed: ten versions of a small knowledge base with a
golden set, one candidate that its gate rejects, a document in quarantine, and an evaluation whose
traces carry its scores. `python -m benchmarks.pages [--out FOLDER] [--keep FOLDER]`.

Needs Chromium and Playwright. No model, key or network: the model is `extractive`.
"""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VERSIONS = 10
TOPICS = (
    *("anchor", "beacon", "compass", "dinghy", "ensign", "fender", "galley", "halyard", "inlet"),
    *("jib", "keel", "lantern", "mooring", "nautilus", "oar", "pontoon", "quay", "rudder"),
    *("sextant", "tiller"),
)
SIZE = {"width": 1500, "height": 1000}
SECONDS = 300.0
MODES = ("light", "dark")
NO_SKELETON = "() => !document.querySelector('[class*=skeleton i], [aria-busy=true]')"
Row = dict[str, Any]


def text_of(topic: str, told: bool) -> str:
    """A document; before it is `told`, it does not say what its question asks for."""
    about = (
        f"Page {TOPICS.index(topic) + 1} of the notes. The crew meets at dawn, says {topic[:3]}."
    )
    fact = f" The {topic} is kept in store room {TOPICS.index(topic) + 10}, behind the blue door."
    return f"# Notes\n\n{about}{fact if told else ' More will be written here.'}\n"


def prepared(folder: Path) -> None:
    """Documents, golden set, cases, a prompt and the two configs."""
    (folder / "docs").mkdir(parents=True)
    wanted = "".join(
        json.dumps({"id": t, "question": question(t), "relevant": [{"uri": f"{t}.md"}]}) + "\n"
        for t in TOPICS
    )
    (folder / "golden.jsonl").write_text(wanted)
    (folder / "docs" / "broken.pdf").write_bytes(b"%PDF-1.4 cut off")
    cases = [
        {
            "id": t,
            "inputs": {"question": question(t)},
            "expected": {"answer": f"The {t} is kept in store room {TOPICS.index(t) + 10}."},
        }
        for t in TOPICS
    ]
    (folder / "cases.jsonl").write_text("".join(f"{json.dumps(case)}\n" for case in cases))
    message = "Answer from these passages.\n{{passages}}\n\nQuestion: {{question}}"
    prompt = {"name": "harbour", "messages": [{"role": "user", "content": message}]}
    write(folder / "prompt.yaml", prompt)
    index = {
        "flow": "index",
        "knowledge_base": "harbour",
        "sources": [{"name": "files", "path": "docs", "include": ["*.md", "*.pdf"]}],
        "embed": "hash",
        "chunk": {"name": "sentence", "size": 60, "overlap": 0},
        "gate": {"golden": "golden.jsonl", "k": 5, "metrics": {"ndcg": {"margin": 0.2}}},
        "limits": {"failure_budget": 0.5},
    }
    write(folder / "index.yaml", index)
    arm = {"prompt": "prompt.yaml", "llm": "extractive"}
    write(
        folder / "evaluate.yaml",
        {
            "flow": "evaluate",
            "name": "harbour",
            "cases": "cases.jsonl",
            "scorers": ["token_f1", "grounded"],
            "decide": {"metric": "token_f1", "not_worse": {"grounded": 0.1}},
            "arms": {
                "baseline": {**arm, "retrieve": {"knowledge_base": "harbour", "version": 3}},
                "candidate": {**arm, "retrieve": {"knowledge_base": "harbour"}},
            },
        },
    )


def question(topic: str) -> str:
    return f"In which store room is the {topic} kept?"


def write(path: Path, content: Row) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def built(folder: Path, home: Path) -> dict[str, Row]:
    """Ten versions, each with two more documents that say something; then one that the gate
    rejects, and the evaluation. Returns their outcomes by name.
    """
    from llmops.flows import server

    server.connect(home)
    from llmops.configs.evaluate import EvaluateConfig
    from llmops.configs.index import IndexConfig
    from llmops.configs.reading import read
    from llmops.flows.evaluate import evaluate
    from llmops.flows.index import index
    from llmops.tasks.errors import Blocked

    config = read(folder / "index.yaml", IndexConfig)
    published: Row = {}
    for version in range(1, VERSIONS + 1):
        for place, topic in enumerate(TOPICS):
            (folder / "docs" / f"{topic}.md").write_text(text_of(topic, place < 2 * version))
        published = index(config, home=home).public()
        say(f"version {published['version']}: {published['gate']['verdict']}")
    for topic in TOPICS[:8]:
        (folder / "docs" / f"{topic}.md").write_text(text_of(topic, told=False))
    with contextlib.suppress(Blocked):  # the gate is there for this
        index(config, home=home)
    decision = evaluate(read(folder / "evaluate.yaml", EvaluateConfig), home=home)
    say(f"evaluation: {decision.verdict}")
    rejected = {"links": {"prefect": latest(home, "harbour")}}
    return {"published": published, "rejected": rejected, "evaluation": decision.content()}


def latest(home: Path, kb: str) -> str:
    """The page of the newest run of a knowledge base."""
    from sqlalchemy import select

    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.ledger.tables import runs

    newest = select(runs.c.outcome).where(runs.c.kb == kb).order_by(runs.c.finished_at.desc())
    with open_ledger(home).read() as connection:
        outcomes = connection.scalars(newest).all()
    found = (each for each in outcomes if each.get("status") == "blocked")
    return str(next(found)["links"]["prefect"])


@contextlib.contextmanager
def mlflow_server(home: Path, port: int) -> Iterator[None]:
    """MLflow's pages of the home, until the context ends."""
    store = home / "mlflow"
    given = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    given += ["--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}"]
    given += ["--default-artifact-root", (store / "artifacts").as_uri()]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (home / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(given, env=os.environ | quiet, stdout=log, stderr=log)
    try:
        _answers(f"http://127.0.0.1:{port}/health")
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def _answers(url: str) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise SystemExit(f"nothing answers at {url}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def pages(home: Path, outcomes: dict[str, Row], ui: str, mlflow: str) -> dict[str, str]:
    """Where each picture is taken, by its name."""
    from llmops.tasks.tracking import tracking_uri
    from llmops.tasks.tracking.store import opened

    prefect = {
        name: f"{ui}{urlsplit(each['links']['prefect']).path}" for name, each in outcomes.items()
    }
    found = {f"prefect-{name}": url for name, url in prefect.items()}
    for name, url in prefect.items():
        found[f"prefect-{name}-artifacts"] = f"{url}?tab=Artifacts"
    for key in ("harbour-outcome", "harbour-quarantine", "harbour-evaluation-decision"):
        found[f"prefect-{key}"] = f"{ui}/artifacts/artifact/{newest_artifact(ui, key)}"
    with opened(home, tracking_uri(home)) as client:
        ids = {each.name: each.experiment_id for each in client.search_experiments()}
        base_id, other_id = ids["harbour"], ids["harbour evaluation"]
        curve = client.search_runs([base_id], "tags.`llmops.quality_of` = 'harbour'")[0]
        trace = client.search_traces(locations=[other_id], max_results=1)[0].info.trace_id
    runs, evaluations = f"{mlflow}/#/experiments/{base_id}", f"{mlflow}/#/experiments/{other_id}"
    found["mlflow-builds"] = f"{runs}/runs"
    found["mlflow-quality-over-versions"] = f"{runs}/runs/{curve.info.run_id}/model-metrics"
    found["mlflow-build-parameters"] = f"{runs}/runs/{outcomes['published']['mlflow_run_id']}"
    found["mlflow-evaluations"] = f"{evaluations}/runs"
    found["mlflow-evaluation"] = f"{evaluations}/runs/{outcomes['evaluation']['mlflow_run_id']}"
    found["mlflow-evaluation-runs"] = f"{evaluations}/evaluation-runs"
    found["mlflow-traces"] = f"{evaluations}/traces?startTimeLabel=ALL"
    found["mlflow-trace"] = f"{found['mlflow-traces']}&selectedEvaluationId={trace}"
    found["mlflow-datasets"] = f"{evaluations}/datasets"
    return found


def newest_artifact(ui: str, key: str) -> str:
    """Its id."""
    with urllib.request.urlopen(f"{ui}/api/artifacts/{key}/latest", timeout=30) as response:
        return str(json.load(response)["id"])


def photographed(places: dict[str, str], out: Path) -> None:
    """Each page in light and in dark."""
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    options = ["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        for mode in MODES:
            _in_mode(browser, mode, places, out)
        browser.close()


def _in_mode(browser: "Browser", mode: str, places: dict[str, str], out: Path) -> None:
    dark = json.dumps(mode == "dark")
    context = browser.new_context(viewport=SIZE, color_scheme=mode)  # type: ignore[arg-type]
    context.add_init_script(
        f"localStorage.setItem('_mlflow_dark_mode_toggle_enabled', '{dark}');"
        f"localStorage.setItem('prefect-color-mode', '{mode}');"
    )
    context.set_default_timeout(SECONDS * 1000)
    page = context.new_page()
    for name, url in places.items():
        _settled(page, url)
        page.screenshot(path=out / f"{name}-{mode}.png")
        say(f"{name}-{mode}.png")
    context.close()


def _settled(page: "Page", url: str) -> None:
    from playwright.sync_api import Error

    page.goto("about:blank")
    page.goto(url, wait_until="load", timeout=SECONDS * 1000)
    with contextlib.suppress(Error):  # pages that ask again and again are never idle
        page.wait_for_load_state("networkidle", timeout=8000)
    with contextlib.suppress(Error):  # MLflow's grey bars, until what they stand for is there
        page.wait_for_function(NO_SKELETON, timeout=30_000)
    for label in ("Got it", "Close assistant"):
        if (button := page.get_by_role("button", name=label)).count():
            button.first.click(timeout=3000)
    page.wait_for_timeout(3000)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pages"), help="folder of the pictures")
    parser.add_argument(
        "--keep",
        type=Path,
        help="a folder to build in, which stays; built before, it is only looked at",
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = (given.keep or Path(made)).resolve()
        port = free_port()
        mlflow = f"http://127.0.0.1:{port}"
        os.environ |= {"LLMOPS_HOME": str(folder / "home"), "LLMOPS_MLFLOW_URL": mlflow}
        home, known = folder / "home", folder / "outcomes.json"
        if not known.exists():
            prepared(folder)
            known.write_text(json.dumps(built(folder, home)))
        from llmops.flows import server

        ui = server.ensure(home).ui
        with mlflow_server(home, port):
            outcomes = json.loads(known.read_text())
            photographed(pages(home, outcomes, ui, mlflow), given.out.resolve())
        server.stop(home)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
