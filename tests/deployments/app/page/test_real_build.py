"""A build as somebody starts it in the page: with Prefect, in a process of its own, to its end."""

import re
import shutil
import time
from pathlib import Path

import pytest

from llmops.tasks.audit import log
from tests.chat.apps import BASE, TEXTS, Towers
from tests.deployments.app.apps import application
from tests.deployments.app.page.pages import Visitor
from tests.laboratory import with_database
from tests.shelf import empty_store

pytestmark = pytest.mark.slow
CONFIG = f"""\
flow: index
knowledge_base: {BASE}
sources: [{{name: files, path: docs}}]
embed: hash
limits: {{failure_budget: 0.5, max_delete_fraction: 1}}
"""
FILE = "build.yaml"
WAITED = 180


def until(visitor: Visitor, path: str, words: str) -> tuple[str, set[str]]:
    """What a path says once it says the words, and the steps that it was at before."""
    seen: set[str] = set()
    for _ in range(WAITED * 2):
        shown = visitor.get(path, hx_request="true").text
        seen |= set(re.findall(r'aria-current="step">([^<]+)', shown))
        if words in shown:
            return shown, seen
        time.sleep(0.5)
    raise AssertionError(shown)


def test_a_build_and_a_second_try_go_live_and_are_somebody_s(
    towers: Towers, prefect_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmops.flows import server

    monkeypatch.delenv("LLMOPS_MLFLOW_TRACKING_URI")
    with_database(towers.home, prefect_database)
    (towers.home / "mlflow").mkdir()
    shutil.copy(empty_store(), towers.home / "mlflow" / "mlflow.db")
    (towers.folder / "docs").mkdir()
    for name, text in TEXTS.items():
        (towers.folder / "docs" / name).write_text(text)
    broken = towers.folder / "docs" / "broken.pdf"
    broken.write_bytes(b"%PDF-1.4 that ends at once")
    (towers.folder / FILE).write_text(CONFIG)
    state = f"/build/state?file={FILE}"
    try:
        with application(towers) as app:
            anna = Visitor(app)
            anna.sign_in()
            fields = {"file": FILE, "do": "build", "deletes": "on"}
            assert "Stop" in anna.post("/build/run", fields, hx_request="true").text
            shown, steps = until(anna, state, "The new version is live.")
            assert len(steps) > 1, "Prefect says how far it is"
            assert "broken.pdf" in shown
            assert ("Search the new version" in shown, "Start building" in shown) == (True, False)
            anna.post("/build/run", {"file": FILE, "do": "plan"}, hx_request="true")
            planning = anna.get(state, hx_request="true").text
            assert ("being listed" in planning, "is live." in planning) == (True, False)
            shown, _ = until(anna, state, "Start building")
            assert "is live." in shown
            before = anna.get(f"/knowledge/{BASE}").text
            item = re.findall(r'name="item" value="([^"]+)"', before)[0]
            broken.write_text("The tower of Babel was never finished.")
            anna.post(f"/knowledge/{BASE}/retry", {"item": item}, hx_request="true")
            until(anna, f"/knowledge/{BASE}/retry", "Nothing has been set aside.")
            hits = app.search("tower of Babel").json()["hits"]
            assert hits[0]["uri"] == "broken.pdf"
        entries = log.entries(towers.home, action="publish")
        assert [(each.who, each.after) for each in entries[:2]] == [
            ("guide/Anna", "3"),
            ("guide/Anna", "2"),
        ]
    finally:
        server.stop(towers.home)
