"""A service whose fine-tuned models know more or less than their base, and a training with a gate
on it.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fine_tuning_server import FineTuningStandIn
from tests.llm_faults import Body
from tests.openai_server import running

CASES = 40
PROMPT = "name: helpdesk\nmessages: [{role: user, content: '{{question}}'}]\n"


class Tutor(FineTuningStandIn):
    """`knows`: how many of ten questions a model answers rightly, by its name; `losses`: on the
    validation split, by what a job was asked for; `endless`: the number of a job without an end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.knows: dict[str, int] = {}
        self.losses: dict[str, float] = {}
        self.endless = 0

    def _completion(self, body: Body) -> Body:
        number = int(re.findall(r"\d+", body["messages"][-1]["content"])[-1])
        right = number % 10 < self.knows.get(body["model"], 5)
        self.reply = lambda _: answer(number) if right else "Nobody knows."
        return super()._completion(body)

    def _events(self, job: Body) -> list[Body]:  # type: ignore[override]
        told = FineTuningStandIn._events(job)
        for event in told:
            if event["type"] == "metrics":
                event["data"]["valid_loss"] = self.loss(job)
        return told

    def _further(self, job: Body) -> None:
        if job["id"] == f"ftjob-{self.endless - 1}":
            job["step"] += 1
            return
        super()._further(job)

    def loss(self, job: Body) -> float:
        given = job["method"]["supervised"]["hyperparameters"]
        return self.losses.get(f"{given.get('learning_rate_multiplier')}/{job['seed']}", 1.0)


@contextmanager
def tutor() -> Iterator[Tutor]:
    """On a free port of this machine."""
    service = Tutor()
    with running(service):
        yield service


def answer(number: int) -> str:
    return f"The lamp of house {number} is lit."


def case(number: int) -> dict[str, Any]:
    question = f"Which lamp is lit in house {number}?"
    expected = {"answer": answer(number)}
    return {"id": f"c{number}", "inputs": {"question": question}, "expected": expected}


def config(folder: Path, service: Tutor, name: str = "helpdesk", **train: Any) -> dict[str, Any]:
    """A training of the data set `helpdesk`, with a gate; its files are written."""
    lines = [json.dumps(case(number)) for number in range(CASES)]
    (folder / "cases.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "p.yaml").write_text(PROMPT)
    gate = {"cases": "cases.jsonl", "prompt": "p.yaml", "llm": {"retries": 0}}
    given = {"name": "openai", "dataset": "helpdesk", "model": "base-1", "every": 0.01}
    given |= {"base_url": service.base_url, "price_per_million": 5.0, "gate": gate}
    return {"flow": "train", "name": name, "train": {**given, **train}}
