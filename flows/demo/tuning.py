"""The demo's last steps: what people said becomes a data set for trainers, and golden questions a
ranking that is served only where it is proven better.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llmops import configs
from llmops.configs.finetune import FinetuneConfig
from llmops.configs.train import read_training
from llmops.flows.running import run_flow
from llmops.tasks.datasets.training.outcome import FinetuneOutcome
from llmops.tasks.errors import LlmopsError
from llmops.tasks.training.outcome import TrainOutcome

CONFIG = "python-help-finetune.yaml"
APP, USER = "python-help", "demo"
ASKED = 24
"""Cases that are asked; the others are held out."""
HELD_OUT = "decontaminate: {against: [cases/held-out.jsonl]}\n"
SECONDS = 30.0
VERDICTS = {
    "promoted": "Every hybrid search of this knowledge base uses it from now on.",
    "rejected": "It is kept, and not used.",
    "inconclusive": "It is kept, and not used.",
    "unchanged": "Nothing has changed since the last training.",
}


class TuningSteps:
    """`ask` works while the application runs, `run` afterwards. The rest is as in `PromptSteps`."""

    def __init__(
        self,
        home: Path,
        folder: Path,
        steps: list[Mapping[str, Any]],
        head: Callable[[str, str], None],
        say: Callable[..., None],
    ) -> None:
        self.home, self.folder, self.steps, self._head, self._say = home, folder, steps, head, say

    def ask(self, url: str) -> None:
        """Ask some of the cases, and say of each answer whether it comes from where it should."""
        cases = (self.folder / "cases" / "python-help.jsonl").read_text("utf-8").splitlines()
        held_out = self.folder / "cases" / "held-out.jsonl"
        held_out.write_text("\n".join(cases[ASKED:]) + "\n", encoding="utf-8")
        ratings = [_rated(url, json.loads(each)) for each in cases[:ASKED]]
        self.steps.append({"step": "rate", "up": ratings.count("up"), "asked": len(ratings)})

    def run(self) -> None:
        """Raises LlmopsError when a format got no row."""
        config = (configs.FOLDER / CONFIG).read_text("utf-8") + HELD_OUT
        (self.folder / CONFIG).write_text(config, encoding="utf-8")
        self._exported()
        self._trained()

    def _exported(self) -> None:
        self._head("14", "What people said becomes a data set that trainers can load")
        rated = self.steps[-1] if self.steps[-1]["step"] == "rate" else self._last("rate")
        self._say(
            f"{rated['asked']} known questions were asked, too: {rated['up']} answers were marked "
            "as good, as their first source was the right one; the others",
            "were marked down, with the known answer as a correction.",
        )
        config = configs.read(self.folder / CONFIG, FinetuneConfig)
        outcome = FinetuneOutcome.model_validate(run_flow(self.home, config))
        self.steps.append({"step": "finetune", **outcome.public()})
        rows, formats = outcome.rows, list(dict.fromkeys(each.format for each in outcome.files))
        if absent := {str(each) for each in _formats(config)} - set(formats):
            raise LlmopsError(f"the data set has nothing for {', '.join(sorted(absent))}")
        self._say(
            f"{rows.collected} rows collected; left out: {rows.rejected} rejected, "
            f"{rows.duplicates + rows.near_duplicates} said twice, {rows.contaminated} that would "
            "give the held-out cases away.",
            f"Version {outcome.version}: {rows.train} to train on, {rows.validation} to validate, "
            f"{rows.test} to test, as {', '.join(formats)}.",
            f"Its card tells what is in it: {outcome.folder}/README.md",
        )

    def _trained(self) -> None:
        self._head("15", "A ranking is learnt from the golden questions, in seconds, without a GPU")
        training = read_training(self.folder / CONFIG, ())
        outcome = TrainOutcome.model_validate(run_flow(self.home, training))
        self.steps.append({"step": "train", **outcome.public()})
        self._say(f"{outcome.headline}.", VERDICTS.get(outcome.status, ""))

    def _last(self, step: str) -> Mapping[str, Any]:
        return next(each for each in reversed(self.steps) if each["step"] == step)


def _formats(config: FinetuneConfig) -> list[str]:
    return [each.name for each in config.export]


def _rated(url: str, case: Mapping[str, Any]) -> str:
    """Up where the first source is one of those that the case knows."""
    import httpx

    question, expected = case["inputs"]["question"], case["expected"]
    body: dict[str, Any] = {"model": APP, "messages": [{"role": "user", "content": question}]}
    response = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=SECONDS)
    if response.status_code != 200:
        raise LlmopsError(f"the application answered {response.status_code} to {question!r}")
    reply = response.json()
    good = any(each["uri"] in expected["uris"] for each in reply["citations"][:1])
    said = {"rating": "up"} if good else {"rating": "down", "correction": expected["answer"]}
    body = {"trace_id": reply["trace_id"], "user": USER, **said}
    response = httpx.post(f"{url}/v1/feedback", json=body, timeout=SECONDS)
    if response.status_code != 200:
        raise LlmopsError(f"the application answered {response.status_code} to feedback")
    return said["rating"]
