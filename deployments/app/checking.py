"""Whether an application would start with its config as it is now, tried in a process of its own:
`python -m llmops.deployments.app.checking CONFIG`. It prints a JSON object whose `wrong` lists the
mistakes.
"""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from llmops.configs.reading import read
from llmops.configs.serve import ServeConfig
from llmops.configs.settings import settings
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.errors import LlmopsError


async def check(config: ServeConfig, home: Path) -> None:
    """Raises what the application raises at its start for prompts and models."""
    async with ChatEngine(config.app_spec(home)):
        pass


def main(arguments: list[str]) -> int:
    """Does it. Returns the exit code."""
    wrong = []
    try:
        asyncio.run(check(read(Path(arguments[0]), ServeConfig), settings().absolute_home))
    except LlmopsError as error:
        wrong = [asdict(mistake) for mistake in error.mistakes()]
    sys.stdout.write(json.dumps({"wrong": wrong}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
