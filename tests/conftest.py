"""What several test modules share: the folder of test plugins on the path, and homes that touch nothing of the user's."""

import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent / "plugins"
sys.path.insert(0, str(PLUGINS))


@pytest.fixture(autouse=True)
def _no_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that forget to say where state goes write into their own folder."""
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path / "home"))
