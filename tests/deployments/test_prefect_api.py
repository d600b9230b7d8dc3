"""A Prefect server that is asked over HTTP: what it may do wrong, and what is not shown of it."""

import contextlib
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from llmops.deployments.prefect_api import PrefectApi
from llmops.flows import server
from llmops.tasks.errors import Unavailable
from tests.deployments.fake_prefect import FakePrefect, state


@pytest.fixture
def prefect() -> Iterator[FakePrefect]:
    with FakePrefect.serving() as fake:
        yield fake


def test_a_server_that_closes_in_mid_body_is_unavailable(prefect: FakePrefect) -> None:
    prefect.cut = True
    with pytest.raises(Unavailable, match="does not answer: IncompleteRead") as caught:
        PrefectApi(prefect.url).deployments(["llmops"])
    assert caught.value.where == prefect.url


@pytest.mark.parametrize("answer", [{}, None, "page", [1], [{"id": "d1"}]])
def test_answers_of_another_shape_are_no_tracebacks(
    prefect: FakePrefect, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr(prefect, "answer", lambda *_: answer)
    with pytest.raises(Unavailable, match="answers, but not with deployments"):
        PrefectApi(prefect.url).deployments(["llmops"])
    with pytest.raises(Unavailable, match="answers, but not with runs"):
        PrefectApi(prefect.url).active(["d1"])


def test_a_run_whose_state_is_none_of_prefects_is_no_traceback(prefect: FakePrefect) -> None:
    prefect.add("now", datetime.now(UTC), {"type": "RUNNING"})
    with pytest.raises(Unavailable, match="answers, but not with states"):
        PrefectApi(prefect.url).active(["d1"])
    prefect.runs.clear()
    prefect.add("now", datetime.now(UTC), state("RUNNING"))
    assert len(PrefectApi(prefect.url).active(["d1"])) == 1


def test_after_its_deadline_a_server_is_not_asked(prefect: FakePrefect) -> None:
    api = PrefectApi(prefect.url, deadline=time.monotonic() - 1)
    with pytest.raises(Unavailable, match="it took too long"):
        api.deployments(["llmops"])
    assert prefect.asked == []


def test_a_login_in_the_address_stands_in_no_error_of_a_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from httpx import HTTPError

    from llmops.deployments.deploy import client_of

    url = "http://amy:s3cret@127.0.0.1:9/api"
    there = server.UserServer(url, "", "PREFECT_API_URL", "3.0.0")
    monkeypatch.setattr(server, "connect", lambda _home: there)
    client = SimpleNamespace(get_client=lambda **_: contextlib.nullcontext())
    monkeypatch.setitem(
        sys.modules, "prefect", cast(ModuleType, client)
    )  # the real one keeps its first settings
    errors = SimpleNamespace(PrefectException=RuntimeError)
    monkeypatch.setitem(sys.modules, "prefect.exceptions", cast(ModuleType, errors))
    failing = client_of(tmp_path)
    _client, shown = failing.__enter__()
    assert shown == "http://127.0.0.1:9/api"
    wrong = HTTPError(f"Client error '404' for url '{url}/flows'")
    with pytest.raises(Unavailable) as caught:
        failing.__exit__(HTTPError, wrong, None)
    assert caught.value.where == shown
    assert "for url 'http://127.0.0.1:9/api/flows'" in caught.value.message
