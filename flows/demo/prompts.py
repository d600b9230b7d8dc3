"""The demo's second half: prompts are compared on questions, a worse one is turned away, a better
one takes the place of the first.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llmops import configs
from llmops.configs.evaluate import EvaluateConfig
from llmops.flows.running import run_flow
from llmops.tasks.decisions.decision import Decision
from llmops.tasks.decisions.promotion import first, rollback
from llmops.tasks.errors import LlmopsError
from llmops.tasks.prompts.reading import read_prompt
from llmops.tasks.prompts.registry import push
from llmops.tasks.tracking.prompts import open_registry

PROMPT, ALIAS = "python-help-demo", "champion"
CONFIG = "python-help-prompts.yaml"
CHAMPION, WORSE, BETTER, CAREFUL = (
    f"prompts/python-help{kind}.yaml" for kind in ("", "-thorough", "-brief", "-careful")
)
FILES = (CONFIG, "cases/python-help.jsonl", CHAMPION, WORSE, BETTER, CAREFUL)


class PromptSteps:
    """Works in the demo's folder and on the prompt `python-help-demo`. `steps`: what each step came
    to; `head` and `say` write to the screen."""

    def __init__(
        self,
        home: Path,
        folder: Path,
        steps: list[Mapping[str, Any]],
        head: Callable[[str, str], None],
        say: Callable[..., None],
    ) -> None:
        self.home, self.folder, self.steps, self._head, self._say = home, folder, steps, head, say

    def run(self) -> None:
        """Raises LlmopsError when a step does not show what it should."""
        for file in FILES:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(configs.FOLDER / file, self.folder / file)
        self._first()
        self._worse()
        self._better()

    def _first(self) -> None:
        """The prompt in use is the first one, also where an earlier demo has promoted another."""
        pushed = push(self.home, read_prompt(self.folder / CHAMPION))
        assert pushed.version is not None
        live = self._live()
        if live is None:
            first(self.home, PROMPT, ALIAS, pushed.version)
        elif live != pushed.version:
            rollback(self.home, PROMPT, ALIAS, to=pushed.version)

    def _live(self) -> int | None:
        with open_registry(self.home) as shelf:
            return (shelf.aliases(PROMPT) or {}).get(ALIAS)

    def _worse(self) -> None:
        self._head(
            "7",
            "A new prompt is an opinion until it is measured. Somebody wants longer "
            "answers: be thorough, leave nothing out",
        )
        record = self._evaluate(WORSE, "reject")
        self._say(
            f"The prompt in use and the new one have answered the same "
            f"{record.cases.used} questions from the knowledge base, with an"
            " offline model that",
            "quotes what fits best. The better an answer, the more words it shares with "
            "the known one (token F1, 0 to 1).",
            effect(record),
            f"The interval lies below 0: this is worse, and not by chance. Rejected: "
            f"version {self._live()} of {PROMPT} stays in use.",
        )

    def _better(self) -> None:
        self._head("8", "Another try: at most 30 words")
        record = self._evaluate(BETTER, "promote")
        move = record.promoted
        assert move is not None  # else it would have been told above
        self._say(
            effect(record),
            "The interval lies above 0: this is better, and not by chance. Promoted:"
            f" {PROMPT}@{ALIAS} goes from version {move.previous_version} to {move.version},",
            f"and whoever asks for it gets the new one. The decision that allowed it is "
            f"kept: {move.decision}.",
        )

    def _evaluate(self, prompt: str, wanted: str) -> Decision:
        config = configs.read(
            self.folder / CONFIG, EvaluateConfig, [f"arms.candidate.prompt={prompt}"]
        )
        outcome = run_flow(self.home, config, accept_cases=True)
        self.steps.append({"step": "evaluate", **outcome})
        record = Decision.model_validate(outcome)
        if record.verdict != wanted or record.stayed:
            raise LlmopsError(
                f"this step should have ended {wanted}, it ended {record.verdict}: {record.reason}",
                hint=f"see {record.record}",
            )
        return record


def effect(record: Decision) -> str:
    """What the deciding metric did, in words."""
    old, new = (
        record.arms[arm].metrics[record.metric].value for arm in (record.baseline, record.candidate)
    )
    assert record.difference is not None
    assert record.interval is not None
    low, high = record.interval
    return (
        f"With the old prompt it is {old:.3f}, with the new one {new:.3f}: difference "
        f"{record.difference:+.3f}, 95 % interval"
        f" {low:+.3f} to {high:+.3f}."
    )
