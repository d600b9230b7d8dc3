"""Configs that are wrong in every way found so far: exit code 2, the place, what is allowed, and
never a traceback.
"""

from pathlib import Path

import pytest

from tests.commandline import llmops, refused

GOOD = (
    "flow: index\nknowledge_base: handbook\nsources: [{name: files, path: docs}]\nembed: "
    "{name: hash}\n"
)

WRONG = {
    "a misspelt key": (
        GOOD.replace("embed:", "embd:"),
        "embd: unknown key 'embd'.*\n?.*did you mean embed",
    ),
    "a key that stands twice": (
        GOOD + "knowledge_base: other\n",
        "'knowledge_base' stands here twice, in line 5",
    ),
    "a key of the program's own": (GOOD + "folder: elsewhere\n", "unknown key 'folder'"),
    "a wrong type": (
        GOOD + "chunk: {name: sentence, size: lots}\n",
        "chunk.size: input should be a valid integer.*got 'lots'",
    ),
    "a number out of range": (
        GOOD + "limits: {failure_budget: 7}\n",
        "limits.failure_budget: .*less than or equal to 1, got 7",
    ),
    "a share that is no number": (
        GOOD + "limits: {failure_budget: .nan}\n",
        "limits.failure_budget",
    ),
    "an unknown plugin": (
        GOOD.replace("hash", "hush"),
        "unknown name 'hush' among the embedders; allowed: .*\n?.*did you mean hash",
    ),
    "an unknown option": (
        GOOD.replace("docs", "docs, pth: x"),
        r"sources\[0\].pth: unknown key 'pth'",
    ),
    "a missing secret": (
        GOOD.replace("docs", '"${LLMOPS_TEST_UNSET}"'),
        "environment variable LLMOPS_TEST_UNSET is not set",
    ),
    "a secret without quotes": (
        GOOD.replace("docs", "${NAME}"),
        "not valid YAML: .*\n?.*in quotes",
    ),
    "a path that never existed": (GOOD.replace("docs", "dcs"), "dcs does not exist"),
    "two sources of one name": (
        GOOD.replace("[{", "[{name: files, path: docs}, {"),
        "two sources are called files: give each an id",
    ),
    "no sources": (
        GOOD.replace("[{name: files, path: docs}]", "[]"),
        "sources: list should have at least 1 item",
    ),
    "a flow that is a list": (
        GOOD.replace("index", "[index]"),
        r"flow: got \['index'\], allowed: index",
    ),
    "a schedule in words": (
        GOOD + "schedule: {cron: every day}\n",
        "schedule.cron: five fields are wanted",
    ),
    "a time zone of Mars": (
        GOOD + 'schedule: {cron: "0 3 * * *", timezone: Mars/Base}\n',
        "schedule.timezone: .*IANA",
    ),
    "a golden set that is not there": (
        GOOD + "gate: {golden: nope.jsonl}\n",
        "gate.golden: no such file",
    ),
    "an empty file": ("", "the file is empty"),
    "a list": ("- index\n", "a mapping of keys is wanted, got a list"),
    "nested too deeply": ("flow: " + "[" * 5000, "nested too deeply"),
    "a NUL": ("flow: index\n\x00", "not valid YAML"),
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()


@pytest.mark.parametrize(("content", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_config_ends_with_2_and_names_the_place(content: str, says: str) -> None:
    Path("kb.yaml").write_text(content)
    refused(2, says, "check", "kb.yaml")


def test_a_good_config_passes_the_same_check() -> None:
    Path("kb.yaml").write_text(GOOD)
    assert llmops("check", "kb.yaml", "--json").data == {
        "ok": True,
        "checked": ["kb.yaml"],
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("chunk", "wanted key.path=value"),
        ("=3", "wanted key.path=value"),
        ("chunk..size=3", "wanted key.path=value"),
        ("chunk.size=[", "not valid YAML"),
        ("chunk=*a", "not valid YAML"),
        ("chunk.size=", "chunk.size: input should be a valid integer"),
        ("sources.7.path=x", "lists take numbers"),
        ("sources.x=1", "lists take numbers"),
        ("flow.a=3", "allowed: index"),
        ("nope=1", "unknown key 'nope'"),
        ("folder=/", "unknown key 'folder'"),
        ("embed.name.x=3", "a plugin's name is wanted"),
    ],
)
def test_a_wrong_override_ends_with_2(change: str, says: str) -> None:
    Path("kb.yaml").write_text(GOOD)
    refused(2, says, "index", "kb.yaml", "--set", change)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nope.yaml", "no such file"),
        ("docs", "this is a folder, a config file is wanted"),
        ("kb.yaml/x.yaml", "Not a directory"),
        ("n" * 5000, "File name too long"),
        ("latin.yaml", "not UTF-8"),
    ],
)
def test_a_config_that_cannot_be_read_ends_with_2(path: str, says: str) -> None:
    Path("kb.yaml").write_text(GOOD)
    Path("latin.yaml").write_bytes("flow: índex".encode("latin-1"))
    refused(2, says, "index", path)


def test_a_plugin_whose_library_is_absent_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from llmops.tasks import plugins
    from llmops.tasks.plugins.stores.lancedb import LanceDBStore

    monkeypatch.setattr(
        LanceDBStore, "requires", {"a_library_that_nobody_has": "pip install a-library"}
    )
    plugins.find.cache_clear()
    Path("kb.yaml").write_text(GOOD + "store: {name: lancedb}\n")
    try:
        refused(
            2,
            "lancedb needs a library that is not installed.*\n?.*pip install a-library",
            "index",
            "kb.yaml",
        )
    finally:
        plugins.find.cache_clear()


def test_wrong_usage_ends_with_2() -> None:
    for words in (["indx"], ["index"], ["index", "kb.yaml", "--pln"], ["search", "x"]):
        refused(2, "(?i)no such|missing|no knowledge base", *words)


def test_the_version_is_told_without_a_command() -> None:
    assert llmops("--version").out.startswith("llmops-pipelines ")


def test_an_application_of_what_is_not_built_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("app.yaml").write_text("{flow: serve, app: desk, knowledge_bases: [handbok]}")
    assert llmops("check", "app.yaml", "--json").data["warnings"] == []
    monkeypatch.setenv("LLMOPS_HOME", str(Path("home").resolve()))
    llmops("keys", "create", "ann")
    (warning,) = llmops("check", "app.yaml", "--json").data["warnings"]
    assert "app.yaml: no knowledge base 'handbok' has been published" in warning
