"""`llmops evaluate CONFIG --calibrate`, as a user meets it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.yaml_files import write_yaml
from tests.commandline import Office, llmops, refused
from tests.evaluation.calibrations import Body, says
from tests.evaluations import Bench, reply
from tests.openai_server import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(says) as found:
        yield found


def config(folder: Path, service: Service, right: int, **judge: object) -> Path:
    """A config with a judge and sixty labels, of which the judge gets so many right."""
    llm = {"name": "openai", "model": "local", "base_url": service.base_url}
    scorer = {
        "name": "judge",
        "rubric": "Be right.",
        "scale": "binary",
        "labels": "labels.jsonl",
        "floor": 0.6,
        "llm": llm,
        **judge,
    }
    (folder / "prompt.yaml").write_text(
        write_yaml({"name": "p", "messages": [{"role": "user", "content": "{{question}}"}]})
    )
    (folder / "cases.jsonl").write_text(json.dumps({"id": "c", "inputs": {"question": "q"}}))
    labels = [
        {
            "id": f"l{n}",
            "question": "q",
            "answer": f"{n} judge={n % 2}",
            "label": (n + int(n >= right)) % 2,
        }
        for n in range(60)
    ]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)))
    arms = {
        "baseline": {"prompt": "prompt.yaml", "llm": llm},
        "candidate": {"prompt": "prompt.yaml", "llm": llm | {"model": "other"}},
    }
    file = folder / "evaluate.yaml"
    file.write_text(
        write_yaml(
            {
                "flow": "evaluate",
                "name": "try",
                "cases": "cases.jsonl",
                "arms": arms,
                "scorers": [scorer],
                "decide": {"metric": "judge"},
            }
        )
    )
    return file


@pytest.mark.slow
def test_a_judge_that_agrees_ends_with_0_and_one_that_does_not_with_5(
    tmp_path: Path, service: Service
) -> None:
    good = llmops("evaluate", config(tmp_path, service, 58), "--calibrate", "--json")
    assert good.code == 0, good.err
    judge = good.data["judges"]["judge"]
    assert (judge["n"], judge["trusted"], judge["floor"], judge["kappa"]) == (
        60,
        True,
        0.6,
        pytest.approx(1 - 4 / 60, abs=0.001),
    )
    poor = llmops("evaluate", config(tmp_path, service, 45), "--calibrate", "--json")
    assert poor.code == 5
    assert poor.data["judges"]["judge"]["trusted"] is False
    assert "does not reach its floor of 0.6" in poor.data["reason"]
    assert (
        len(service.requests) == 60
    )  # the answers are the same, their labels are not: nothing is asked again
    assert "no" in llmops("evaluate", tmp_path / "evaluate.yaml", "--calibrate").out


@pytest.mark.slow
def test_mistakes_end_with_2_before_anything_is_asked(tmp_path: Path, service: Service) -> None:
    file = config(tmp_path, service, 60)
    (tmp_path / "labels.jsonl").write_text(
        '{"id": "l0", "question": "q", "answer": "judge=1", "label": 3}'
    )
    refused(
        2,
        r"labels of judge: .*labels\.jsonl:1: the grade must be one of 0, 1; got '3'",
        "evaluate",
        file,
        "--calibrate",
    )
    refused(
        2,
        "no judge of this config has labels",
        "evaluate",
        config(tmp_path, service, 60, labels=None, floor=None),
        "--calibrate",
    )
    refused(
        2,
        "`floor` needs `labels`",
        "evaluate",
        config(tmp_path, service, 60, labels=None),
        "--calibrate",
    )
    assert not service.requests


def of_both(messages: list[Body]) -> str:
    """The arms' model, and a judge that knows a right answer by its words."""
    if "You grade" not in messages[0]["content"]:
        return reply(messages)
    right = re.search(r" answer]\nanswer \d+\n", messages[-1]["content"]) is not None
    return json.dumps({"reason": "because", "grade": str(int(right))})


@pytest.mark.slow
def test_a_judge_decides_when_it_is_shown_to_agree_with_people_and_no_sooner(
    office: Office,
) -> None:
    with serving(of_both) as service:
        bench = Bench(office, service.base_url)
        llm = {"name": "openai", "model": "judge", "base_url": service.base_url}
        judge = {
            "name": "judge",
            "id": "right",
            "rubric": "Right.",
            "scale": "binary",
            "labels": "labels.jsonl",
            "floor": 0.6,
            "llm": llm,
        }
        labels = [
            {
                "id": f"l{n}",
                "question": "q",
                "answer": f"answer {n}" if n % 2 else "no",
                "label": n % 2,
            }
            for n in range(60)
        ]
        (bench.folder / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)))
        keys: dict[str, Any] = {"scorers": [judge], "decide": {"metric": "right"}}
        before = bench.evaluate(**keys)
        assert (before.code, before.data["verdict"]) == (5, "inconclusive"), before.err
        assert "never been compared with people" in before.data["reason"]
        assert llmops("evaluate", bench.config(**keys), "--calibrate").code == 0
        paid = len(service.requests)
        after = bench.evaluate(**keys)
        assert (after.code, after.data["verdict"], len(service.requests)) == (0, "promote", paid), (
            after.err
        )
        assert llmops("decision", "verify", after.data["record"]).code == 0
        (bench.folder / "labels.jsonl").write_text(json.dumps(labels[0]))
        changed = bench.evaluate(**keys)
        assert (changed.code, len(service.requests)) == (5, paid)
        assert "have changed" in changed.data["reason"]
