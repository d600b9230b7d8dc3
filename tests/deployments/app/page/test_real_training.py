"""A training as somebody starts it in the tab *Review*: with Prefect, in a process of its own."""

import json
import shutil
from pathlib import Path

import pytest

from tests.chat.apps import BASE, TALL, Towers
from tests.datasets.training.runs import line
from tests.deployments.app.apps import application
from tests.deployments.app.page.pages import Visitor
from tests.deployments.app.page.test_real_build import until
from tests.laboratory import with_database
from tests.shelf import empty_store

pytestmark = pytest.mark.slow
FILE = "lessons.yaml"
CONFIG = f"""\
flow: finetune
name: lessons
collect: [{{name: reviews, queue: guide}}, {{name: jsonl, path: rows.jsonl}}]
export: [openai_chat, trl_sft, alpaca, sharegpt]
train: {{name: retrieval, knowledge_base: {BASE}, questions: golden.jsonl}}
"""


def test_a_plan_and_a_training_go_to_their_end(
    towers: Towers, prefect_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmops.flows import server

    monkeypatch.delenv("LLMOPS_MLFLOW_TRACKING_URI")
    with_database(towers.home, prefect_database)
    (towers.home / "mlflow").mkdir()
    shutil.copy(empty_store(), towers.home / "mlflow" / "mlflow.db")
    rows = "".join(f"{json.dumps(line(n))}\n" for n in range(40))
    (towers.folder / "rows.jsonl").write_text(rows)
    golden = {"id": "a", "question": TALL, "relevant": [{"uri": "eiffel.txt"}]}
    (towers.folder / "golden.jsonl").write_text(json.dumps(golden))
    (towers.folder / FILE).write_text(CONFIG)
    state = f"/review/training/state?file={FILE}"
    try:
        with application(towers) as app:
            anna = Visitor(app)
            anna.sign_in()
            anna.post("/review/training/open")
            shown, _ = until(anna, state, 'value="train"')
            assert '<data value="40"' in shown
            assert '<data value="1"' in shown
            fields = {"file": FILE, "do": "train"}
            anna.post("/review/training/run", fields, hx_request="true")
            shown, steps = until(anna, state, "The data set is made.")
            assert len(steps) > 1, "Prefect says how far it is"
            assert "too few judged questions" in shown
            assert "The training in MLflow" in shown
            assert "The data set in MLflow" in shown
    finally:
        server.stop(towers.home)
