"""What has to be done at the Prefect server, in a process of its own that `up` starts: `python -m
llmops.deployments.up.registering FOLDER [deploy] [catch-up]`. Its last line is a JSON object:
`done`, what was done, and `wrong`, the mistakes for which something was not.

`up` itself lives for months and imports no Prefect.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from llmops.tasks.errors import LlmopsError, Mistake, Unavailable

MODULE = "llmops.deployments.up.registering"
SECONDS = 180.0


def register(
    folder: Path,
    home: Path,
    environment: Mapping[str, str],
    tell: Callable[[str], None],
    *steps: str,
) -> list[Mistake]:
    """Take the steps `deploy` and `catch-up` in a process of its own; what they did is told.
    Returns what is wrong; nothing where all went through.
    """
    given = {**environment, "LLMOPS_HOME": str(home)}
    try:
        ended = child("the schedules", ["-m", MODULE, str(folder), *steps], given, folder)
        said = json.loads(ended.stdout.splitlines()[-1])
        done, wrong = said["done"], [Mistake(**each) for each in said["wrong"]]
    except (LlmopsError, ValueError, LookupError, TypeError) as error:
        reason = f"the schedules could not be registered: {error}"
        return [Mistake(reason, kind=LlmopsError.kind)]
    for line in done:
        tell(line)
    return wrong


def child(
    what: str, arguments: list[str], environment: Mapping[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Something short in a process of its own. Raises LlmopsError with its last line."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            env={**os.environ, **environment},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{what}: not done within {SECONDS:.0f} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise LlmopsError(f"{what}: {lines[-1] if lines else f'exit code {done.returncode}'}")
    return done


def main(arguments: list[str]) -> int:
    """Does it. Returns the exit code."""
    from llmops.deployments.catchup import catch_up
    from llmops.deployments.deploy import deploy
    from llmops.deployments.project import Project

    folder, *steps = arguments
    done: list[str] = []
    wrong: list[dict[str, str]] = []
    try:
        project = Project.at(Path(folder))
        if "deploy" in steps:
            deployed = deploy(project)
            for change in deployed.changes:
                if change.action != "unchanged":
                    when = (
                        f" {change.schedule.cron} {change.schedule.timezone},"
                        if change.schedule
                        else ""
                    )
                    done.append(
                        f"{change.action} {change.flow}/{change.name}:{when} {change.config}"
                    )
            done += [
                f"{acting.action} automation {acting.name}"
                for acting in deployed.automations
                if acting.action != "unchanged"
            ]
            done += deployed.warnings
        if "catch-up" in steps:
            caught = catch_up(project)
            done += [*caught.warnings, *map(str, caught.steps)]
    except LlmopsError as error:
        wrong = [asdict(mistake) for mistake in error.mistakes()]
    sys.stdout.write(json.dumps({"done": done, "wrong": wrong}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
