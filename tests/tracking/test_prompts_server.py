"""The prompt registry behind MLflow's server: what is pushed, moved and noted there is what the
store holds.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.decisions import promotion
from llmops.tasks.prompts import references, registry
from llmops.tasks.tracking.store import tracking_uri
from tests.shelf import decided, fresh_home, prompt

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return fresh_home(tmp_path)


@pytest.fixture
def remote(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on the store of the home, which everything goes through."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        tracking_uri(home),
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2).close()
            break
        except OSError:
            time.sleep(0.3)
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", url)
    yield url
    process.terminate()
    process.wait(20)


def test_a_server_serves_as_well_as_the_store(
    home: Path, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = prompt(
        "one {{a}}",
        variables={"a": {"type": "list", "default": [1]}},
        model={"temperature": 0, "stop": ["x"]},
        output={"type": "object"},
        description="Ü",
    )
    pushed = registry.push_all(home, [full, prompt("two"), full])
    assert [(one.resolved.version, one.made) for one in pushed] == [
        (1, True),
        (2, True),
        (1, False),
    ]
    promotion.first(home, "helpdesk", "champion", 1)
    assert references.resolve(home, "prompts:/helpdesk@champion", Path()).prompt == full
    record = decided(home, pushed[0].resolved, pushed[1].resolved)
    promotion.promote(home, record, "helpdesk")
    promotion.rollback(home, "helpdesk")
    served = promotion.history(home, "helpdesk")
    assert [(one["kind"], one["to"]) for one in served["moves"]] == [
        ("first", 1),
        ("promote", 2),
        ("rollback", 1),
    ]
    monkeypatch.delenv("LLMOPS_MLFLOW_TRACKING_URI")
    assert promotion.history(home, "helpdesk") == served
