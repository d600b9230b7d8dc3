"""Every mistake that the config of an evaluation can hold: named with file and key path, all of
them at once.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.configs import check_all, read
from llmops.configs.evaluate import EvaluateConfig
from llmops.tasks.errors import ConfigError
from llmops.tasks.yaml_files import write_yaml

ARM = {"prompt": "short.yaml", "llm": {"name": "extractive"}}
CASE = {"id": "c1", "inputs": {"question": "How?"}, "expected": {"answer": "So."}}


def write(folder: Path, **keys: Any) -> Path:
    """A config that is right, with its files, but for `keys`."""
    for name in ("short", "long"):
        messages = [{"role": "user", "content": f"{name}: {{{{question}}}}"}]
        (folder / f"{name}.yaml").write_text(write_yaml({"name": "helpdesk", "messages": messages}))
    (folder / "cases.jsonl").write_text(json.dumps(CASE))
    content = {
        "flow": "evaluate",
        "name": "helpdesk",
        "cases": "cases.jsonl",
        "arms": {"baseline": ARM, "candidate": ARM | {"prompt": "long.yaml"}},
        "scorers": ["token_f1"],
        "decide": {"metric": "token_f1"},
    }
    file = folder / "evaluate.yaml"
    file.write_text(
        write_yaml(
            {key: value for key, value in (content | keys).items() if value != "GONE"},
        )
    )
    return file


def mistakes(file: Path, *changes: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(file, EvaluateConfig, changes)
    return [str(mistake) for mistake in caught.value.found]


def test_the_smallest_config_has_defaults_that_serve(tmp_path: Path) -> None:
    config = read(write(tmp_path), EvaluateConfig)
    assert (config.baseline, config.repeats, config.concurrency, config.budget.usd) == (
        "baseline",
        1,
        8,
        None,
    )
    assert (
        config.decide.rule,
        config.decide.alpha,
        config.decide.max_error_rate,
        config.decide.bar,
    ) == ("better", 0.05, 0.02, 0.0)
    assert check_all([tmp_path / "evaluate.yaml"]) == [str(tmp_path / "evaluate.yaml")]


@pytest.mark.parametrize(
    ("keys", "where", "says"),
    [
        ({"scorer": []}, "scorer", "did you mean scorers?"),
        ({"name": "Help Desk"}, "name", "pattern"),
        ({"cases": "gone.jsonl"}, "cases", "no such file"),
        ({"cases": "GONE"}, "cases", "is missing"),
        ({"arms": {"baseline": ARM}}, "", "2 to 50 arms are wanted"),
        (
            {"arms": {"baseline": ARM, "b": ARM | {"prompt": "gone.yaml"}}},
            "arms.b.prompt",
            "no such file",
        ),
        (
            {"arms": {"baseline": ARM, "b": ARM | {"llm": "opanai"}}},
            "arms.b.llm",
            "did you mean openai?",
        ),
        (
            {"arms": {"baseline": ARM, "b": ARM | {"llm": {"name": "openai"}}}},
            "arms.b.llm.model",
            "is missing",
        ),
        (
            {
                "arms": {
                    "baseline": ARM,
                    "b": ARM
                    | {"llm": {"name": "openai", "model": "m", "api_key": "${NO_SUCH_KEY}"}},
                }
            },
            "arms.b.llm",
            "NO_SUCH_KEY is not set",
        ),
        (
            {"arms": {"baseline": ARM, "b": ARM | {"retrieve": {"k": 3}}}},
            "arms.b.retrieve.knowledge_base",
            "is missing",
        ),
        (
            {"arms": {"baseline": ARM, "b": ARM | {"retriev": {}}}},
            "arms.b.retriev",
            "did you mean retrieve?",
        ),
        ({"scorers": ["token_f2"]}, "scorers[0]", "did you mean token_f1?"),
        ({"scorers": ["token_f1", "token_f1"]}, "", "two scorers are called token_f1"),
        ({"scorers": []}, "scorers", "at least 1"),
        ({"decide": {"metric": "rouge"}}, "", "which no scorer gives; allowed: token_f1"),
        (
            {"decide": {"metric": "token_f1", "not_worse": {"speed": 0.1}}},
            "",
            "'speed', which no scorer gives",
        ),
        ({"decide": {"metric": "token_f1", "rule": "not_worse"}}, "decide", "needs `margin`"),
        (
            {"decide": {"metric": "token_f1", "margin": 0.1}},
            "decide",
            "belongs to the rule not_worse",
        ),
        ({"decide": {"metric": "token_f1", "alpha": 0}}, "decide.alpha", "greater than 0, got 0"),
        (
            {"decide": {"metric": "token_f1", "rule": "best"}},
            "decide.rule",
            "'better' or 'not_worse'",
        ),
        ({"budget": {"usd": 0}}, "budget.usd", "greater than 0, got 0"),
        ({"budget": {"calls": 0}}, "budget.calls", "greater than 0, got 0"),
        ({"repeats": 0}, "repeats", "greater than or equal to 1"),
        ({"promote": {"alias": "champion"}}, "promote.prompt", "is missing"),
        ({"prices": "gone.yaml"}, "prices", "no such file"),
        ({"flow": "index"}, "flow", "wanted: evaluate"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, keys: dict[str, Any], where: str, says: str
) -> None:
    found = mistakes(write(tmp_path, **keys))
    assert any(
        one.startswith(f"{tmp_path / 'evaluate.yaml'}: {where}") and says in one for one in found
    ), found


def test_latency_cost_and_retrieval_need_no_scorer(tmp_path: Path) -> None:
    rule = {
        "metric": "token_f1",
        "not_worse": {"latency": 0.2, "cost": 0, "retrieval.recall@5": 0.1},
    }
    config = read(write(tmp_path, decide=rule), EvaluateConfig)
    assert list(config.decide.not_worse) == ["latency", "cost", "retrieval.recall@5"]


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    found = mistakes(
        write(
            tmp_path,
            scorers=["tokn_f1", {"name": "rouge", "varient": 1}],
            repeats=0,
            budget={"usd": -1},
        )
    )
    assert len(found) >= 4


def test_wrong_cases_and_wrong_prompts_are_found_with_the_config(tmp_path: Path) -> None:
    file = write(tmp_path)
    (tmp_path / "cases.jsonl").write_text(f"{json.dumps(CASE)}\n{json.dumps(CASE)}")
    (tmp_path / "long.yaml").write_text("name: helpdesk\nmesages: []\n")
    found = mistakes(file)
    assert any("the id 'c1' stands here and in line 1" in one for one in found)
    assert any("long.yaml" in one and "mesages" in one for one in found)


def test_a_grid_adds_every_combination_once(tmp_path: Path) -> None:
    grid = {
        "prompt": ["short.yaml", "long.yaml"],
        "llm": ["extractive", {"name": "extractive", "sentences": 1}],
    }
    config = read(write(tmp_path, arms={"baseline": ARM}, grid=grid), EvaluateConfig)
    assert list(config.arm_specs()) == [
        "baseline",
        "short · extractive sentences=1",
        "long · extractive",
        "long · extractive sentences=1",
    ]
    assert len({wish.model_dump_json() for wish in config.arm_specs().values()}) == 4


def test_a_grid_is_checked_like_the_arms(tmp_path: Path) -> None:
    grid = {"prompt": ["short.yaml", "gone.yaml"], "llm": ["extractiv"]}
    found = mistakes(write(tmp_path, arms={"baseline": ARM}, grid=grid))
    assert any("grid.llm[0]" in one and "did you mean extractive?" in one for one in found)


def test_secrets_stay_out_of_what_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret")
    llm = {"name": "openai", "model": "m", "api_key": "${SOME_KEY}"}
    config = read(write(tmp_path, arms={"baseline": ARM, "b": ARM | {"llm": llm}}), EvaluateConfig)
    assert "sk-secret" not in json.dumps(config.recorded())
    assert config.recorded()["config"]["arms"]["b"]["llm"] == llm


def test_keys_are_overridden_on_the_command_line(tmp_path: Path) -> None:
    config = read(
        write(tmp_path),
        EvaluateConfig,
        ["decide.alpha=0.01", "arms.candidate.llm=extractive", "repeats=3"],
    )
    assert (config.decide.alpha, config.repeats) == (0.01, 3)


def test_rerankers_of_arms_and_grids_are_checked(tmp_path: Path) -> None:
    retrieve = {"knowledge_base": "docs", "rerank": {"name": "overlap", "candidates": 0}}
    arms = {"baseline": ARM, "candidate": ARM | {"retrieve": retrieve}}
    grid = {"retrieve": [{"knowledge_base": "docs", "rerank": "overlab"}]}
    first, second = mistakes(write(tmp_path, arms=arms, grid=grid))
    assert "arms.candidate.retrieve.rerank.candidates" in first
    assert "grid.retrieve[0].rerank" in second
    assert "did you mean overlap" in second
    plain = {"knowledge_base": "docs", "rerank": None}
    read(write(tmp_path, grid={"retrieve": [plain]}), EvaluateConfig)
