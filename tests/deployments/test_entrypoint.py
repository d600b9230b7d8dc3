"""The entry point of the image: secrets that the engine mounts as files become variables."""

import os
import subprocess
from pathlib import Path

from tests.deployments.containers import ENTRYPOINT


def entered(folder: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "SECRETS_DIR": str(folder), **variables}
    return subprocess.run(
        [ENTRYPOINT, *words], env=environment, capture_output=True, text=True, check=False
    )


def test_a_secret_file_becomes_a_variable_and_its_path_goes(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3c$(x) \"ret'\n")
    told = entered(tmp_path, "env", PGPASSWORD_FILE=str(tmp_path / "password"))
    assert told.returncode == 0
    assert "PGPASSWORD=s3c$(x) \"ret'\n" in told.stdout
    assert "PGPASSWORD_FILE" not in told.stdout


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    told = entered(tmp_path, "env", SSL_CERT_FILE="/etc/ssl/cert.pem")
    assert "SSL_CERT_FILE=/etc/ssl/cert.pem\n" in told.stdout
    assert "SSL_CERT=" not in told.stdout


def test_the_command_takes_the_place_of_the_shell(tmp_path: Path) -> None:
    told = entered(tmp_path, "sh", "-c", "kill -TERM $$")
    assert told.returncode == -15


def test_a_missing_secret_and_two_secrets_are_refused(tmp_path: Path) -> None:
    missing = entered(tmp_path, "env", PGPASSWORD_FILE=str(tmp_path / "password"))
    assert missing.returncode == 2
    assert f"PGPASSWORD_FILE names {tmp_path / 'password'}" in missing.stderr
    assert "chmod 644" in missing.stderr
    (tmp_path / "password").write_text("one")
    both = entered(tmp_path, "env", PGPASSWORD_FILE=str(tmp_path / "password"), PGPASSWORD="two")
    assert both.returncode == 2
    assert "both PGPASSWORD and PGPASSWORD_FILE" in both.stderr
