"""`llmops evaluate` as a user runs it: verdicts and exit codes, records that verify, aliases that
move with them alone.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import Office, llmops
from tests.evaluations import Bench, reply
from tests.openai_server import Service, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def model() -> Iterator[Service]:
    with serving(reply) as service:
        yield service


@pytest.fixture
def bench(office: Office, model: Service) -> Bench:
    return Bench(office, model.base_url)


@pytest.mark.parametrize(
    ("candidate", "verdict", "code"),
    [("better", "promote", 0), ("worse", "reject", 3), ("same", "inconclusive", 5)],
)
def test_the_verdict_is_the_exit_code_and_its_record_verifies(
    bench: Bench, candidate: str, verdict: str, code: int
) -> None:
    answer = bench.evaluate(candidate=f"{candidate}.yaml")
    assert answer.code == code, answer.err + answer.out
    found = answer.data
    assert (found["verdict"], found["n"], found["metric"]) == (verdict, 60, "exact_match")
    low, high = found["interval"]
    assert low <= found["difference"] <= high
    assert {"promote": low > 0, "reject": high < 0, "inconclusive": low <= 0 <= high}[verdict]
    for arm in found["arms"].values():
        assert (arm["attempted"], arm["answered"], arm["scored"], arm["errored"]) == (60, 60, 60, 0)
    assert llmops("decision", "verify", found["record"], "--json").data["ok"]
    assert Path(found["record"]).is_file()
    assert found["mlflow_run_id"]
    assert found["prefect_run_id"]


def test_the_same_again_pays_nothing(bench: Bench, model: Service) -> None:
    bench.evaluate()
    paid = len(model.requests)
    again = bench.evaluate().data
    assert paid == 120
    assert len(model.requests) == paid
    assert [(arm["calls"], arm["cached"]) for arm in again["arms"].values()] == [(0, 60), (0, 60)]
    assert again["spent"]["cost_usd"] == 0
    assert again["verdict"] == "promote"


def test_identical_arms_are_inconclusive_and_paid_once(bench: Bench, model: Service) -> None:
    answer = bench.evaluate(candidate="plain.yaml")
    assert (answer.code, answer.data["verdict"], answer.data["difference"]) == (
        5,
        "inconclusive",
        0,
    )
    assert len(model.requests) == 60


def test_the_alias_moves_with_a_passing_record_and_back_with_one_command(bench: Bench) -> None:
    assert llmops("prompts", "push", bench.folder / "plain.yaml", "--json").code == 0
    assert llmops("prompts", "promote", bench.name, "--version", "1", "--first", "--json").code == 0
    arms = {
        "baseline": bench.arm(f"prompts:/{bench.name}@champion"),
        "candidate": bench.arm("better.yaml"),
    }
    answer = bench.evaluate(arms=arms, promote={"prompt": bench.name})
    assert answer.code == 0, answer.err + answer.out
    assert answer.data["promoted"]["version"] == 2
    assert (
        f'@champion": {2}' in json.dumps(answer.data["promoted"])
        or answer.data["promoted"]["version"] == 2
    )
    moves = llmops("prompts", "history", bench.name, "--json").data["moves"]
    assert [(move["to"], move["kind"]) for move in moves if move["alias"] == "champion"] in (
        [(1, "first"), (2, "promote")],
        [(2, "promote"), (1, "first")],
    )
    assert llmops("prompts", "rollback", bench.name, "--json").data["version"] == 1


def test_only_what_wins_goes_into_the_registry(bench: Bench) -> None:
    llmops("prompts", "push", bench.folder / "plain.yaml")
    llmops("prompts", "promote", bench.name, "--version", "1", "--first")
    champion = {"baseline": bench.arm(f"prompts:/{bench.name}@champion")}
    bench.evaluate(
        arms=champion | {"candidate": bench.arm("worse.yaml")}, promote={"prompt": bench.name}
    )
    assert len(llmops("prompts", "history", bench.name, "--json").data["versions"]) == 1
    ci = llmops(
        "evaluate",
        bench.config(
            arms=champion | {"candidate": bench.arm("better.yaml")}, promote={"prompt": bench.name}
        ),
        "--ci",
    )
    assert ci.code == 0, ci.err
    assert "champion is now version 2" in ci.out
    again = bench.evaluate(
        arms=champion | {"candidate": bench.arm("better.yaml")}, promote={"prompt": bench.name}
    )
    assert (again.code, again.data["verdict"]) == (5, "inconclusive")
    assert "there is nothing to compare" in str(again.data["warnings"])
    assert [
        move["to"] for move in llmops("prompts", "history", bench.name, "--json").data["moves"]
    ] == [1, 2]


def test_a_worse_candidate_leaves_the_alias_where_it_is(bench: Bench) -> None:
    llmops("prompts", "push", bench.folder / "plain.yaml")
    llmops("prompts", "promote", bench.name, "--version", "1", "--first")
    arms = {
        "baseline": bench.arm(f"prompts:/{bench.name}@champion"),
        "candidate": bench.arm("worse.yaml"),
    }
    assert bench.evaluate(arms=arms, promote={"prompt": bench.name}).code == 3
    assert llmops("prompts", "show", f"{bench.name}@champion", "--json").data["version"] == 1


def test_a_model_that_fails_too_often_lets_nobody_decide(bench: Bench, model: Service) -> None:
    from tests.openai_server import Answer

    usual = model.answer

    def answer_or_refuse(path: str, body: dict[str, Any], key: str) -> tuple[Answer, bool]:
        asked = json.dumps(body)
        return (
            (Answer(400), False)
            if "question 1" in asked and "better" in asked
            else usual(path, body, key)
        )

    model.answer = answer_or_refuse  # type: ignore[method-assign, assignment]
    answer = bench.evaluate()
    assert (answer.code, answer.data["verdict"]) == (4, "inconclusive"), answer.out
    candidate = answer.data["arms"]["candidate"]
    assert candidate["errored"] == 11
    assert candidate["answered"] == 49
    assert "max_error_rate" in answer.data["reason"] or "failed" in answer.data["reason"]


def test_a_budget_ends_the_run_before_it_is_passed(bench: Bench, model: Service) -> None:
    answer = bench.evaluate(budget={"calls": 50})
    assert answer.code == 5
    assert len(model.requests) <= 50
    assert answer.data["stopped"]
    assert "budget" in answer.data["reason"]
    assert answer.data["spent"]["calls"] <= 50


def test_an_easy_decision_stops_early_and_pays_less(office: Office, model: Service) -> None:
    bench = Bench(office, model.base_url, cases=600)
    answer = bench.evaluate(decide={"metric": "exact_match", "stop_early": True})
    assert (answer.code, answer.data["verdict"]) == (0, "promote"), answer.err + answer.out
    assert answer.data["cases"]["used"] < 600
    assert len(model.requests) < 1200
    assert llmops("decision", "verify", answer.data["record"]).code == 0


def test_a_grid_compares_every_arm_with_the_champion(bench: Bench) -> None:
    answer = bench.evaluate(
        arms={"baseline": bench.arm("plain.yaml")},
        grid={"prompt": ["better.yaml", "worse.yaml", "same.yaml"]},
    )
    assert answer.code == 0, answer.err + answer.out
    found = answer.data
    assert found["candidate"] == "better"
    assert set(found["comparisons"]) == {"better", "worse", "same"}
    assert found["comparisons"]["worse"]["verdict"] == "reject"
    assert found["comparisons"]["same"]["verdict"] == "inconclusive"
    assert all(
        one["adjusted_p"] >= one["metrics"]["exact_match"]["p_value"]
        for one in found["comparisons"].values()
    )


def test_ci_prints_markdown_and_writes_junit(bench: Bench) -> None:
    from xml.etree import ElementTree

    answer = llmops(
        "evaluate",
        bench.config("worse.yaml"),
        "--ci",
        "--junit",
        bench.folder / "out" / "junit.xml",
    )
    assert answer.code == 3
    assert answer.out.lstrip().startswith("#")
    assert "reject" in answer.out.lower()
    assert "| " in answer.out
    suite = ElementTree.parse(bench.folder / "out" / "junit.xml").getroot()
    assert suite.tag in ("testsuites", "testsuite")
    assert suite.findall(".//failure")


def test_a_plan_asks_nothing(bench: Bench, model: Service) -> None:
    found = bench.evaluate("--plan").data
    assert not model.requests
    assert [(row["name"], row["calls"], row["remembered"]) for row in found["calls"]] == [
        ("baseline", 60, 0),
        ("candidate", 60, 0),
    ]
    bench.evaluate()
    assert [row["remembered"] for row in bench.evaluate("--plan").data["calls"]] == [60, 60]


def test_people_read_the_verdict_first(bench: Bench) -> None:
    said = llmops("evaluate", bench.config()).out
    assert said.startswith(f"{bench.name}: promote")
    assert "exact_match" in said
    assert "mlflow" in said
