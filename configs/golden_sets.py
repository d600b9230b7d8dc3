"""Which configs name a golden set."""

from pathlib import Path

from llmops.configs.reading import load_yaml
from llmops.configs.section import places
from llmops.tasks.errors import ConfigError


def configs_with(golden: Path) -> list[Path]:
    """The index configs beside a golden set, and in the folder above, whose gate names it."""
    folders = dict.fromkeys((golden.parent.parent, golden.parent))
    files = [file for folder in folders for file in sorted(folder.glob("*.y*ml"))]
    return [file for file in files if golden.resolve() in _sets(file)]


def _sets(config: Path) -> list[Path]:
    """Absolute; none of a file that is no config of a build."""
    try:
        content = load_yaml(config)
    except ConfigError:
        return []
    if content.get("flow") != "index":
        return []
    patterns = ("gate.golden", "gate.golden.*")
    named = [name for pattern in patterns for _, name in places(content, pattern)]
    return [(config.parent / name).resolve() for name in named if isinstance(name, str)]
