"""What the tests of calibrations share: labels, and a judge whose grades stand in the answers."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmops.tasks.evaluation.calibration import calibrate
from llmops.tasks.evaluation.run import EvaluationSpec
from llmops.tasks.plugins import Spec
from tests.evaluation.runs import model
from tests.openai_server import Service

PRICES = Path(__file__).parent.parent.parent / "configs" / "prices.yaml"
Body = dict[str, Any]


def says(messages: list[Body]) -> str | Body:
    """The grade stands in the answer as `judge=4`; of two answers the one with the higher number is
    better, with `first` the first.
    """
    text = messages[1]["content"]
    numbers = re.findall(r"judge=(\w+)", text)
    if "first answer" in text:
        better = (
            "first"
            if "first" in numbers or numbers[0] > numbers[1]
            else "second"
            if numbers[0] < numbers[1]
            else "tie"
        )
        return json.dumps({"reason": "because", "better": better})
    return {
        "role": "assistant",
        "content": json.dumps({"reason": "because", "grade": numbers[0]})
        if numbers[0] != "mute"
        else "no",
    }


class Office:
    """A config's folder with labels in it, and a judge that a change may touch."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.home, self.folder, self.service = folder / "home", folder / "config", service
        self.folder.mkdir()

    def labels(self, rows: Sequence[Body], name: str = "labels.jsonl") -> None:
        lines = [
            json.dumps({"id": f"l{number}", "question": "How?", **row})
            for number, row in enumerate(rows)
        ]
        (self.folder / name).write_text("\n".join(lines))

    def judge(self, name: str = "judge", llm: Body | None = None, **options: Any) -> Spec:
        found = {
            "llm": {**model(self.service.base_url).short(), **(llm or {})},
            "rubric": "Be right.",
            "labels": "labels.jsonl",
            **options,
        }
        return Spec(name=name, options=found)

    def spec(self, *scorers: Spec, **changes: Any) -> EvaluationSpec:
        return EvaluationSpec.model_validate(
            {
                "name": "try",
                "folder": self.folder,
                "cases": Path("none.jsonl"),
                "arms": {},
                "baseline": "",
                "scorers": scorers,
                "prices": PRICES,
                **changes,
            }
        )

    def calibrate(self, *scorers: Spec, **changes: Any) -> Any:
        return calibrate(self.home, self.spec(*scorers, **changes))


def grades(pairs: Sequence[tuple[object, object]]) -> list[Body]:
    """Answers by (what the judge says, what people say)."""
    return [
        {"answer": f"answer {number} judge={mine}", "label": theirs}
        for number, (mine, theirs) in enumerate(pairs)
    ]
