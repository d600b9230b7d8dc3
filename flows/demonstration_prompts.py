"""The demo's second half: prompts are compared on questions, a worse one is turned away, a better one takes the place of the first."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import configs
from configs.evaluating import read_evaluation
from flows.running import run_evaluation
from tasks.errors import LlmopsError
from tasks.evaluation import registry
from tasks.prompts.reading import read_prompt

PROMPT, ALIAS = "python-help-demo", "champion"
CONFIG = "python-help-prompts.yaml"
CHAMPION, WORSE, BETTER = (f"prompts/{name}.yaml" for name in ("python-help", "python-help-thorough", "python-help-brief"))
FILES = (CONFIG, "cases/python-help.jsonl", CHAMPION, WORSE, BETTER)
WORDS = {"promote": "The better prompt is promoted", "reject": "The new prompt is rejected", "inconclusive": "Nothing is decided"}


class PromptSteps:
    """Works in the demo's folder and on the prompt `python-help-demo`. `steps`: what each step came to; `head` and `say` write to the screen."""

    def __init__(self, home: Path, folder: Path, steps: list[dict[str, Any]], head: Callable[[str, str], None],
                 say: Callable[..., None]) -> None:
        self.home, self.folder, self.steps, self._head, self._say = home, folder, steps, head, say

    def run(self) -> None:
        """Raises LlmopsError when a step does not show what it should."""
        for file in FILES:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(configs.FOLDER / file, self.folder / file)
        self._first()
        self._worse()
        self._better()
        self._history()

    def _first(self) -> None:
        """The prompt in use is the first one, also where an earlier demo has promoted another."""
        pushed = registry.push(self.home, read_prompt(self.folder / CHAMPION))
        assert pushed.version is not None
        live = self._live()
        if live is None:
            registry.first(self.home, PROMPT, ALIAS, pushed.version)
        elif live != pushed.version:
            registry.rollback(self.home, PROMPT, ALIAS, to=pushed.version)

    def _live(self) -> int | None:
        with registry.registry(self.home) as shelf:
            return (shelf.aliases(PROMPT) or {}).get(ALIAS)

    def _worse(self) -> None:
        self._head("7", "A prompt is an opinion until it is measured. Somebody wants longer answers: be thorough, leave nothing out")
        record = self._evaluate(WORSE, "reject")
        self._say(
            f"Both prompts answered {record['cases']['used']} questions from the knowledge base. The model is offline and free: it quotes the"
            " sentences that fit best.",
            effect(record),
            f"{WORDS['reject']}: version {self._live()} stays in use.",
        )

    def _better(self) -> None:
        self._head("8", "Another prompt: one sentence, and \"I don't know\" where the passages have no answer")
        record = self._evaluate(BETTER, "promote")
        old, new = (declined(record, name) for name in (record["baseline"], record["candidate"]))
        self._say(
            effect(record),
            f"Of the {old[1]} questions that the topics do not answer it declines {new[0]}; the prompt before declined {old[0]}.",
            f"{WORDS['promote']}: {ALIAS!r} now means version {self._live()}. Whoever asks for {PROMPT}@{ALIAS} gets it from now on.",
        )

    def _history(self) -> None:
        with registry.registry(self.home) as shelf:
            ground = registry.grounds(self.home, shelf, PROMPT, ALIAS)
        move = ground.history[-1]
        self._say(f"Why, and by whom: the move from version {move.before} to {move.to} was allowed by the decision {move.decision}.")

    def _evaluate(self, prompt: str, wanted: str) -> dict[str, Any]:
        config = read_evaluation(self.folder / CONFIG, [f"arms.candidate.prompt={prompt}"])
        record = run_evaluation(self.home, config, accept_cases=True)
        self.steps.append({"step": "evaluate", **record})
        if record["verdict"] != wanted or ("promoted" in record and not record["promoted"]):
            raise LlmopsError(f"this step should have ended {wanted}, it ended {record['verdict']}: {record['reason']}",
                              hint=f"see {record['record']}")
        return record


def effect(record: Mapping[str, Any]) -> str:
    """What the deciding metric did, in words."""
    old, new = (record["arms"][record[role]]["metrics"][record["metric"]]["value"] for role in ("baseline", "candidate"))
    low, high = record["interval"]
    return (f"How much the answers share with the known ones (token F1): {old:.2f} before, {new:.2f} now; difference"
            f" {record['difference']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}, on {record['n']} questions.")


def declined(record: Mapping[str, Any], arm: str) -> tuple[int, int]:
    """(questions that the arm rightly declined, questions that should be declined)."""
    pairs = record["pairs"]
    values = [value for value, tags in zip(pairs["values"][arm]["refusal"], pairs["tags"], strict=True) if "outside" in tags]
    return int(sum(value or 0 for value in values)), len(values)
