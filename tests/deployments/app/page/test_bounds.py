"""What a config from the page may reach, and every way around it that we could think of."""

from pathlib import Path
from typing import Any

import pytest

from llmops.deployments.app.page.bounds import Bounds, SourceRule

FILES = {"name": "files"}
OUTSIDE = "outside of what may be read"
HOSTS = "not among the hosts"


@pytest.fixture
def bounds(tmp_path: Path) -> Bounds:
    project = tmp_path / "project"
    for folder in ("docs/hr", "configs", ".git", ".llmops"):
        (project / folder).mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    (tmp_path / "outside").mkdir()
    (project / "docs" / "way-out").symlink_to(tmp_path / "outside")
    return Bounds(
        file="handbook.yaml",
        folder=project / "configs",
        folders=(project, tmp_path / "shared"),
        home=project / "state",
        hosts=frozenset({"git.example.com", "my-bucket"}),
    )


def told(bounds: Bounds, entry: dict[str, Any], family: str = "sources") -> str:
    found = bounds.mistakes(family, entry, "sources[0]")
    return "; ".join(f"{each.where}: {each.message}" for each in found)


@pytest.mark.parametrize(
    "path", ["../docs", "../docs/hr/a.md", "../../shared/x", ".", "new", "../uploads/kb"]
)
def test_paths_inside_are_fine(bounds: Bounds, path: str) -> None:
    assert told(bounds, {**FILES, "path": path}) == ""
    assert told(bounds, {"name": "mail", "path": path}) == ""


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../../outside", OUTSIDE),
        ("/etc", OUTSIDE),
        ("~/x", OUTSIDE),
        ("../docs/way-out", OUTSIDE),
        ("../docs/way-out/x", OUTSIDE),
        ("file:///etc/passwd", OUTSIDE),
        ("FILE:///etc/passwd", OUTSIDE),
        ("../.git", "hidden files"),
        ("../.llmops/ledger.db", "hidden files"),
        ("../state/spool", "own state"),
        ("zip://*::../../outside/a.zip", "plain address"),
        ("simplecache::file:///etc/passwd", "plain address"),
        ("local:///etc/passwd", "names no host"),
        ("a\x00b", "no path"),
    ],
)
def test_no_path_leads_out(bounds: Bounds, path: str, why: str) -> None:
    assert why in told(bounds, {**FILES, "path": path})


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({**FILES, "path": "http://169.254.169.254/latest"}, HOSTS),
        ({**FILES, "path": "https://example.com/a"}, HOSTS),
        ({**FILES, "path": "s3://other-bucket/a"}, HOSTS),
        ({**FILES, "path": "s3://my-bucket/a"}, ""),
        ({"name": "git", "repository": "https://git.example.com/a.git"}, ""),
        ({"name": "git", "repository": "git@git.example.com:a.git"}, ""),
        ({"name": "git", "repository": "git@internal:a.git"}, HOSTS),
        ({"name": "git", "repository": "https://git.example.com@10.0.0.1/a.git"}, "login"),
        ({"name": "git", "repository": "https://me:pw@git.example.com/a.git"}, "login"),
        ({"name": "git", "repository": "https://git.example.com\\@10.0.0.1/"}, "plain address"),
        ({"name": "git", "repository": "http:/10.0.0.1/a"}, "no host"),
        ({"name": "git", "repository": "../../outside"}, OUTSIDE),
        ({"name": "dify", "base_url": "https://api.dify.ai/v1"}, ""),
        ({"name": "dify", "base_url": "http://127.0.0.1:5001/v1"}, HOSTS),
        ({"name": "web", "start": ["https://example.com/"], "include": ["/docs/*"]}, ""),
        ({"name": "web", "start": ["https://a.b/"], "allow_private": True}, "this machine"),
        ({"name": "web", "start": ["file:///etc/passwd"]}, OUTSIDE),
        ({"name": "web", "start": ["https://me:pw@a.b/"]}, "login"),
        ({"name": "topics", "edits": "/etc/passwd"}, OUTSIDE),
        ({**FILES, "path": "../docs", "include": [".env"]}, "hidden files"),
        ({**FILES, "path": "../docs", "include": ["**/.git/*"]}, "hidden files"),
        (
            {**FILES, "path": "../docs", "storage_options": {"endpoint_url": "http://10.0.0.1"}},
            HOSTS,
        ),
        ({**FILES, "path": "${HOME}"}, "variables are for secrets"),
        ({"name": "web", "start": ["https://a.b/${AWS_SECRET_ACCESS_KEY}"]}, "variables are"),
        ({"name": "memory", "documents": {"http://10.0.0.1/": "x"}}, HOSTS),
        ({"name": "memory", "documents": {"a": "/etc/passwd"}}, OUTSIDE),
        ({"name": "reader", "reader": "os.system"}, "runs code"),
        ({"name": "nobody", "path": "/etc"}, ""),
    ],
)
def test_no_address_leads_where_the_config_does_not_allow(
    bounds: Bounds, entry: dict[str, Any], why: str
) -> None:
    """A plugin that there is not is the check's to complain of; memory is a third party's."""
    said = told(bounds, entry)
    assert why in said
    assert bool(said) == bool(why)


