"""Applications that configs name, against those that configs beside them serve."""

from pathlib import Path

import pytest

from llmops.configs.applications import unserved_apps

CONFIGS = {
    "alerts.yaml": "flow: alerts\nrules: [{name: slow, app: helpdsk}, {name: ok, app: helpdesk}]",
    "feedback.yaml": "flow: feedback\napp: helpdsk",
    "monitor.yaml": "flow: monitor\napp: helpdsk",
    "score.yaml": "flow: score\napp: helpdsk",
    "finetune.yaml": "flow: finetune\ncollect: [{name: traces, app: helpdsk}]",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_an_application_that_no_config_beside_it_serves_is_told(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(CONFIGS[name])
    assert list(unserved_apps([file], ())) == []  # any may be served elsewhere
    (tmp_path / "app.yaml").write_text("flow: serve\napp: helpdesk")
    (tmp_path / "broken.yaml").write_text("{")
    (told,) = unserved_apps([file], ())
    assert "'helpdsk'" in told
    assert told.endswith("(did you mean helpdesk?)")
    assert list(unserved_apps([file], ["helpdsk"])) == []  # it has answered here


def test_traffic_from_a_file_may_be_of_any_application(tmp_path: Path) -> None:
    file = tmp_path / "monitor.yaml"
    file.write_text("flow: monitor\napp: theirs\ntraffic: theirs.jsonl")
    (tmp_path / "app.yaml").write_text("flow: serve\napp: helpdesk")
    assert list(unserved_apps([file, tmp_path / "app.yaml"], ())) == []
