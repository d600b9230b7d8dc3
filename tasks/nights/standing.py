"""What an evaluation finds of the knowledge bases that it asks, after the builds of this night."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.nights.night import NightPart


@dataclass
class Standing:
    """`built`: the builds of this night by their knowledge base."""

    home: Path
    built: dict[str, NightPart] = field(default_factory=dict)

    @staticmethod
    def name_of(config: object) -> str:
        """The knowledge base of a build, the application of a scoring, the name of anything
        else.
        """
        names = (getattr(config, key, None) for key in ("knowledge_base", "name", "app"))
        return str(next(filter(None, names), ""))

    def before(self, config: object) -> tuple[str, list[str]]:
        """Why it cannot be begun, and what is to be said of what it goes on with."""
        notes: list[str] = []
        for name in sorted(set(_asked(config))):
            part = self.built.get(name)
            if part is None or not part.failed:
                continue
            live = Handle(home=self.home, name=name).live()
            if live is None:
                return f"{name} has no version yet, and its build failed", notes
            notes.append(
                f"the build of {name} failed ({part.headline}): evaluated on version "
                f"{live.version}, the last good one"
            )
        return "", notes

    def after(self, part: NightPart) -> None:
        """Remember a build."""
        if part.flow == "index":
            self.built[part.name] = part


def _asked(config: object) -> Iterator[str]:
    """The knowledge bases that the arms of an evaluation retrieve from."""
    specs = getattr(config, "arm_specs", None)
    for arm in specs().values() if specs else ():
        if arm.retrieve:
            yield str(arm.retrieve.knowledge_base)
