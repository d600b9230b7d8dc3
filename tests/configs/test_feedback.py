"""What the config of a feedback flow takes, and what it refuses."""

from pathlib import Path

import pytest

from llmops.configs import read_mapping
from llmops.configs.feedback import FeedbackConfig
from llmops.tasks.errors import ConfigError


def test_the_defaults_serve() -> None:
    config = read_mapping({"app": "helpdesk"}, FeedbackConfig)
    assert (config.name, config.queue, config.days) == ("helpdesk", "helpdesk", 30)
    assert config.rules().most == 100
    assert config.project_spec().golden is None


def test_files_are_relative_to_the_config(tmp_path: Path) -> None:
    given = {"app": "a", "write": {"golden": "golden/a.jsonl"}, "folder": str(tmp_path)}
    assert read_mapping(given, FeedbackConfig).project_spec().golden == tmp_path / "golden/a.jsonl"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"trust": "all"}, "'nobody', 'reviewers' or 'everybody'"),
        ({"triage": {"random": 2}}, "less than or equal to 1"),
        ({"triage": {"embed": "nobody"}}, "nobody"),
        ({"review": {"reviewers": 0}}, "greater than or equal to 1"),
        ({"write": {"golden": "a.jsonl", "cases": "a.jsonl"}}, "name each differently"),
        ({"name": "Not a name"}, "name"),
        ({"schedule": "daily"}, "write it as schedule"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_mapping({"app": "helpdesk", **given}, FeedbackConfig)
    assert any(said in str(each) for each in caught.value.mistakes())
