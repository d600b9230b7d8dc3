"""A secret that stands in a config is used, and named nowhere."""

import os
from pathlib import Path
from typing import Any

import pytest

from llmops.configs import read
from llmops.configs.index import IndexConfig
from llmops.configs.settings import hidden
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