@pytest.mark.parametrize(
    ("family", "entry", "why"),
    [
        ("embedders", {"name": "openai", "model": "m"}, ""),
        ("embedders", {"name": "openai", "model": "m", "base_url": "http://10.0.0.1/v1"}, HOSTS),
        ("embedders", {"name": "openai", "model": "m", "tokenizer": "/etc/x.json"}, OUTSIDE),
        ("embedders", {"name": "openai", "model": "m", "api_key": "${LLMOPS_KEY}"}, ""),
        ("embedders", {"name": "llamaindex", "path": "os.system", "dimensions": 3}, "runs code"),
        ("embedders", {"name": "costly", "bill": "/tmp/x"}, OUTSIDE),
        ("chunkers", {"name": "node_parser", "parser": "os.system"}, "runs code"),
        (
            "chunkers",
            {"name": "qa", "llm": {"name": "openai", "base_url": "http://[::1]/"}},
            "plain",
        ),
    ],
)
def test_models_and_chunkers_are_held_to_the_same(
    bounds: Bounds, family: str, entry: dict[str, Any], why: str
) -> None:
    said = told(bounds, entry, family)
    assert why in said
    assert bool(said) == bool(why)


def test_code_by_its_name_is_allowed_by_name(bounds: Bounds) -> None:
    from dataclasses import replace

    allows = replace(bounds, plugins=frozenset({"reader"}))
    assert (allows.offers("sources", "reader"), bounds.offers("sources", "reader")) == (True, False)


@pytest.mark.parametrize(
    ("path", "labels", "held", "closed"),
    [
        ("../docs/hr", [], [], True),
        ("../docs", [], [], True),
        ("../docs/hr/2024", ["public"], [], True),
        ("../docs/hr", ["hr"], [], False),
        ("../docs/hr", [], ["hr"], False),
        ("../docs/hr", ["hr", "all"], [], True),
        ("../docs/hrx", [], [], False),
        ("../mails", [], ["hr"], True),
    ],
)
def test_what_labels_close_is_not_opened_by_another_source(
    bounds: Bounds, path: str, labels: list[str], held: list[str], closed: bool
) -> None:
    from dataclasses import replace

    project = bounds.folders[0].resolve()
    rules = (
        SourceRule("handbook.yaml", (str(project / "docs" / "hr"),), frozenset({"hr"})),
        SourceRule("mails.yaml", (str(project / "mails"),), None),
    )
    own = replace(bounds, rules=rules, labels=frozenset(held))
    assert bool(told(own, {**FILES, "path": path, "labels": labels})) is closed
