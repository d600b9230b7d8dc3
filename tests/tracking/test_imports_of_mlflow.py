"""What MLflow imports and hardly ever uses."""

import subprocess
import sys
from pathlib import Path

import pytest

OPENED = """
import sys
from pathlib import Path
from llmops.tasks.tracking.store import opened, tracking_uri
home = Path(sys.argv[1])
with opened(home, tracking_uri(home)):
    pass
print("mlflow.gateway.utils" in sys.modules, "fastapi.applications" in sys.modules)
import fastapi
from mlflow.gateway import utils
print(fastapi.FastAPI.__name__, utils.HTTPException is fastapi.HTTPException)
"""


@pytest.mark.slow
def test_the_web_framework_is_built_when_it_is_asked_for(tmp_path: Path) -> None:
    words = [sys.executable, "-c", OPENED, str(tmp_path)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == ["True False", "FastAPI True"], run.stderr
