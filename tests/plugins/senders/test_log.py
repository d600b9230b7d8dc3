"""Notices as lines of JSON."""

import json
from pathlib import Path

import pytest

from llmops.tasks.errors import Unavailable
from tests.plugins.senders.notes import built, notice


def test_lines_are_appended_to_a_file_beside_the_config(tmp_path: Path) -> None:
    sender = built("log", path="logs/alerts.jsonl").at(tmp_path)
    sender.send(notice(message="über \udcff"))
    sender.send(notice(kind="resolved"))
    lines = (tmp_path / "logs" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(each)["data"]["kind"] for each in lines] == ["fired", "resolved"]
    assert "über ?" in lines[0]


def test_without_a_file_it_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    built("log").at(Path("/nowhere")).send(notice())
    said = capsys.readouterr()
    assert said.out == ""
    assert json.loads(said.err)["type"] == "llmops.alert.fired"


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be written"):
        built("log", path=tmp_path / "file" / "alerts.jsonl").send(notice())


def test_half_a_line_that_a_full_disk_has_left_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_bytes(b'{"type": "llmops.al')
    built("log", path=file).send(notice())
    half, whole = file.read_text(encoding="utf-8").splitlines()
    assert half == '{"type": "llmops.al'
    assert json.loads(whole)["type"] == "llmops.alert.fired"
