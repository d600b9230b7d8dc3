from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmops.deployments.plugin_package.templates.senders import ExampleSender
from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.senders import Notice

NOON = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
FAILED = Notice(
    id="1",
    kind="fired",
    key="build",
    rule="failed",
    subject="handbook",
    severity="critical",
    message="the build failed",
    began_at=NOON,
    at=NOON,
)


def test_a_notice_is_a_line(tmp_path: Path) -> None:
    ExampleSender(path=Path("alerts.txt")).at(tmp_path).send(FAILED)
    said = (tmp_path / "alerts.txt").read_text(encoding="utf-8")
    assert said == "2030-01-31 12:00 critical fired: the build failed\n"


def test_what_cannot_be_sent_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        ExampleSender(path=tmp_path / "none" / "alerts.txt").send(FAILED)
