"""`llmops ui` shows the pages that there are."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from llmops.deployments.up import record
from llmops.deployments.up.record import PartRecord, UpRecord
from tests.commandline import llmops, refused
from tests.deployments.fake_prefect import FakePrefect


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakePrefect, FakePrefect]]:
    """A Prefect and an MLflow of the user's."""
    with FakePrefect.serving() as prefect, FakePrefect.serving() as mlflow:
        monkeypatch.setenv("PREFECT_API_URL", prefect.url)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.url.removesuffix("/api"))
        yield prefect, mlflow


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What a browser is asked to open: a program in the place of one."""
    file, browser = tmp_path / "opened.txt", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {file}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    return file


def test_the_pages_of_a_running_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "up"
    home.mkdir()
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    parts = (
        PartRecord(name="prefect", url="http://127.0.0.1:1", healthy=True, pid=2),
        PartRecord(name="mlflow", url="http://127.0.0.1:3", healthy=True, pid=4),
        PartRecord(name="worker", healthy=True, pid=5),
    )
    created = psutil.Process().create_time()
    record.write(home, UpRecord(pid=os.getpid(), created=created, mark="m", parts=parts))
    pages = {"prefect": "http://127.0.0.1:1", "mlflow": "http://127.0.0.1:3"}
    assert llmops("ui", "--no-open", "--json").data == {"pages": pages}
    people = llmops("ui", "--no-open").out.splitlines()
    assert people == [f"{name}  {url}" for name, url in pages.items()]


def test_without_an_up_the_servers_of_the_user_are_shown_and_opened(
    servers: tuple[FakePrefect, FakePrefect], opened: Path
) -> None:
    prefect, mlflow = servers
    said = llmops("ui", "--json")
    assert said.code == 0, said.err
    wanted = {"prefect": prefect.url, "mlflow": mlflow.url}
    pages = {name: url.removesuffix("/api") for name, url in wanted.items()}
    assert {name: url.rstrip("/") for name, url in said.data["pages"].items()} == pages
    assert [url.rstrip("/") for url in opened.read_text().split()] == list(pages.values())


def test_a_server_that_does_not_answer_is_said_with_its_variable(
    servers: tuple[FakePrefect, FakePrefect], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    refused(1, "MLFLOW_TRACKING_URI", "ui", "--no-open")
