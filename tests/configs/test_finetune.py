"""What the config of a finetune flow takes, and what it refuses."""

from pathlib import Path

import pytest

from llmops.configs import read_mapping
from llmops.configs.finetune import FinetuneConfig
from llmops.tasks.errors import ConfigError

COLLECT = [{"name": "jsonl", "path": "rows.jsonl"}]


def config(**given: object) -> FinetuneConfig:
    return read_mapping({"name": "helpdesk", "collect": COLLECT, **given}, FinetuneConfig)


def test_the_defaults_serve(tmp_path: Path) -> None:
    spec = config().finetune_spec(tmp_path, "run")
    assert (spec.scrub and spec.scrub.name, spec.dedup and spec.dedup.near) == ("patterns", 0.85)
    assert [each.name for each in spec.export] == ["trl_sft"]
    assert spec.datasets == tmp_path / "datasets" / "helpdesk"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"collect": []}, "at least 1"),
        ({"collect": ["nobody"]}, "nobody"),
        ({"collect": [{"name": "jsonl"}]}, "path"),
        ({"collect": COLLECT * 2}, "give each an id"),
        ({"export": ["trl_sft", "trl_sft"]}, "give each an id"),
        ({"export": ["parquet"]}, "allowed: alpaca"),
        ({"write": ["csv"]}, "'jsonl' or 'parquet'"),
        ({"dedup": {"near": 0.1}}, "greater than or equal to 0.5"),
        ({"split": {"by": "row"}}, "'group'"),
        ({"split": {"validation": 0.5, "test": 0.5}}, "nothing to train on"),
        ({"decontaminate": {"against": ["absent.jsonl"]}}, "absent.jsonl"),
        ({"check": {"most": 3}}, "unknown key 'most'"),
        ({"tokenizer": "gpt"}, "tokenizer.json"),
        ({"tokenizer": "absent.json"}, "absent.json"),
        ({"name": "Help Desk"}, "name"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**given)
    assert any(said in str(each) for each in caught.value.mistakes()), caught.value.mistakes()


def test_what_is_held_out_is_not_collected_from(tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    said = '{"id": "c", "inputs": {"question": "Q"}, "expected": {"answer": "A"}}\n'
    cases.write_text(said, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"stands under decontaminate\.against"):
        config(
            collect=[{"name": "cases", "path": "cases.jsonl"}],
            decontaminate={"against": ["cases.jsonl"]},
            folder=str(tmp_path),
        )


def test_expectations_have_to_be_of_rows_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text("documents: []\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no expectations of rows"):
        config(expectations="e.yaml", folder=str(tmp_path))
    file.write_text(
        "rows: [{type: expect_column_values_to_be_unique, column: id}]\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="all rows at once"):
        config(expectations="e.yaml", folder=str(tmp_path))


def test_what_never_existed_is_told_by_a_run() -> None:
    [mistake] = config().never_existed("f.yaml")
    assert "rows.jsonl" in mistake.message
    assert mistake.where == "f.yaml: collect[0]"


def test_only_what_changes_the_rows_changes_the_recipe(tmp_path: Path) -> None:
    recipes = [
        config(**given).finetune_spec(tmp_path, "r").config_sha256
        for given in (
            {},
            {"budget": {"usd": 1}},
            {"schedule": {"cron": "0 3 * * *"}},
            {"write": ["parquet"]},
        )
    ]
    assert recipes[0] == recipes[1] == recipes[2] != recipes[3]
