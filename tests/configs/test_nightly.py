"""What the config of a night takes, and what it refuses."""

from pathlib import Path

import pytest

from llmops.configs import read
from llmops.configs.nightly import NightlyConfig
from llmops.tasks.yaml_files import write_yaml

APP = {"flow": "serve", "app": "desk", "knowledge_bases": ["handbook"]}
LIVE = {"flow": "score", "app": "desk", "scorers": ["refusal"]}


def night(folder: Path, app: dict[str, object]) -> NightlyConfig:
    for name, content in (("app", app), ("live", LIVE)):
        (folder / f"{name}.yaml").write_text(write_yaml(content))
    listed = {"flow": "nightly", "name": "n", "prune": ["app.yaml"], "score": ["live.yaml"]}
    (folder / "night.yaml").write_text(write_yaml(listed))
    return read(folder / "night.yaml", NightlyConfig)


def test_what_was_answered_is_scored_before_it_goes(tmp_path: Path) -> None:
    config = night(tmp_path, {**APP, "traces": {"most_days": 30}})
    assert [kind for kind, _ in config.listed()] == ["score", "prune"]
    assert config.unreadable("night.yaml") == []


@pytest.mark.parametrize("kept", [{}, {"traces": {"least_days": 3}}])
def test_an_application_whose_traces_never_go_is_not_pruned(
    tmp_path: Path, kept: dict[str, object]
) -> None:
    (mistake,) = night(tmp_path, {**APP, **kept}).unreadable("night.yaml")
    assert mistake.where == "night.yaml: prune[0]"
    assert "traces.most_days is not set" in mistake.message
