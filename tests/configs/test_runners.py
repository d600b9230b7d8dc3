"""The key `runner`: what may be said, what is said of a mistake, and that no hash covers it."""

from pathlib import Path
from typing import Any

import pytest

from llmops.configs import read, runners
from llmops.configs.index import IndexConfig
from llmops.configs.runners import Runner
from tests.configs.test_read import mistakes, write


@pytest.mark.parametrize(
    ("runner", "where", "says"),
    [
        ("spark", "runner.name", "no such runner; allowed: threads, dask, ray, got 'spark'"),
        ("rey", "runner.name", "did you mean ray?"),
        (None, "runner", "leave the key out"),
        (3, "runner", "got 3"),
        ({"name": "dask", "adress": "x"}, "runner.adress", "did you mean address?"),
        ({"name": "dask", "workers": 0}, "runner.workers", "greater than or equal to 1, got 0"),
        ({"name": "dask", "num_cpus": 2}, "runner", "dask has no option num_cpus; allowed: addr"),
        ({"name": "threads", "address": "tcp://h:1"}, "runner", "threads has no option address"),
        ({"name": "dask", "address": "h:8786"}, "runner", "got the address 'h:8786', allowed for"),
        ({"name": "ray", "address": "tcp://h:1"}, "runner", "allowed for ray: ray://head"),
        (
            {"name": "dask", "address": "tcp://h:1", "workers": 2},
            "runner",
            "a cluster with an address has its own processes: leave workers out",
        ),
    ],
    ids=str,
)
def test_mistakes_are_named(tmp_path: Path, runner: object, where: str, says: str) -> None:
    found = mistakes(write(tmp_path, runner=runner))
    assert any(f"kb.yaml: {where}: " in each and says in each for each in found), found


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "NEEDS", {name: ("no_such_module",)})
    (found,) = mistakes(write(tmp_path, runner=name))
    assert f"pip install 'llmops-pipelines[{name}]'" in found


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ("dask", {"name": "dask"}),
        ({"workers": 8}, {"name": "threads", "workers": 8}),
        ({"name": "dask", "address": "tls://h:1"}, {"name": "dask", "address": "tls://h:1"}),
        ({"name": "ray", "address": "auto"}, {"name": "ray", "address": "auto"}),
        ({"name": "ray", "address": "h.org:6379"}, {"name": "ray", "address": "h.org:6379"}),
        ({"name": "ray", "num_cpus": 3}, {"name": "ray", "num_cpus": 3}),
    ],
    ids=str,
)
def test_where_a_version_is_built_does_not_change_what_it_is(
    tmp_path: Path, given: Any, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "NEEDS", {"threads": (), "dask": (), "ray": ()})
    plain = read(write(tmp_path), IndexConfig)
    elsewhere = read(write(tmp_path, runner=given), IndexConfig)
    assert elsewhere.runner == Runner.model_validate(options)
    assert elsewhere.recorded() == plain.recorded()
    assert plain.runner == Runner()


def test_the_command_line_chooses_one(tmp_path: Path) -> None:
    config = read(write(tmp_path), IndexConfig, ["runner.workers=2"])
    assert (config.runner.name, config.runner.workers) == ("threads", 2)
