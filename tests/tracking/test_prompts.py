"""Prompts in a real MLflow registry: pushed here, made and edited there."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import ConfigError, Unavailable, UsageError
from llmops.tasks.prompts import Prompt
from llmops.tasks.prompts.registry import (
    RegistryVersion,
    alone,
    as_versions,
    content_of,
    versions_in,
)
from llmops.tasks.tracking import prompt_versions as names
from llmops.tasks.tracking.prompt_versions import limits
from llmops.tasks.tracking.prompts import open_registry
from tests.shelf import fresh_home, prompt, tamper

FULL = prompt(
    "Answer: {{question}} {{n}}",
    variables={"question": {"description": "d"}, "n": {"type": "integer", "default": 3}},
    model={"temperature": 0, "max_tokens": 5, "stop": ["\n"], "logit_bias": {"5": 1}},
    output={"type": "object", "properties": {"a": {"type": "number", "minimum": 1.0}}},
    description="Ünïcode",
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return fresh_home(tmp_path)


@pytest.mark.slow
def test_many_versions_come_in_pages(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmops.tasks.tracking.prompts.PAGE", 2)
    with open_registry(home, write=True) as shelf:
        for number in range(5):
            shelf.create(content_of(prompt(f"text {number}", name="b")), "me")
            shelf.create(content_of(prompt("x", name=f"a{number}")), "me")
        assert [one.version for one in shelf.versions("b")] == [5, 4, 3, 2, 1]
        assert list(shelf.prompts()) == ["a0", "a1", "a2", "a3", "a4", "b"]
        assert {name: len(found) for name, found in shelf.everything().items()} == {
            **{f"a{n}": 1 for n in range(5)},
            "b": 5,
        }


def version(**tags: str) -> RegistryVersion:
    return RegistryVersion(name="p", version=3, created_at=datetime.now(UTC), tags=tags)


def test_asking_creates_nothing_and_imports_no_mlflow(tmp_path: Path) -> None:
    before = "mlflow" in sys.modules
    with open_registry(tmp_path / "none") as shelf:
        assert (shelf.prompts(), shelf.everything(), shelf.aliases("p"), shelf.versions("p")) == (
            {},
            {},
            None,
            [],
        )
        assert shelf.decision("r") is None
        with pytest.raises(Unavailable, match="no prompt registry"):
            shelf.point("p", "champion", 1)
    assert not (tmp_path / "none").exists()
    assert ("mlflow" in sys.modules) == before


@pytest.mark.slow
def test_a_prompt_comes_back_whole(home: Path) -> None:
    from mlflow.prompt import constants

    with open_registry(home, write=True) as shelf:
        assert shelf.create(content_of(FULL), "me@here", "why") == 1
        shelf.point("helpdesk", "champion", 1)
        shelf.create(content_of(prompt("two")), "you@there")
        second, first = versions_in(shelf, "helpdesk")
        assert as_versions(shelf.everything()["helpdesk"]) == [second, first]
        assert list(shelf.everything()) == ["helpdesk"]
        assert shelf.prompts() == {"helpdesk": {"champion": 1}}
    assert first.prompt == FULL
    assert (first.sha256, first.edited, first.aliases, first.note, first.tags[names.WHO]) == (
        FULL.sha256,
        False,
        ("champion",),
        "why",
        "me@here",
    )
    assert (second.prompt, second.aliases, second.note) == (prompt("two"), (), "")
    ours = (names.IS_PROMPT, names.TEXT, names.KIND, names.FORMAT, names.SETTINGS)
    assert ours == (
        constants.IS_PROMPT_TAG_KEY,
        constants.PROMPT_TEXT_TAG_KEY,
        constants.PROMPT_TYPE_TAG_KEY,
        constants.RESPONSE_FORMAT_TAG_KEY,
        constants.PROMPT_MODEL_CONFIG_TAG_KEY,
    )


@pytest.mark.slow
def test_a_version_that_was_made_in_mlflow_is_known_by_what_it_says(home: Path) -> None:
    from mlflow.entities.model_registry import PromptModelConfig

    from llmops.tasks.tracking.store import opened, tracking_uri

    with opened(home, tracking_uri(home)) as client, open_registry(home) as shelf:
        client.create_prompt("helpdesk")
        client.create_prompt_version("helpdesk", "Answer: {{question}}")
        settings = PromptModelConfig(
            provider="openai", model_name="gpt", temperature=0.0, stop_sequences=["a"]
        )
        client.create_prompt_version(
            "helpdesk", [{"role": "user", "content": "x"}], model_config=settings
        )
        client.create_prompt_version("helpdesk", "{% if a %}x{% endif %}")
        jinja, chat, text = versions_in(shelf, "helpdesk")
    assert text.sha256 == prompt("Answer: {{question}}").sha256
    assert chat.sha256 == prompt("x", model={"temperature": 0, "stop": ["a"]}).sha256
    assert not text.edited
    assert jinja.sha256 is None
    with pytest.raises(
        ConfigError,
        match=r"prompts:/helpdesk/3: messages\[0\].content: '\{% if a %\}' is a block of Jinja",
    ):
        _ = jinja.prompt


@pytest.mark.slow
def test_edits_show_in_the_hash_whatever_the_tags_claim(home: Path) -> None:
    with open_registry(home, write=True) as shelf:
        shelf.create(content_of(FULL), "me")
        evil = '[{"role": "user", "content": "evil {{question}} {{n}}"}]'
        for tag, value in (
            (names.TEXT, evil),
            (names.VARIABLES, '{"question": {}, "n": {}}'),
            (names.SETTINGS, '{"temperature": 1}'),
            (names.FORMAT, '{"type": "string"}'),
        ):
            before = versions_in(shelf, "helpdesk")[0]
            tamper(home, 1, tag, value)
            after = versions_in(shelf, "helpdesk")[0]
            assert (after.edited, after.sha256 is not None, after.sha256 != before.sha256) == (
                True,
                True,
                True,
            ), tag
        tamper(home, 1, names.TEXT, "[{broken")
        assert versions_in(shelf, "helpdesk")[0].sha256 is None


@pytest.mark.slow
def test_a_model_of_the_same_name_is_in_the_way(home: Path) -> None:
    from llmops.tasks.tracking.store import opened, tracking_uri

    with opened(home, tracking_uri(home)) as client, open_registry(home, write=True) as shelf:
        client.create_registered_model("helpdesk")
        with pytest.raises(UsageError, match="a registered model is called 'helpdesk'"):
            shelf.create(content_of(prompt()), "me")
        client._get_registry_client().store.engine.dispose()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"messages": [{"role": "user", "content": "ü" * 17_000}]},
            "helpdesk: messages: 102,033 characters as JSON, MLflow's registry takes",
        ),
        ({"output": {"description": "x" * 100_001}}, "helpdesk: output: 100,0"),
        ({"description": "x" * 100_001}, "helpdesk: description"),
        ({"variables": {"question": {"description": "x" * 100_001}}}, "helpdesk: variables"),
        ({"model": {"stop": ["x" * 100_001]}}, "helpdesk: model"),
    ],
)
def test_what_the_registry_does_not_take_is_said_before(change: dict[str, Any], says: str) -> None:
    found = limits(content_of(Prompt.model_validate(prompt().model_dump() | change)), "")
    assert [str(one)[: len(says)] for one in found] == [says]


def test_a_message_may_be_too_long() -> None:
    assert [one.where for one in limits(content_of(prompt()), "x" * 5_001)] == ["helpdesk: message"]
    assert limits(content_of(prompt()), "x" * 5_000) == []


@pytest.mark.parametrize(
    "tags",
    [
        {names.TEXT: "x", names.VARIABLES: "{"},
        {names.TEXT: "x", names.SETTINGS: "[1]"},
        {names.TEXT: "[1]", names.KIND: "chat"},
        {},
        {
            names.TEXT: '[{"role": "user", "content": [{"type": "text", "text": "x"}]}]',
            names.KIND: "chat",
        },
        {names.TEXT: "{", names.KIND: "chat"},
        {names.TEXT: "x", names.FORMAT: '{"type": "objekt"}'},
        {names.TEXT: "x", names.SETTINGS: '{"top_k": "many"}'},
    ],
)
def test_a_version_that_is_no_prompt_of_ours_has_no_hash(tags: dict[str, str]) -> None:
    found = version(**tags)
    assert found.sha256 is None
    with pytest.raises(ConfigError, match="prompts:/p/3"):
        _ = found.prompt


def test_notes_of_moves_that_are_none_are_passed_over() -> None:
    good = {"id": "a", "prompt": "p", "alias": "champion"}
    held = version(
        **{
            f"{names.MOVE}a": json.dumps(good),
            f"{names.MOVE}b": "{",
            f"{names.MOVE}c": "[]",
            "llmops.who": "x",
        }
    )
    assert held.changes == [good]


@pytest.mark.slow
def test_a_store_that_refuses_is_unavailable(home: Path) -> None:
    with (
        pytest.raises(Unavailable, match="MLflow's prompt registry refused"),
        open_registry(home) as shelf,
    ):
        shelf.point("nobody", "champion", 1)


def test_a_home_that_cannot_be_locked_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "mlflow" / "prompts.lock").mkdir(parents=True)
    with (
        pytest.raises(
            Unavailable, match=r"prompts.lock: the folder cannot be written: .*LLMOPS_HOME"
        ),
        alone(tmp_path),
    ):
        pytest.fail("nobody holds this lock")
