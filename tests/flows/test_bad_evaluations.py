"""Bad input of an evaluation: each with its message and exit code, before any call is paid."""

import json
from collections.abc import Iterator

import pytest

from tests.commandline import Office, llmops, refused
from tests.evaluations import Bench, reply
from tests.openai_server import Service, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def model() -> Iterator[Service]:
    with serving(reply) as service:
        yield service


@pytest.fixture
def bench(office: Office, model: Service) -> Bench:
    return Bench(office, model.base_url, cases=20)


def rows(bench: Bench) -> list[dict[str, object]]:
    return [json.loads(line) for line in (bench.folder / "cases.jsonl").read_text().splitlines()]


def test_duplicate_ids(bench: Bench, model: Service) -> None:
    bench.cases([*rows(bench), rows(bench)[0]])
    refused(2, "the id 'c0' stands here and in line 1", "evaluate", bench.config())
    assert not model.requests


def test_a_missing_variable(bench: Bench, model: Service) -> None:
    bench.prompt("better", "style: better {{question}} {{product}}")
    refused(2, "arms.candidate: cases c0, c1, .* missing product", "evaluate", bench.config())
    assert not model.requests


def test_passages_that_nothing_gives(bench: Bench, model: Service) -> None:
    bench.prompt("better", "style: better {{passages}} {{question}}")
    refused(2, "nothing is retrieved", "evaluate", bench.config())
    assert not model.requests


def test_an_expected_field_that_a_scorer_needs(bench: Bench, model: Service) -> None:
    bench.cases([{**row, "expected": {}} if row["id"] == "c3" else row for row in rows(bench)])
    refused(2, "scorers: exact_match: cases c3", "evaluate", bench.config())
    assert not model.requests
    optional = bench.evaluate(scorers=[{"name": "exact_match", "optional": True}])
    assert optional.data["n"] == 19
    assert optional.data["arms"]["candidate"]["answered"] == 20


def test_an_unknown_model(bench: Bench, model: Service) -> None:
    from tests.openai_server import Answer

    refusal = Answer(
        404,
        b'{"error": {"message": "The model `loacl` does not exist", "code": "model_not_found"}}',
    )
    model.script = [refusal, refusal]
    refused(1, "does not exist", "evaluate", bench.config())
    assert len(model.requests) == 2  # one for each of the two commands


def test_a_wrong_key_is_found_by_the_first_call(bench: Bench, model: Service) -> None:
    model.key = "sk-right"
    arms = {
        name: bench.arm(f"{prompt}.yaml", api_key="sk-wrong-and-secret")
        for name, prompt in (("baseline", "plain"), ("b", "better"))
    }
    answer = bench.evaluate(arms=arms)
    assert answer.code == 1, answer.out
    assert "api_key" in answer.mistake["hint"]
    assert len(model.requests) <= 1
    assert "sk-wrong-and-secret" not in answer.out + answer.err


@pytest.mark.parametrize("budget", [{"usd": 0}, {"calls": 0}, {"calls": -1}])
def test_a_budget_of_nothing(bench: Bench, model: Service, budget: dict[str, int]) -> None:
    refused(2, "budget.*greater than 0", "evaluate", bench.config(budget=budget))
    assert not model.requests


def test_a_budget_in_dollars_with_a_model_of_unknown_price(bench: Bench, model: Service) -> None:
    arms = {
        name: bench.arm(f"{prompt}.yaml", price_in=None, price_out=None)
        for name, prompt in (("baseline", "plain"), ("b", "better"))
    }
    refused(
        2,
        "the price of the model is not known",
        "evaluate",
        bench.config(arms=arms, budget={"usd": 1}),
    )
    assert not model.requests


def test_two_models_of_one_name_at_two_addresses(bench: Bench, model: Service) -> None:
    arms = {
        "baseline": bench.arm("plain.yaml"),
        "b": bench.arm("better.yaml", base_url="http://127.0.0.1:9/v1"),
    }
    refused(
        2,
        "arms.b: the model 'local' with the same parameters stands in arms.baseline too",
        "evaluate",
        bench.config(arms=arms),
    )
    assert not model.requests
    arms["b"]["llm"]["label"] = "other"
    assert llmops("evaluate", bench.config(arms=arms), "--plan").code == 0


def test_cases_that_changed_since_the_baseline_was_recorded(bench: Bench, model: Service) -> None:
    bench.evaluate()
    paid = len(model.requests)
    bench.cases(
        [
            {**row, "expected": {"answer": "another"}} if row["id"] in ("c3", "c7") else row
            for row in rows(bench)
        ]
    )
    refused(
        3,
        "2 cases say something else than at the last decision .* c3, c7",
        "evaluate",
        bench.config(),
    )
    assert len(model.requests) == paid
    assert llmops("evaluate", bench.config(), "--accept-cases", "--json").code in (0, 3, 5)


def test_new_and_removed_cases_are_no_change(bench: Bench) -> None:
    bench.evaluate()
    bench.cases(
        [
            *rows(bench)[3:],
            {
                "id": "new",
                "inputs": {"question": "question 99"},
                "expected": {"answer": "answer 99"},
            },
        ]
    )
    assert bench.evaluate().code in (0, 5)


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("prompts:/no-such-prompt@champion", "no-such-prompt"),
        ("prompts:/bad name", "prompts:/"),
        ("gone.yaml", "no such file"),
    ],
)
def test_a_prompt_that_is_not_there(bench: Bench, model: Service, prompt: str, says: str) -> None:
    refused(2, says, "evaluate", bench.config(prompt))
    assert not model.requests


def test_a_knowledge_base_that_is_not_there(bench: Bench, model: Service) -> None:
    arm = {**bench.arm("better.yaml"), "retrieve": {"knowledge_base": "nowhere"}}
    refused(
        2,
        "no knowledge base 'nowhere'",
        "evaluate",
        bench.config(arms={"baseline": bench.arm("plain.yaml"), "b": arm}),
    )
    assert not model.requests


def test_an_alias_of_another_prompt(bench: Bench, model: Service) -> None:
    refused(
        2,
        "promote.prompt is 'other', but the prompt of this arm is called",
        "evaluate",
        bench.config(promote={"prompt": "other"}),
    )
    assert not model.requests


def test_an_alias_that_is_misspelt(bench: Bench, model: Service) -> None:
    llmops("prompts", "push", bench.folder / "plain.yaml")
    llmops("prompts", "promote", bench.name, "--version", "1", "--first")
    arms = {"baseline": bench.arm(f"prompts:/{bench.name}@champoin"), "b": bench.arm("better.yaml")}
    refused(2, "did you mean champion", "evaluate", bench.config(arms=arms))
    assert not model.requests


def test_a_junit_file_that_cannot_be_written(bench: Bench, model: Service) -> None:
    refused(2, "--junit: .* cannot be written", "evaluate", bench.config(), "--junit", bench.folder)
    assert not model.requests


def test_a_config_of_another_flow(bench: Bench) -> None:
    refused(2, "llmops evaluate runs it", "index", bench.config())


def test_a_key_that_stands_in_the_config_is_found_nowhere(bench: Bench, model: Service) -> None:
    from tests.maintenance.haystack import places

    model.key = "sk-literally-in-the-config"
    arms = {
        name: bench.arm(f"{prompt}.yaml", api_key=model.key)
        for name, prompt in (("baseline", "plain"), ("b", "better"))
    }
    answer = bench.evaluate(arms=arms)
    assert answer.code in (0, 5), answer.err
    assert model.key not in answer.out + answer.err
    assert places(bench.home, model.key) == []
