"""Several threads open MLflow for the first time at once, as in a server that answers."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llmops.tasks.tracking import store

AT_ONCE = """
import sys, threading, time
from pathlib import Path
from llmops.tasks.tracking.traces import trace_store

def opens(number):
    time.sleep(number * 0.05)
    with trace_store(Path(sys.argv[1])) as store:
        store.there(["tr-" + "0" * 32])
    print("opened", flush=True)

threads = [threading.Thread(target=opens, args=(number,)) for number in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
opens(0)
"""


@pytest.mark.slow
def test_mlflow_is_imported_by_one_thread_and_used_by_all(tmp_path: Path) -> None:
    store.prepare(tmp_path)  # else they would wait for each other at the file
    run = subprocess.run(
        [sys.executable, "-c", AT_ONCE, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    # two threads may print at once: their lines are one, then
    assert (run.stdout.count("opened"), run.returncode) == (7, 0), run.stderr[-2000:]


def test_settings_stay_while_another_thread_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in store.QUIET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DO_NOT_TRACK", "false")
    entered, left = threading.Event(), threading.Event()

    def other() -> None:
        with store._quiet():
            entered.set()
            left.wait(10)

    thread = threading.Thread(target=other)
    with store._quiet():
        thread.start()
        assert entered.wait(10)
    seen = {name: os.environ.get(name) for name in store.QUIET}
    left.set()
    thread.join()
    assert seen == {**store.QUIET, "DO_NOT_TRACK": "false"}
    assert [name for name in store.QUIET if name in os.environ] == ["DO_NOT_TRACK"]


@pytest.mark.slow
def test_a_new_store_says_nothing_also_where_mlflow_was_imported_before(tmp_path: Path) -> None:
    program = (
        "import sys, mlflow.store.tracking.sqlalchemy_store\nfrom pathlib import Path\n"
        "from llmops.tasks.tracking import prepare\nprepare(Path(sys.argv[1]))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
