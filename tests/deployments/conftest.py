"""What tests of `status` look at."""

from pathlib import Path

import pytest

from tests.deployments.desk import INDEX


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "helpdesk"
    (folder / "docs").mkdir(parents=True)
    (folder / "handbook.yaml").write_text(INDEX)
    monkeypatch.chdir(folder)
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "LLMOPS_MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "no-profiles.toml"))
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
