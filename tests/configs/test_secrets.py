"""A secret that stands in a config is used, and named nowhere."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from llmops.configs import read
from llmops.configs.alerts import AlertsConfig
from llmops.configs.index import IndexConfig
from llmops.configs.mistakes import SECRET_NAME, explain
from llmops.configs.reading import read_mapping
from llmops.configs.settings import hidden
from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins import FAMILIES, Plugin, find, names
from tests.configs.test_read import write


def test_every_secret_is_replaced_by_a_name_that_leads_to_it() -> None:
    given: dict[str, Any] = {
        "arms": {"a": {"llm": {"name": "openai", "api_key": "sk-very-secret", "model": "token"}}},
        "sources": [{"password": "pw"}],
    }
    found = hidden(given)
    names = [found["arms"]["a"]["llm"]["api_key"], found["sources"][0]["password"]]
    assert [os.environ[name[2:-1]] for name in names] == ["sk-very-secret", "pw"]
    assert found["arms"]["a"]["llm"]["model"] == "token"
    assert "secret" not in str(found).replace("LLMOPS_SECRET", "")


@pytest.mark.parametrize("value", ["${OPENAI_API_KEY}", "", "Bearer ${TOKEN}"])
def test_what_names_a_secret_stays_as_it_is(value: str) -> None:
    assert hidden({"api_key": value}) == {"api_key": value}


def test_a_config_records_no_secret_but_uses_it(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        embed={"name": "openai", "model": "m", "dimensions": 8, "api_key": "sk-very-secret"},
    )
    config = read(file, IndexConfig)
    assert "sk-very-secret" not in str(config.recorded())
    from llmops.tasks.plugins.embedders import Embedder

    built = config.embed.build(Embedder)
    assert built.api_key.get_secret_value() == "sk-very-secret"  # type: ignore[attr-defined]


KEPT = "hunter2-which-nobody-may-read"
WRONG = ([KEPT], {"value": KEPT}, [[KEPT]], {"a": [KEPT]}, {"a": {"b": KEPT}})
EVERY = [(family, name) for family in FAMILIES for name in names(family)]


def secret_options() -> Iterator[tuple[type[Plugin], str]]:
    """Each option of a plugin that is a secret by its type or its name."""
    for family, name in EVERY:
        with suppress(ConfigError):  # its library is not installed
            plugin = find(family, name)
            for option, field in plugin.model_fields.items():
                if "Secret" in str(field.annotation) or SECRET_NAME.search(option):
                    yield plugin, option


def test_no_mistake_in_an_option_repeats_a_secret() -> None:
    told = [
        (plugin, option, " ".join(map(str, explain(error, plugin, "x.yaml: "))), str(error))
        for plugin, option in secret_options()
        for value in WRONG
        if (error := refused(plugin, {option: value})) is not None
    ]
    assert [each for each in told if KEPT in each[2] + each[3]] == []
    assert sum("not shown" in said for _, _, said, _ in told) > 30


def refused(plugin: type[Plugin], options: dict[str, object]) -> ValidationError | None:
    try:
        plugin.model_validate(options)
    except ValidationError as error:
        return error
    return None


def test_a_secret_of_the_wrong_kind_is_told_by_its_kind_or_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOOK", "no-address-but-" + KEPT)
    for url, said in (
        ([KEPT], "got a list, which is not shown"),
        ("https://", "got ${LLMOPS_SECRET_"),
        ("${HOOK}", "got ${HOOK}"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_mapping(
                {"flow": "alerts", "senders": [{"name": "webhook", "url": url}]}, AlertsConfig
            )
        (mistake,) = caught.value.mistakes()
        assert said in str(mistake)
        assert KEPT not in str(mistake)


def test_a_number_called_tokens_is_no_secret() -> None:
    class Options(BaseModel):
        max_tokens: int
        key: int

    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"max_tokens": "many", "key": "name"})
    assert [str(each).partition("got ")[2] for each in explain(caught.value, Options, "x: ")] == [
        "'many'",
        "'name'",
    ]
