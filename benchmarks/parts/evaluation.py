"""What an evaluation costs beside the model, as whole commands."""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.contenders.promptfoo import why_absent
from benchmarks.echo import last_word
from benchmarks.genai import questions
from benchmarks.overhead import ours, prepared, theirs
from benchmarks.parts.ingestion import turned
from benchmarks.report.processes import ROOT, Absent, measured
from benchmarks.report.records import Part, Record

OURS, MLFLOW, PROMPTFOO = "llmops evaluate", "mlflow.genai.evaluate", "promptfoo eval"
NPM = ROOT / ".venv-peers"
FIELDS = {
    "whole command: time": ("whole", "s"),
    "whole command: processor time": ("whole_cpu", "s"),
    "processor time of a result": ("each", "ms"),
}
ABOUT = """{rows} trivial cases: the model answers with the last word of the question, the scorer
compares it with what is expected. Whole commands, imports included.

- **llmops evaluate** compares **two** arms, so that it answers and scores every case twice,
  decides with paired intervals, and records all of it in MLflow and Prefect; the processor time
  of its background Prefect server is added.
- **mlflow.genai.evaluate** answers once, into a local MLflow store in SQLite that was made
  beforehand.
- **promptfoo eval** answers once, with a provider and an assertion in JavaScript, `--no-cache`,
  its state in a folder of its own.

Results found in the store afterwards: {stored}.{stalled}"""
STALLED = """

{name} had not ended after {patience} s in {times} of {rounds} rounds, and was ended: its figures
are those of the other rounds."""
PATIENCE = 120
"""Seconds, some five times what a peer takes: `mlflow.genai.evaluate` has been seen to stand still
for good, its threads waiting for connections to its store.
"""
PROVIDER = """module.exports = class {
  id() { return "echo-last-word"; }
  async callApi(prompt) { return { output: prompt.split(" ").pop() }; }
};
"""


def promptfoo(rows: int, store: Path) -> dict[str, float]:
    """It needs no store. Raises Absent where it is not installed, or does not run."""
    del store
    own = NPM / "node_modules" / ".bin" / "promptfoo"
    binary = str(own) if own.exists() else shutil.which("promptfoo")
    if not binary:
        raise Absent(why_absent(NPM))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "echo.js").write_text(PROVIDER)
        tests = [
            {"vars": {"question": each}, "assert": [{"type": "equals", "value": last_word(each)}]}
            for each in questions(rows)
        ]
        config = {"prompts": ["{{question}}"], "providers": ["file://echo.js"], "tests": tests}
        (folder / "promptfooconfig.json").write_text(json.dumps(config))
        environment = {
            "PROMPTFOO_CONFIG_DIR": str(folder / "state"),
            "PROMPTFOO_DISABLE_TELEMETRY": "1",
            "PROMPTFOO_DISABLE_UPDATE": "1",
            "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
        }
        given = ["-c", "promptfooconfig.json", "--no-cache", "--no-progress-bar", "--no-table"]
        order = [binary, "eval", *given, "-o", "out.json"]
        used = measured(order, folder, environment, peer=True)
        stats = json.loads((folder / "out.json").read_text())["results"]["stats"]
    return {
        "whole": used.seconds,
        "whole_cpu": used.cpu,
        "results": rows,
        "stored": stats["successes"],
    }


RUNS: Mapping[str, Callable[[int, Path], Mapping[str, float]]] = {
    OURS: ours,
    MLFLOW: partial(theirs, patience=PATIENCE),
    PROMPTFOO: promptfoo,
}
Told = Mapping[str, float]


def measured_rounds(rows: int, rounds: int, skipped: dict[str, str]) -> dict[str, list[Told]]:
    """What each system told of each round; `skipped` gets those that are not here."""
    found: dict[str, list[Told]] = {}
    with prepared() as store:
        for number in range(rounds):
            for name in turned([each for each in RUNS if each not in skipped], number):
                try:
                    told = RUNS[name](rows, store)
                except Absent as error:
                    skipped[name] = str(error)
                    continue
                each = 1_000 * told["whole_cpu"] / told["results"]
                found.setdefault(name, []).append({**told, "each": each})
                sys.stdout.write(f"  {name:<24}{told['whole']:>7.1f} s\n")
                sys.stdout.flush()
    return found


def without_stalled(found: dict[str, list[Told]], skipped: dict[str, str]) -> str:
    """Takes out the rounds that had to be ended, and says so; a system without any other round is
    `skipped`.
    """
    said = ""
    for name, rounds in list(found.items()):
        finished = [told for told in rounds if told.get("finished", True)]
        if not finished:
            skipped[name] = f"it had not ended after {PATIENCE} s, in any of {len(rounds)} rounds"
            del found[name]
        elif len(finished) < len(rounds):
            times = len(rounds) - len(finished)
            said += STALLED.format(name=name, patience=PATIENCE, times=times, rounds=len(rounds))
            found[name] = finished
    return said


def measure(*, quick: bool) -> Part:
    rows, rounds = (50, 1) if quick else (300, 3)
    skipped: dict[str, str] = {}
    found = measured_rounds(rows, rounds, skipped)
    stalled = without_stalled(found, skipped)
    there = [name for name in RUNS if name in found]
    stored = ", ".join(
        f"{found[name][-1]['stored']:g} of {found[name][-1]['results']:g} {name}" for name in there
    )
    return Part(
        name="evaluation",
        title="Evaluation",
        about=ABOUT.format(rows=rows, stored=stored, stalled=stalled),
        command="python -m benchmarks evaluation",
        records=[
            Record(measure_name, name, unit, [float(told[field]) for told in found[name]])
            for measure_name, (field, unit) in FIELDS.items()
            for name in there
        ],
        skipped=skipped,
        plot=["whole command: time", "processor time of a result"],
    )
