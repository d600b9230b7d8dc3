"""The configs of the project that collect what people were answered by this application, and said
of it; and the one that the page offers to write where there is none.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from llmops.configs.finetune import FinetuneConfig
from llmops.configs.reading import Content, load_yaml, named_in
from llmops.configs.writing import written
from llmops.deployments.app.jobs import NAME
from llmops.deployments.app.page.saving import changed_file
from llmops.deployments.app.page.workplace import Workplace, specs
from llmops.deployments.project import Project
from llmops.tasks.datasets.training.held_out import held_out
from llmops.tasks.errors import ConfigError, LlmopsError, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.collectors import Collector

SINCE = "90d"
FORMATS = ("openai_chat", "trl_sft", "trl_dpo")


class Trainable(NamedTuple):
    """A config that collects from the application. `file`: relative to the project's folder;
    `trainer`: what it trains by, "" where it makes a data set alone; `pays`: a model is paid for
    rows, `budget`: for all of it at most, None for no limit.
    """

    file: str
    name: str
    trainer: str = ""
    pays: bool = False
    budget: float | None = None

    @property
    def trains(self) -> bool:
        return self.trainer != ""


class Starter(NamedTuple):
    """A config as the page would write it."""

    file: str
    text: str


def trainable(place: Workplace, app: str) -> list[Trainable]:
    """Those of an application, also where the rest of one is wrong: its plan says so."""
    found = []
    for path, content in _contents(place, "finetune"):
        name = content.get("name")
        collects = specs(content.get("collect"))
        if isinstance(name, str) and NAME.fullmatch(name) and any(_of(app, s) for s in collects):
            trains = specs([content.get("train")])
            budget = content.get("budget")
            usd = budget.get("usd") if isinstance(budget, Mapping) else None
            found.append(
                Trainable(
                    path.relative_to(place.folder).as_posix(),
                    name,
                    trains[0].name if trains else "",
                    any(map(_pays, collects)),
                    float(usd) if isinstance(usd, int | float) else None,
                )
            )
    return found


def chosen(place: Workplace, app: str, file: str) -> Trainable:
    """One of them, by its file. Raises UsageError for another one: no other file is run."""
    for each in trainable(place, app):
        if each.file == file:
            return each
    raise UsageError("there is no such config in this project", where=file[:200])


def starter(place: Workplace, app: str, knowledge_base: str) -> Starter:
    """Reviews and answers that were found good, the measures of the project left out, and the
    ranking trained on them.
    """
    against = sorted(_measures(place))
    content: Content = {
        "flow": "finetune",
        "name": app,
        "collect": [
            {"name": "reviews", "queue": app},
            {"name": "traces", "app": app, "since": SINCE, "feedback": "up"},
        ],
        **({"decontaminate": {"against": against}} if against else {}),
        "export": list(FORMATS),
        "train": {"name": "retrieval", "knowledge_base": knowledge_base, "feedback": app},
    }
    names = ("finetune.yaml", f"finetune-{app}.yaml")
    file = next((each for each in names if not (place.folder / each).exists()), names[-1])
    return Starter(file, written(content, FinetuneConfig))


def start(place: Workplace, app: str, knowledge_base: str) -> str:
    """Write it, and return its file. Raises UsageError where there is one already, or the file
    cannot be written.
    """
    if trainable(place, app):
        raise UsageError("there is one already", where=app)
    new = starter(place, app, knowledge_base)
    changed_file(place, new.file, new.text, "")
    return new.file


def _contents(place: Workplace, flow: str) -> Iterator[tuple[Path, Content]]:
    for path in Project(place.folder, place.home, "page").files():
        if named_in(path)[0] == flow:
            try:
                yield path, load_yaml(path)
            except ConfigError:
                continue


def _of(app: str, spec: Spec) -> bool:
    options = spec.options
    if spec.name == "traces":
        return bool(options.get("app") == app)
    return spec.name == "reviews" and (options.get("app") or options.get("queue")) == app


def _pays(spec: Spec) -> bool:
    try:
        return not spec.build(Collector).free
    except (LlmopsError, ValueError):  # its plan says what is wrong
        return False


def _measures(place: Workplace) -> Iterator[str]:
    """What measures of the project ask, relative to its folder; what feedback flows write is made
    of the same answers, and would leave none of them.
    """
    named = set(_files(place))
    named -= {
        (path.parent / str(file)).resolve()
        for path, content in _contents(place, "feedback")
        if isinstance(writes := content.get("write"), Mapping)
        for file in writes.values()
    }
    for path in named:
        if path.is_relative_to(place.folder) and _readable(path):
            yield path.relative_to(place.folder).as_posix()


def _readable(path: Path) -> bool:
    """A file that is none, or not yet, would stop what the page offers."""
    try:
        return bool(held_out([path]))
    except LlmopsError:
        return False


def _files(place: Workplace) -> Iterator[Path]:
    for flow, keys in (("evaluate", ("cases",)), ("index", ("gate", "golden"))):
        for path, content in _contents(place, flow):
            value: object = content
            for key in keys:
                value = value.get(key) if isinstance(value, Mapping) else None
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str):
                    yield (path.parent / each).resolve()
