"""The loop back in the demo: a thumb down with a correction, the feedback flow, the next answer."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llmops import configs
from llmops.configs.feedback import FeedbackConfig
from llmops.flows.running import run_flow
from llmops.tasks.audit.actor import acting_as
from llmops.tasks.audit.people import pseudonym
from llmops.tasks.chat import curated
from llmops.tasks.chat.matching import RELOAD
from llmops.tasks.datasets.outcome import FeedbackOutcome
from llmops.tasks.errors import LlmopsError, UsageError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.traces.feedback import Feedback, rate

CONFIG = "python-help-feedback.yaml"
APP, USER = "python-help", "demo"
SECONDS = 30.0
CORRECTION = (
    "They are assert statements: the current code generator emits no code for an assert statement "
    "when optimization is requested with -O, so use if and raise for checks that must stay."
)


class LoopSteps:
    """Works while the application runs. `steps`: what each step came to; `head` and `say` write to
    the screen.
    """

    def __init__(
        self,
        home: Path,
        folder: Path,
        steps: list[Mapping[str, Any]],
        head: Callable[[str, str], None],
        say: Callable[..., None],
    ) -> None:
        self.home, self.folder, self.steps, self._head, self._say = home, folder, steps, head, say

    def begin(self) -> None:
        """Take back what an earlier demo in this home has corrected."""
        person = pseudonym(open_ledger(self.home), f"{APP}/{USER}")
        with acting_as(f"flow/{APP}"):
            for each in curated.listed(self.home, APP):
                curated.retire(self.home, APP, each.id, reason="the demo begins anew")
                try:
                    rate(self.home, each.trace_id, person, Feedback(None))
                except UsageError:
                    continue  # its trace was deleted

    def run(self, url: str, question: str, trace_id: str) -> None:
        """Raises LlmopsError when a step does not show what it should."""
        import httpx

        self._head("10", "Somebody marks that answer down, and says what it should have been")
        body = {"trace_id": trace_id, "rating": "down", "correction": CORRECTION, "user": USER}
        response = httpx.post(f"{url}/v1/feedback", json=body, timeout=SECONDS)
        if response.status_code != 200:
            raise LlmopsError(f"the application answered {response.status_code} to feedback")
        self._say(f"    {CORRECTION}")
        outcome = self._flow()
        self._shown(outcome, trace_id)
        self._asked_again(url, question)

    def _flow(self) -> FeedbackOutcome:
        shutil.copy(configs.FOLDER / CONFIG, self.folder / CONFIG)
        config = configs.read(self.folder / CONFIG, FeedbackConfig)
        outcome = FeedbackOutcome.model_validate(run_flow(self.home, config))
        self.steps.append({"step": "feedback", **outcome.public()})
        return outcome

    def _shown(self, outcome: FeedbackOutcome, trace_id: str) -> None:
        self._head("11", "The feedback flow: into the review queue, and back into the pipeline")
        why = ", ".join(outcome.triage.reasons) or "nothing new"
        self._say(f"New in the review queue: {outcome.triage.added}. Why: {why}.")
        for file in outcome.written.files:
            path = Path(file.path)
            mine = [
                row
                for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())
                if row["lineage"]["trace_id"] == trace_id
            ]
            if not mine:
                raise LlmopsError(f"the correction is not in {path}")
            self._say(f"{path.relative_to(self.folder)} has it, from trace {trace_id}.")

    def _asked_again(self, url: str, question: str) -> None:
        import httpx

        self._head("12", "The same question again")
        time.sleep(RELOAD)  # so long the application believes what it knows of curated answers
        body = {"model": APP, "messages": [{"role": "user", "content": question}]}
        response = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=SECONDS)
        reply = response.json()
        answer = reply["choices"][0]["message"]["content"] if response.status_code == 200 else ""
        self.steps.append({"step": "ask again", "answer": answer})
        if answer != CORRECTION:
            raise LlmopsError(
                "the next answer does not use the correction", hint="see application.log"
            )
        self._say(f"    {answer}")
