"""The demo: each step runs the product as a user would, and says in plain words what happened."""

import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from llmops import configs
from llmops.configs.index import IndexConfig
from llmops.flows.demo.application import CONFIG as APP
from llmops.flows.demo.application import ApplicationSteps
from llmops.flows.demo.model import ModelSteps
from llmops.flows.demo.prompts import CAREFUL, CONFIG, PROMPT, PromptSteps
from llmops.flows.running import run_flow
from llmops.tasks.errors import Blocked, LlmopsError
from llmops.tasks.knowledge import versions
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import Outcome
from llmops.tasks.knowledge.reading import hits, searcher
from llmops.tasks.maintenance.drop import drop
from llmops.tasks.tracking import pages, place_of

KB = "python-help"
QUESTION = "Why do my sanity checks disappear when I start the interpreter with -O?"
EDITED = "with"
SENTENCE = (
    "\nHouse rule: in this team every file, lock and network connection is opened in a with "
    "statement.\n"
)
ABSURD = ("chunk.size=16", "chunk.overlap=0")


class Demonstration:
    """Works in `LLMOPS_HOME/demo` and in the knowledge base `python-help`, and nowhere else.
    `model`: a file of a language model that prompts are compared with, too.
    """

    def __init__(self, home: Path, out: TextIO, model: Path | None = None) -> None:
        self.home, self.folder, self._out = home, home / "demo", out
        self.config = self.folder / "python-help.yaml"
        self.steps: list[Mapping[str, Any]] = []
        shared = (home, self.folder, self.steps, self._head, self._say)
        self._prompts = PromptSteps(*shared)
        self._model = ModelSteps(*shared, model) if model else None
        self._application = ApplicationSteps(*shared, out)

    def run(self) -> list[Mapping[str, Any]]:
        """All steps, in order. Raises LlmopsError when one does not show what it should."""
        self._begin()
        self._first_build()
        self._same_again()
        self._edit()
        self._bad_change()
        self._question()
        self._rollback()
        self._prompts.run()
        if self._model:
            self._model.run()
        self._application.run(QUESTION)
        self._what_next()
        return self.steps

    def _begin(self) -> None:
        self._refuse_a_stranger()
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "golden").mkdir(parents=True)
        (self.folder / "edits").mkdir()
        shutil.copy(configs.FOLDER / "python-help.yaml", self.config)
        shutil.copy(configs.FOLDER / "golden" / "python-help.jsonl", self.folder / "golden")
        self._say(
            "llmops demo: a knowledge base of the Python language's help topics. Offline; "
            "nothing leaves this machine.",
            f"Its files: {self.folder}",
        )

    def _refuse_a_stranger(self) -> None:
        kb = Handle(home=self.home, name=KB)
        owner = versions.config_path(kb)
        if owner is not None and Path(owner) != self.config:
            raise Blocked(
                f"a knowledge base {KB!r} of yours, built by {owner}, is in {self.home}: "
                f"the demo would replace it",
                hint="run the demo elsewhere: LLMOPS_HOME=/tmp/llmops-demo llmops demo",
            )
        if owner is not None:
            with kb.hold() as lease:
                drop(kb, lease)

    def _first_build(self) -> None:
        self._head(
            "1",
            "A first build: collect, clean, validate, chunk, embed, and a gate of "
            "questions with known answers",
        )
        outcome = self._build()
        self._expect(outcome, "published")
        paid, gate = outcome.embeddings, next(iter(outcome.gate["metrics"].items()))
        again = (
            f", {paid['reused']} reused (an earlier run in this home has paid for them)"
            if paid["reused"]
            else ""
        )
        self._say(
            f"{outcome.documents['total']} documents became {outcome.chunks['total']} "
            f"chunks; {paid['computed']} embeddings"
            f" computed{again}.",
            f"The gate asked its questions: {gate[0]} is {gate[1]['candidate']:.2f}, the "
            f"floor is 0.70. Version {outcome.version} is live.",
        )

    def _same_again(self) -> None:
        self._head("2", "The same build again costs nothing")
        outcome = self._build()
        self._expect(outcome, "unchanged")
        self._say(
            f"{outcome.documents['unchanged']} documents unchanged, 0 embeddings, no new "
            f"version ({outcome.seconds} s)."
        )

    def _edit(self) -> None:
        self._head(
            "3", f"One document is edited: a sentence goes into the middle of the topic {EDITED!r}"
        )
        from pydoc_data.topics import topics

        middle = topics[EDITED].index("\n\n", len(topics[EDITED]) // 2)
        (self.folder / "edits" / EDITED).write_text(
            topics[EDITED][:middle] + "\n" + SENTENCE + topics[EDITED][middle:]
        )
        outcome = self._build()
        self._expect(outcome, "published")
        self._say(
            f"{outcome.embeddings['computed']} embeddings paid of "
            f"{outcome.chunks['total']}, {outcome.chunks['kept']} chunks kept. "
            f"Version {outcome.version} is live."
        )

    def _bad_change(self) -> None:
        self._head(
            "4",
            "A bad change: chunks of 16 tokens instead of 200. The gate compares it with "
            "the live version on the same questions",
        )
        outcome = self._build(*ABSURD)
        self._expect(outcome, "blocked")
        name, values = next(iter(outcome.gate["metrics"].items()))
        low, high = values["interval"]
        self._say(
            f"{name} would fall from {values['live']:.2f} to {values['candidate']:.2f} "
            f"(difference {values['difference']:+.2f}, "
            f"95 % interval {low:+.2f} to {high:+.2f}): {outcome.gate['verdict']}.",
            f"Version {outcome.version} stays live, untouched: readers never saw the other one.",
        )

    def _question(self) -> None:
        self._head("5", f"A question: {QUESTION}")
        live = Handle(home=self.home, name=KB).published()
        for hit in hits(searcher(self.home, live).search(QUESTION, 3)):
            text = " ".join(hit["text"].split())
            self._say(
                f"[{hit['rank']}] {text[:220]}{'…' if len(text) > 220 else ''}",
                f"    topic {hit['uri']!r}, characters {hit['start']}-{hit['end']}, "
                f"version {live.version}",
            )

    def _rollback(self) -> None:
        self._head("6", "Rollback: the version before the edit is live again")
        began, kb = time.perf_counter(), Handle(home=self.home, name=KB)
        with kb.hold() as lease:
            new, old = versions.rollback(kb, lease, None)
        seconds = time.perf_counter() - began
        self.steps.append({"step": "rollback", "version": new, "previous_version": old})
        self._say(
            f"Version {old} to version {new} in {seconds * 1000:.0f} ms; nothing was embedded."
        )

    def _what_next(self) -> None:
        home = "" if self.home == (Path.cwd() / ".llmops") else f"LLMOPS_HOME={self.home} "
        home += "" if shutil.which("llmops") else f"{Path(sys.executable).parent}/"
        self._head("", "What to open next")
        self._say(
            f"Prefect runs    {self._link('prefect')}",
            f"Data Docs       {(self.home / 'docs' / 'index.html').as_uri()}",
            f"Report          {self._link('report')}",
            f"MLflow          {self._mlflow()}",
            f'Search          {home}llmops search "what does lambda do" --kb {KB}',
            f"Ask             {home}llmops serve {self.folder / APP}",
            f"Versions        {home}llmops kb log {KB}",
            f"Prompts         {home}llmops prompts history {PROMPT}",
            f"Take it back    {home}llmops prompts rollback {PROMPT}",
            "A prompt that may say 'I don't know': is it better?",
            f"                {home}llmops evaluate {self.folder / CONFIG} --set "
            f"arms.candidate.prompt={CAREFUL}",
            f"Your own        copy {self.config} and point `sources` at your files: "
            f"{{name: files, path: ./docs}}",
        )

    def _mlflow(self) -> str:
        """Where the user's server is, else how to look at the home's own store."""
        place = place_of(self.home)
        if not place.own:
            return pages(place.uri)
        command = f"LITELLM_LOCAL_MODEL_COST_MAP=True {Path(sys.executable).parent}/mlflow ui"
        return f"{command} --backend-store-uri {place.uri}"

    def _build(self, *changes: str) -> Outcome:
        config = configs.read(self.config, IndexConfig, changes)
        outcome = Outcome.model_validate(run_flow(self.home, config))
        versions.remember_config(Handle(home=self.home, name=KB), str(self.config))
        self.steps.append({"step": "build", **outcome.public()})
        return outcome

    def _link(self, name: str) -> str:
        """The newest of its kind; an MLflow server elsewhere keeps reports to itself."""
        return str(
            next(
                (
                    step["links"][name]
                    for step in reversed(self.steps)
                    if name in step.get("links", {})
                ),
                "in MLflow",
            )
        )

    def _expect(self, outcome: Outcome, status: str) -> None:
        if outcome.status != status:
            raise LlmopsError(
                f"this step should have ended {status}, it ended {outcome.status}: "
                f"{outcome.reason or 'no reason was given'}",
                hint=f"see {outcome.links.get('prefect', 'the Prefect UI')}",
            )

    def _head(self, number: str, text: str) -> None:
        self._say("", f"{number}. {text}" if number else text)

    def _say(self, *lines: str) -> None:
        self._out.write("".join(f"{line}\n" for line in lines))
        self._out.flush()
