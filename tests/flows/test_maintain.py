"""`llmops maintain` as a user meets it."""

from pathlib import Path

import pytest

from tests.commandline import Office, llmops

CONFIG = """
flow: maintain
name: NAME
backup: {to: vault, keep: 2}
"""


@pytest.mark.slow
def test_a_home_is_kept_in_order_and_backed_up(office: Office, tmp_path: Path) -> None:
    config = tmp_path / "house.yaml"
    config.write_text(CONFIG.replace("NAME", f"h{abs(hash(tmp_path)):x}"), encoding="utf-8")
    assert llmops("check", config).code == 0
    first = llmops("maintain", config, "--json").data
    assert (first["status"], [part["status"] for part in first["parts"]][-2:]) == (
        ("completed", ["done", "done"])
    )
    assert [part["what"] for part in first["parts"]][-2:] == ["databases", "backup"]
    assert first["links"]["prefect"]
    listed = llmops("backup", tmp_path / "vault", "--list", "--json").data["backups"]
    assert len(listed) == 1
    (tmp_path / "vault" / "objects").rename(tmp_path / "gone")
    (tmp_path / "vault" / "objects").write_text("in the way")
    failed = llmops("maintain", config, "--json")
    assert (failed.code, failed.data["status"]) == (1, "parts_failed")
    assert "1 of " in failed.data["headline"]


def test_a_config_that_is_wrong_is_told(tmp_path: Path) -> None:
    config = tmp_path / "house.yaml"
    config.write_text(CONFIG.replace("NAME", "house").replace("keep: 2", "keep: 0"))
    said = llmops("maintain", config, "--json")
    assert said.code == 2
    assert "backup.keep" in said.mistake["where"]
