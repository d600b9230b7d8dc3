"""The config of the `nightly` flow: which configs run one after the other, in one run."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from llmops.configs.evaluate import EvaluateConfig
from llmops.configs.index import IndexConfig
from llmops.configs.reading import read
from llmops.configs.section import Files, FlowConfig, Schedule
from llmops.tasks.errors import Mistake

STAGES: dict[str, type[FlowConfig]] = {"index": IndexConfig, "evaluate": EvaluateConfig}
"""The keys that list configs, in the order in which they run. A flow more is a line here and a
field below.
"""


class NightlyConfig(FlowConfig):
    """Each list names config files of that flow. Builds come first, so that evaluations ask what
    was built; what failed stops nothing that can go on.
    """

    files: ClassVar[Files] = {
        "index.*": lambda path: read(path, IndexConfig),
        "evaluate.*": lambda path: read(path, EvaluateConfig),
    }
    flow: Literal["nightly"]
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    index: list[Path] = Field(default_factory=list)
    evaluate: list[Path] = Field(default_factory=list)
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
        seen: dict[str, Path] = {}
        found = []
        for flow, file in self.listed():
            config = read(file, STAGES[flow])
            name = getattr(config, "knowledge_base", None) or getattr(config, "name", file.stem)
            first = seen.setdefault(f"{flow} {name}", file)
            if first is not file:
                message = f"{file.name}: {name!r} is listed already, as {first.name}"
                hint = "take one of the two out"
                found.append(Mistake(message, where=f"{where}: {flow}", hint=hint))
        return found

    def never_existed(self, where: str) -> list[Mistake]:
        """What its parts would miss."""
        return [
            mistake
            for flow, file in self.listed()
            for mistake in read(file, STAGES[flow]).never_existed(f"{where} > {file.name}")
        ]
