"""The demo's last part: the application answers over HTTP, its answer is followed back to the
document that it comes from, a correction of it is the next answer, and what was said of answers
becomes a data set.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypedDict

from llmops import configs
from llmops.flows.demo.loop import LoopSteps
from llmops.flows.demo.tuning import TuningSteps
from llmops.tasks import stopping
from llmops.tasks.errors import LlmopsError

CONFIG = "python-help-app.yaml"
LOG = "application.log"
SECONDS = 60.0
STOPPING = 20.0
ANSWER = "/v1/chat/completions"


class Cited(TypedDict):
    """A source of the answer, as the application gives it."""

    number: int
    cited: bool
    uri: str
    start: int
    end: int
    version: int


class LastChunk(TypedDict):
    """What comes with the end of a streamed answer."""

    citations: list[Cited]
    trace_id: str


class ApplicationSteps:
    """`question` goes over HTTP; `out` shows the answer as it comes. The rest is as in
    `PromptSteps`.
    """

    def __init__(
        self,
        home: Path,
        folder: Path,
        steps: list[Mapping[str, Any]],
        head: Callable[[str, str], None],
        say: Callable[..., None],
        out: TextIO,
    ) -> None:
        self.home, self.folder, self.steps, self._head, self._say = home, folder, steps, head, say
        self._out = out
        self._loop = LoopSteps(home, folder, steps, head, say)
        self._tuning = TuningSteps(home, folder, steps, head, say)

    def run(self, question: str) -> None:
        """Raises LlmopsError when the application does not start or answer."""
        shutil.copy(configs.FOLDER / CONFIG, self.folder / CONFIG)
        self._loop.begin()
        self._head(
            "9",
            "The application: the question goes over HTTP, as every client of OpenAI's API asks; "
            "the answer comes as it is written",
        )
        with served(self.home, self.folder / CONFIG) as url:
            ended = self._asked(url, question)
            self._say("")
            for each in ended["citations"]:
                if each["cited"]:
                    self._say(
                        f"    [{each['number']}] topic {each['uri']!r}, characters "
                        f"{each['start']}-{each['end']}, version {each['version']}"
                    )
            self._loop.run(url, question, ended["trace_id"])
            self._tuning.ask(url)
        self._explained(ended["trace_id"])
        self._tuning.run()

    def _asked(self, url: str, question: str) -> LastChunk:
        """The last chunk of the answer: it holds citations and the trace's id."""
        import httpx

        messages = [{"role": "user", "content": question}]
        body = {"model": "python-help", "messages": messages, "stream": True}
        ended: LastChunk | None = None
        with httpx.stream("POST", f"{url}{ANSWER}", json=body, timeout=SECONDS) as response:
            if response.status_code != 200:
                response.read()
                raise LlmopsError(f"the application answered {response.status_code}", hint=LOG)
            for line in response.iter_lines():
                if not line.startswith("data: {"):
                    continue
                chunk = json.loads(line.removeprefix("data: "))
                for choice in chunk["choices"]:
                    self._out.write(choice["delta"].get("content") or "")
                    self._out.flush()
                ended = chunk if "citations" in chunk else ended
        if not ended or not ended["citations"]:
            raise LlmopsError("the application's answer has no sources", hint=f"see {LOG}")
        self.steps.append({"step": "ask", "url": url, **ended})
        return ended

    def _explained(self, trace_id: str) -> None:
        self._head("13", "Where did the first answer come from? Its trace leads back to the source")
        from llmops.tasks.maintenance.explain_trace import explain_trace

        found = explain_trace(self.home, trace_id)
        self.steps.append({"step": "explain", "trace": found})
        took, cost = found["seconds"], found["cost_usd"]
        self._say(
            f"Trace {trace_id}: {took:.2f} s, ${cost:.2f}, prompt {found['tags'].get('prompt')}."
        )
        best = found["passages"][0]
        self._say(
            f"Its first passage is of {best['document']['uri']!r}, source {best['source']}, "
            f"knowledge base version {best['version']},",
            f"which the Prefect run {best['prefect_run_id']} built and the MLflow run "
            f"{best['mlflow_run_id']} records.",
        )


@contextmanager
def served(home: Path, config: Path) -> Iterator[str]:
    """The URL of `llmops serve`, which runs meanwhile as a process of its own."""
    command = [sys.executable, "-P", "-m", "llmops.flows.cli", "serve", str(config)]
    environment = {**os.environ, "LLMOPS_HOME": str(home)}
    log = config.with_name(LOG)
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, "--port", "0", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    stopping.LAST[LOG] = process.terminate
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # it says where it listens, or ends
        if not line.startswith("{") or "url" not in (said := json.loads(line)):
            raise LlmopsError("the application did not start", where=str(log), hint="see its log")
        yield str(said["url"])
    finally:
        del stopping.LAST[LOG]
        process.terminate()
        try:
            process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
