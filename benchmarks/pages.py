"""The pages of Prefect and MLflow, Data Docs and reports, photographed: ten versions of a small
knowledge base with a golden set, one candidate that its gate rejects, a document in quarantine, an
evaluation whose traces carry its scores and which promotes a prompt, and a look at an application.
`python -m benchmarks.pages [--out FOLDER] [--keep FOLDER] [--only TEXT …]`.

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
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.pages_content import VERSIONS, Row, built, prepared, say

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZE = {"width": 1500, "height": 1000}
TALL = {"width": 1500, "height": 1900}
"""Of pages whose end matters."""
SECONDS = 300.0
MODES = ("light", "dark")
NO_SKELETON = "() => !document.querySelector('[class*=skeleton i], [aria-busy=true]')"
DRAWN = "() => document.querySelectorAll('.js-plotly-plot .scatterlayer path').length > 5"
SHOWS = {
    "prefect-published": "is live",
    "prefect-rejected": "Finished in state Blocked",
    "mlflow-experiments": "harbour evaluation",
    "mlflow-builds": "harbour v10",
    "mlflow-quality-over-versions": "ndcg_at_5",
    "mlflow-build": "Documents:",
    "mlflow-rejected": "blocked",
    "mlflow-evaluations": "promote",
    "mlflow-evaluation": "which decides",
    "mlflow-evaluation-runs": "candidate",
    "mlflow-traces": "store room",
    "mlflow-trace": "store room",
    "mlflow-datasets": "harbour cases",
    "mlflow-prompts": "harbour",
    "mlflow-prompt": "Answer from these passages",
}
"""What a page shows when it is whole."""


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
    evaluated = outcomes["evaluation"]["mlflow_run_id"]
    return {
        **prefect_pages(outcomes, ui),
        **mlflow_pages(home, outcomes, mlflow),
        "data-docs": next((home / "docs").glob(f"harbour-v{VERSIONS + 1}-*")).as_uri(),
        "data-docs-index": (home / "docs" / "index.html").as_uri(),
        "decision-report": next((home / "mlflow").rglob(f"{evaluated}/*/report.html")).as_uri(),
        "monitor-report": Path(outcomes["monitor"]["report"]).as_uri(),
    }


def prefect_pages(outcomes: dict[str, Row], ui: str) -> dict[str, str]:
    """Of Prefect."""
    found = {}
    for name, each in outcomes.items():
        found[f"prefect-{name}"] = f"{ui}{urlsplit(each['links']['prefect']).path}"
        found[f"prefect-{name}-artifacts"] = f"{found[f'prefect-{name}']}?tab=Artifacts"
    found["prefect-runs"], found["prefect-artifacts"] = f"{ui}/v2/runs", f"{ui}/v2/artifacts"
    for key in ("outcome", "quarantine", "worst-questions", "evaluation-decision", "monitor-look"):
        artifact = newest_artifact(ui, f"harbour-{key}")
        found[f"prefect-harbour-{key}"] = f"{ui}/v2/artifacts/artifact/{artifact}"
    return found


def mlflow_pages(home: Path, outcomes: dict[str, Row], mlflow: str) -> dict[str, str]:
    """Of MLflow."""
    from llmops.tasks.tracking import tracking_uri
    from llmops.tasks.tracking.store import opened

    with opened(home, tracking_uri(home)) as client:
        ids = {each.name: each.experiment_id for each in client.search_experiments()}
        base_id, other_id = ids["harbour"], ids["harbour evaluation"]
        curve = client.search_runs([base_id], "tags.`llmops.quality_of` = 'harbour'")[0]
        trace = client.search_traces(locations=[other_id], max_results=1)[0].info.trace_id
    runs, evaluations = f"{mlflow}/#/experiments/{base_id}", f"{mlflow}/#/experiments/{other_id}"
    traces = f"{evaluations}/traces?startTimeLabel=ALL"
    return {
        "mlflow-experiments": f"{mlflow}/#/experiments",
        "mlflow-builds": f"{runs}/runs",
        "mlflow-quality-over-versions": f"{runs}/runs/{curve.info.run_id}/model-metrics",
        "mlflow-build": f"{runs}/runs/{outcomes['published']['mlflow_run_id']}",
        "mlflow-rejected": f"{runs}/runs/{outcomes['rejected']['mlflow_run_id']}",
        "mlflow-evaluations": f"{evaluations}/runs",
        "mlflow-evaluation": f"{evaluations}/runs/{outcomes['evaluation']['mlflow_run_id']}",
        "mlflow-evaluation-runs": f"{evaluations}/evaluation-runs",
        "mlflow-traces": traces,
        "mlflow-trace": f"{traces}&selectedEvaluationId={trace}",
        "mlflow-datasets": f"{evaluations}/datasets",
        "mlflow-prompts": f"{mlflow}/#/prompts",
        "mlflow-prompt": f"{mlflow}/#/prompts/harbour",
    }


def newest_artifact(ui: str, key: str) -> str:
    """Its id."""
    wanted = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}
    kind = {"content-type": "application/json"}
    url = f"{ui}/api/artifacts/filter"
    request = urllib.request.Request(url, json.dumps(wanted).encode(), kind)
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(json.load(response)[0]["id"])


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
        # else MLflow's assistant takes a third of each page
        "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');"
    )
    context.set_default_timeout(SECONDS * 1000)
    page = context.new_page()
    for name, url in places.items():
        tall = not name.startswith("mlflow") or name.endswith(("versions", "build", "evaluation"))
        page.set_viewport_size(TALL if tall else SIZE)  # type: ignore[arg-type]
        _settled(page, url, SHOWS.get(name, ""))
        _opened(page, name)
        page.screenshot(path=out / f"{name}-{mode}.png")
        say(f"{name}-{mode}.png")
    context.close()


def _opened(page: "Page", name: str) -> None:
    """What has to be opened by hand."""
    click = {"mlflow-trace": "Assess", "mlflow-datasets": "harbour cases"}.get(name)
    if click:
        page.get_by_text(click).first.click()
        page.wait_for_timeout(2500)


def _settled(page: "Page", url: str, shows: str) -> None:
    from playwright.sync_api import Error

    page.goto("about:blank")
    page.goto(url, wait_until="load", timeout=SECONDS * 1000)
    with contextlib.suppress(Error):  # pages that ask again and again are never idle
        page.wait_for_load_state("networkidle", timeout=3000)
    with contextlib.suppress(Error):  # MLflow's grey bars, until what they stand for is there
        page.wait_for_function(NO_SKELETON, timeout=30_000)
    if shows:
        with contextlib.suppress(Error):  # the picture shows what was there instead
            page.get_by_text(shows).first.wait_for(timeout=30_000)
    for label in ("Got it", "Close assistant"):
        if (button := page.get_by_role("button", name=label)).count():
            button.first.click(timeout=3000)
    if url.endswith("model-metrics"):
        with contextlib.suppress(Error):  # charts come one by one
            page.wait_for_function(DRAWN, timeout=60_000)
    page.wait_for_timeout(6000 if "flow-run" in url else 1500)  # Prefect draws its graph late


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pages"), help="folder of the pictures")
    parser.add_argument(
        "--keep",
        type=Path,
        help="a folder to build in, which stays; built before, it is only looked at",
    )
    parser.add_argument("--only", nargs="*", default=[], help="pages whose names hold one of these")
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
            places = pages(home, outcomes, ui, mlflow)
            wanted = {
                name: url
                for name, url in places.items()
                if not given.only or any(part in name for part in given.only)
            }
            photographed(wanted, given.out.resolve())
        server.stop(home)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
