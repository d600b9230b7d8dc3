"""The image's recipe, as far as it can be judged without an engine that builds it."""

import fnmatch
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from tests.deployments.containers import FOLDER, SERVICES

ROOT = FOLDER.parent
FILE = FOLDER / "Dockerfile"
LINES = DockerfileParser(path=str(FILE), env_replace=False).structure
LAST = max(number for number, line in enumerate(LINES) if line["instruction"] == "FROM")


def last(instruction: str) -> str:
    values = [line["value"] for line in LINES[LAST:] if line["instruction"] == instruction]
    return values[-1] if values else ""


def copied() -> list[str]:
    """What is copied from the project, over all stages."""
    words = [line["value"].split() for line in LINES if line["instruction"] == "COPY"]
    from_here = [line for line in words if not line[0].startswith("--from")]
    return [word for line in from_here for word in line[:-1] if not word.startswith("--")]


def ignored(name: str) -> bool:
    """By Dockerfile.dockerignore, whose last rule that fits decides."""
    out = False
    for rule in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines():
        if rule and not rule.startswith("#"):
            pattern = rule.removeprefix("!")
            parts = [name, *map(str, Path(name).parents)]
            if any(fnmatch.fnmatch(part, pattern) for part in parts if part != "."):
                out = not rule.startswith("!")
    return out


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint has no package for this platform")
    done = subprocess.run([hadolint, FILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_reaches_the_engine() -> None:
    assert [name for name in copied() if not (ROOT / name).exists()] == []
    assert [name for name in copied() if ignored(name)] == []
    secrets = ("deployments/secrets", "deployments/secrets/key", ".env", "deployments/.env")
    assert [name for name in (*secrets, "tests", ".git") if not ignored(name)] == []


def test_it_runs_as_nobody_in_particular_behind_the_entry_point() -> None:
    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", last("USER"))
    assert last("ENTRYPOINT") == '["tini", "-g", "--", "llmops-entrypoint"]'
    assert "COPY --chmod=0755 deployments/entrypoint.sh /usr/local/bin/llmops-entrypoint" in (
        FILE.read_text()
    )
    home = re.search(r"LLMOPS_HOME=(\S+)", last("ENV"))
    assert home
    assert last("VOLUME") == home[1]
    assert f"home:{home[1]}" in SERVICES["worker"]["volumes"]


def test_both_stages_have_the_same_python_and_no_image_is_floating() -> None:
    images = [line["value"].partition(" AS ")[0] for line in LINES if line["instruction"] == "FROM"]
    assert len(set(images)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", images[0])


def test_what_is_installed_is_pinned_by_hash() -> None:
    pinned = (ROOT / "requirements-server.txt").read_text()
    everything = (ROOT / "requirements.txt").read_text()
    of = re.compile(r"^([a-z0-9._-]+==\S+)", re.MULTILINE)
    names = of.findall(pinned)
    assert "prefect-kubernetes" in {name.partition("==")[0] for name in names}
    assert set(names) <= set(of.findall(everything))
    assert pinned.count("--hash=sha256:") >= len(names)
    assert "://" not in pinned
