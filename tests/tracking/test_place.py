"""Which MLflow is meant, and where its pages are."""

from pathlib import Path

import pytest

from llmops.tasks.tracking.place import own_port, pages, place_of, served_at, shared


@pytest.fixture(autouse=True)
def _nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLMOPS_MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI", "LLMOPS_MLFLOW_URL"):
        monkeypatch.delenv(name, raising=False)


def test_pages_of_the_homes_store_are_where_it_was_served_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = place_of(tmp_path)
    assert pages(home.uri) == f"http://127.0.0.1:{own_port(tmp_path)}"
    assert own_port(tmp_path) != own_port(tmp_path / "another")
    (tmp_path / "mlflow").mkdir()
    served_at(tmp_path, "http://127.0.0.1:4713")
    assert pages(home.uri) == "http://127.0.0.1:4713"
    assert own_port(tmp_path) == 4713
    assert shared(tmp_path, "http://127.0.0.1:4713/#/r", {"docs": "a b.html"}) == {}
    monkeypatch.setenv("LLMOPS_MLFLOW_URL", "https://mlflow.example.com/")
    assert pages(home.uri) == "https://mlflow.example.com"


def test_a_server_is_its_own_page_and_shows_no_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example.com:8443")
    place = place_of(tmp_path)
    assert (place.own, pages(place.uri)) == (False, "https://mlflow.example.com:8443")
    links = shared(tmp_path, "https://mlflow.example.com:8443/#/r", {"docs": "a b.html"})
    assert links == {"docs": "https://mlflow.example.com:8443/#/r/artifacts/a%20b.html"}
