"""The config of the `nightly` flow: which configs run one after the other, in one run."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from llmops.configs.evaluate import EvaluateConfig
from llmops.configs.feedback import FeedbackConfig
from llmops.configs.finetune import FinetuneConfig
from llmops.configs.index import IndexConfig
from llmops.configs.maintain import MaintainConfig
from llmops.configs.monitor import MonitorConfig
from llmops.configs.reading import named_in, read
from llmops.configs.score import ScoreConfig
from llmops.configs.section import FlowConfig, Schedule
from llmops.configs.serve import ServeConfig
from llmops.tasks.errors import ConfigError, Mistake

STAGES: dict[str, type[FlowConfig]] = {
    "index": IndexConfig,
    "evaluate": EvaluateConfig,
    "score": ScoreConfig,
    "monitor": MonitorConfig,
    "feedback": FeedbackConfig,
    "finetune": FinetuneConfig,
    "prune": ServeConfig,
    "maintain": MaintainConfig,
}
"""The keys that list configs, in the order in which they run: what has to go is scored before. A
flow more is a line here and a field below.
"""
MOST = "such as traces: {most_days: 90}, in the application's config"
NEVER = "no trace of it ever goes: traces.most_days is not set"


class NightlyConfig(FlowConfig):
    """Each list names config files of that flow; `prune`: of applications, whose traces go when
    they are older than `traces.most_days`; `maintain` comes last: a backup has all of the
    night. Builds come first, so that evaluations ask what
    was built; what failed stops nothing that can go on, and so does a config that is wrong: the
    listed ones are read when their turn comes.
    """

    flow: Literal["nightly"]
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    index: list[Path] = Field(default_factory=list)
    evaluate: list[Path] = Field(default_factory=list)
    score: list[Path] = Field(default_factory=list)
    monitor: list[Path] = Field(default_factory=list)
    feedback: list[Path] = Field(default_factory=list)
    finetune: list[Path] = Field(default_factory=list)
    prune: list[Path] = Field(default_factory=list)
    maintain: list[Path] = Field(default_factory=list)
    schedule: Schedule | None = None

    def listed(self) -> list[tuple[str, Path]]:
        """(flow, file) of every part, in the order in which they run."""
        return [(flow, self.folder / file) for flow in STAGES for file in getattr(self, flow)]

    def conflicts(self, where: str) -> list[Mistake]:
        """A night of nothing, and a file or a knowledge base that stands there twice."""
        if not self.listed():
            keys = ", ".join(STAGES)
            hint = "such as index: [handbook.yaml]"
            return [Mistake(f"nothing is listed; allowed: {keys}", where=where, hint=hint)]
        seen: dict[tuple[str, str], Path] = {}
        found = []
        for flow, file in self.listed():
            name = named_in(file)[1] or str(file.resolve())
            if first := seen.get((flow, name)):
                message = f"{file.name}: {name!r} is listed already, as {first.name}"
                hint = "take one of the two out"
                found.append(Mistake(message, where=f"{where}: {flow}", hint=hint))
            seen.setdefault((flow, name), file)
        return found

    def unreadable(self, where: str, *, outside: bool = False) -> list[Mistake]:
        """The mistakes of all listed configs, where wanted with what they would read and never
        existed. A night of a schedule isolates them; a person wants them before anything begins.
        """
        found = []
        for flow in STAGES:
            for number, name in enumerate(getattr(self, flow)):
                file, place = self.folder / name, f"{where}: {flow}[{number}]"
                if not file.is_file():
                    found.append(Mistake(f"no such file: {file}", where=place))
                    continue
                try:
                    config = read(file, STAGES[flow], outside=outside)
                except ConfigError as error:
                    found += error.found
                    continue
                if isinstance(config, ServeConfig) and config.traces.most_days is None:
                    found.append(Mistake(f"{file.name}: {NEVER}", where=place, hint=MOST))
        return found

    def never_existed(self, where: str) -> list[Mistake]:
        """What is wrong with its parts, and what they would miss."""
        return self.unreadable(where, outside=True)
