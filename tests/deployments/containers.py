"""Compose services as plain processes: the same command and environment, other addresses."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.yaml_texts import yaml_of

FOLDER = Path(__file__).parent.parent.parent / "deployments"
COMPOSE: dict[str, Any] = yaml_of((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
ENTRYPOINT = FOLDER / "entrypoint.sh"
SECONDS = 120.0


class Machine(NamedTuple):
    """What stands on this machine for what stands in the file: `places` are texts to replace."""

    places: Mapping[str, str]
    variables: Mapping[str, str]
    folder: Path

    def here(self, text: object) -> str:
        """A word of the file with its variables filled in and its addresses replaced."""
        filled = re.sub(
            r"\$\{(\w+)(?::[-?]([^}]*))?\}",
            lambda hit: self.variables.get(hit[1], hit[2] or ""),
            str(text),
        )
        for there, here in self.places.items():
            filled = filled.replace(there, here)
        return filled

    def environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        """Of the container: what the image and the service set, nothing of this process but what
        finds programs and libraries.
        """
        found = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        image = {
            "HOME": str(self.folder / "tmp"),
            "PREFECT_HOME": str(self.folder / "tmp" / "prefect"),
            "LLMOPS_HOME": str(self.folder / "data"),
            "SECRETS_DIR": str(self.folder / "secrets"),
            "NO_PROXY": "127.0.0.1,localhost",
        }
        given = {name: self.here(value) for name, value in service["environment"].items()}
        return found | image | given

    def healthy(self, service: Mapping[str, Any]) -> bool:
        """Whether the health check of the file says so, in its environment."""
        program, *words = (self.here(word) for word in service["healthcheck"]["test"][1:])
        done = subprocess.run(
            [program, *words],
            env=self.environment(service),
            cwd=self.folder,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return done.returncode == 0

    @contextmanager
    def started(self, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        """The service behind its entry point, once it is healthy; ended as engines do it."""
        service = SERVICES[name]
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [str(ENTRYPOINT), *(self.here(word) for word in service["command"])],
                env=self.environment(service),
                cwd=self.folder,
                stdout=out,
                stderr=out,
            )
        try:
            deadline = time.monotonic() + SECONDS
            while not self.healthy(service):
                ended = process.poll() is not None or time.monotonic() > deadline
                assert not ended, f"{name} does not get healthy:\n{log.read_text()[-3000:]}"
                time.sleep(0.5)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()
