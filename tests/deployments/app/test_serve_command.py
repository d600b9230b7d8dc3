"""`llmops serve` as a user meets it: one line, doors that stay closed, and an end in order."""

import asyncio
import json
import logging
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmops.deployments.app import serving
from llmops.deployments.app.application import create_app
from llmops.deployments.app.serving import is_loopback
from llmops.deployments.up.parts import first_build
from llmops.flows.commands import serve as command
from llmops.tasks.access import keys
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.tables import knowledge_bases
from llmops.tasks.yaml_files import write_yaml
from tests.chat.apps import PROMPT, TALL, TEXTS, Towers
from tests.commandline import ended, refused, start_afresh
from tests.workshop import Workshop

CONFIG = {"flow": "serve", "app": "guide", "knowledge_bases": ["towers"], "prompt": "towers.yaml"}


@pytest.fixture
def config(towers: Towers, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOPS_HOME", str(towers.home))
    return written(towers.folder)


def written(folder: Path, **changes: Any) -> Path:
    (folder / "towers.yaml").write_text(PROMPT)
    file = folder / "app.yaml"
    file.write_text(write_yaml({**CONFIG, **changes}))
    return file


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_an_address_that_others_reach_wants_a_key(config: Path, host: str) -> None:
    refused(2, "there is no key yet", "serve", config, "--host", host)


def test_a_config_that_wants_keys_wants_one_at_hand(towers: Towers, config: Path) -> None:
    refused(2, "there is no key yet", "serve", written(towers.folder, keys={"required": True}))
    keys.create(towers.home, "gone", ["ask"])
    keys.revoke(towers.home, "gone")
    refused(2, "there is no key yet", "serve", config, "--host", "0.0.0.0")


def test_what_is_wrong_is_said_before_anything_listens(towers: Towers, config: Path) -> None:
    refused(2, "no such file", "serve", written(towers.folder, prompt="missing.yaml"))
    refused(2, "should match", "serve", written(towers.folder, knowledge_bases=["BAD NAME"]))
    refused(2, "no such file|a config file", "serve", towers.folder / "nothing.yaml")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_answers_and_ends(
    towers: Towers, config: Path, sent: signal.Signals
) -> None:
    process = start_afresh(towers.home, "serve", config, "--port", "0", "--json")
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    assert said == {"app": "guide", "url": said["url"], "keys_required": False}
    answer = httpx.post(f"{said['url']}/v1/search", json={"query": TALL}, timeout=60)
    assert answer.json()["hits"][0]["uri"] == "eiffel.txt"
    began = time.monotonic()
    process.send_signal(sent)
    rest = ended(process)
    assert (rest.code, rest.out) == (0, "")
    assert time.monotonic() - began < 15
    assert re.search(r"llmops.access POST /v1/search 200 .* trace=tr-", rest.err)
    assert "Traceback" not in rest.err
    assert TALL not in rest.err


def test_what_goes_wrong_below_is_told_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("llmops.access", "llmops.app", "llmops.tasks")
    for logger in map(logging.getLogger, names):
        for name in ("handlers", "level", "propagate"):
            monkeypatch.setattr(logger, name, getattr(logger, name))
        logger.handlers = []
    command._log_access()
    logging.getLogger("llmops.tasks.traces.writer").warning("MLflow does not take traces")
    logging.getLogger("llmops.tasks.traces.writer").info("all is well")
    assert capsys.readouterr().err.endswith(
        "llmops.tasks.traces.writer MLflow does not take traces\n"
    )


def test_threads_take_shorter_turns_while_it_serves(towers: Towers) -> None:
    seen: list[float] = []

    class Recorded(serving.AppServer):
        async def serve(self, sockets: list[socket.socket] | None = None) -> None:
            seen.append(sys.getswitchinterval())

    config, before = towers.config(), sys.getswitchinterval()
    app = create_app(config, towers.home)
    settings = serving.server_of(app, config, lambda: None).config
    with socket.socket() as listener:
        server = Recorded(settings, app, lambda: None)
        asyncio.run(serving.serve(app, server, listener))
    assert seen == [pytest.approx(serving.SWITCH_SECONDS)]
    assert sys.getswitchinterval() == before


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["tower"], r"knowledge_bases\[0\].*'tower'.*did you mean towers\? known: towers"),
        (["towers", "bridges"], r"knowledge_bases\[1\].*'bridges'.*known: towers.*--wait"),
        (["begun"], r"'begun' has no published version yet.*llmops index CONFIG"),
    ],
)
def test_a_knowledge_base_without_a_version_is_said_at_the_start(
    towers: Towers, config: Path, names: list[str], says: str
) -> None:
    with open_ledger(towers.home).write() as connection:
        connection.execute(knowledge_bases.insert().values(name="begun", created_at=now()))
    refused(2, f"(?s){says}", "serve", written(towers.folder, knowledge_bases=names))


@pytest.mark.slow
def test_one_that_is_waited_for_is_named_and_taken_up(towers: Towers, config: Path) -> None:
    file = written(towers.folder, knowledge_bases=["towers", "bridges"])
    process = start_afresh(towers.home, "serve", file, "--port", "0", "--wait", "--json")
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    ready = httpx.get(f"{url}/ready")
    assert (ready.status_code, ready.json()["waiting"]) == (503, ["bridges"])
    assert first_build(url, {"towers": "towers.yaml"}) == (
        "waits for the first build of the knowledge base 'bridges', which no config of the "
        "project builds"
    )
    assert first_build(url, {"bridge": "b.yaml", "bridges": "bridges.yaml"}).endswith(
        "base 'bridges' (llmops index bridges.yaml)"
    )
    bridges = Workshop(towers.folder, towers.shop.store, kb="bridges")
    bridges.embedder = towers.shop.embedder
    bridges.build(TEXTS)
    assert httpx.get(f"{url}/ready").json()["waiting"] == []
    assert first_build(url, {}) == ""
    process.send_signal(signal.SIGTERM)
    assert "bridges cannot be read" in ended(process).err
