"""Small evaluations against a local endpoint, and a process of its own that answers a part and may
be killed in the middle.

python -m tests.evaluation.runs RUN.json CASES.json [module:attribute.path before|after n]
"""

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmops.tasks.calls.budget import Spent
from llmops.tasks.evaluation.results import Result, RunPart, read_results
from llmops.tasks.evaluation.run import Arm, EvaluationRun
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.prompts import Prompt, Resolved
from tests import forks

PLAIN = ("Answer. {{question}}", "Answer briefly. {{question}}")


def model(base_url: str, **options: Any) -> Spec:
    return Spec(
        name="openai",
        options={"model": "small", "base_url": base_url, "retries": 2, "max_tokens": 50, **options},
    )


def arm(name: str, text: str, llm: Spec, **changes: Any) -> Arm:
    """`changes`: further fields of the arm; `output` is one of its prompt."""
    prompt = Prompt.model_validate(
        {
            "name": name,
            "messages": [{"role": "user", "content": text}],
            "output": changes.pop("output", None),
        }
    )
    return Arm(name=name, prompt=Resolved(prompt=prompt, uri=f"{name}.yaml"), llm=llm, **changes)


def evaluation_run(
    folder: Path,
    base_url: str,
    *,
    prompts: Sequence[str] = PLAIN,
    arms: Sequence[Arm] = (),
    **changes: Any,
) -> EvaluationRun:
    """Arms A, B, … with these prompts on one model, unless `arms` are given."""
    made = arms or [
        arm(chr(65 + number), text, model(base_url), price=(1.0, 2.0))
        for number, text in enumerate(prompts)
    ]
    return EvaluationRun.model_validate(
        {
            "home": folder / "home",
            "name": "try",
            "id": "try-1",
            "folder": folder / "parts",
            "baseline": made[0].name,
            "arms": tuple(made),
            "scorers": (),
            **changes,
        }
    )


def cases(count: int) -> list[Case]:
    return [
        Case(id=f"c{number}", inputs={"question": f"What is {number}?"}) for number in range(count)
    ]


def results(part: RunPart) -> list[Result]:
    return list(read_results(part.file))


def questions(requests: Sequence[tuple[str, dict[str, Any], str]]) -> list[str]:
    """The last message of every request that a service has got."""
    return [str(body["messages"][-1]["content"]) for _, body, _ in requests]


def start(run: EvaluationRun, asked: Sequence[Case], *deadly: str) -> forks.Process:
    """Answer a part in a process of its own, which kills itself at the place that `deadly`
    names.
    """
    texts = [run.model_dump_json(), json.dumps([case.model_dump(mode="json") for case in asked])]
    return forks.start("-m", "tests.evaluation.runs", *texts, *deadly)


def killed(run: EvaluationRun, asked: Sequence[Case], *deadly: str) -> None:
    with start(run, asked, *deadly) as process:
        said = process.communicate(timeout=120)[1]
    assert process.returncode == -signal.SIGKILL, said[-2000:]


def main(run: str, asked: str, *deadly: str) -> None:
    """What the other process does."""
    from llmops.tasks.evaluation.answering import answer_part
    from tests.killer import arm as kill_at

    if deadly:
        kill_at(deadly[0], deadly[1], int(deadly[2]))
    answer_part(
        EvaluationRun.model_validate_json(run),
        1,
        [Case.model_validate(case) for case in json.loads(asked)],
        Spent(),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
